// To LiveKit, Reelkit is the egress worker that always has room: it claims StartEgress on LiveKit's Redis, makes the recording
// durable, and only then says STARTING. It answers StopEgress and UpdateStream for every recording, whichever process started it.
// It runs no egress and decides nothing about workers.
import { type EgressInfo, StopEgressRequest, UpdateStreamRequest } from '@livekit/protocol';
import { RpcError, type RpcHandlerContext, type RpcServer, type Served } from '../bus/server.ts';
import { RECORDING_ID } from '../recording/attempt.ts';
import type { StreamChange } from '../recording/streams.ts';
import { acceptedInfo } from './record.ts';
import type { LiveKitRecords } from './records.ts';
import { decodeStart, refusalOf, renderNames, type StartMessage } from './request/index.ts';

/** What stands behind the door. Every method may throw RpcError. */
export interface IntakeRecordings {
  /** Makes it durable. The same egress id again meets the same recording. @returns when it was first accepted, unix ms */
  accept(message: StartMessage, atMs: number): Promise<{ acceptedAtMs: number }>;
  /** Is there a recording of this id, open or ended? */
  knows(egressId: string): Promise<boolean>;
  stop(egressId: string): Promise<EgressInfo>;
  updateStreams(egressId: string, change: StreamChange): Promise<EgressInfo>;
}

export interface IntakeParts {
  recordings: IntakeRecordings;
  records: LiveKitRecords;
  /** Temporal answers; without it nothing is claimed, and LiveKit asks again for its 22 s. */
  isReady: () => boolean;
  now: () => number;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

/** An idle worker says 0.5, a busy one 1; LiveKit takes the first 1 at once. */
const AFFINITY = 1;
/** A process that was granted a request and has not answered by then has died, or will not be in time. */
const TAKE_OVER_AFTER_MS = 1_000;

/** @returns `stop` ends the claiming first, then waits for what was claimed */
export async function serveIntake(server: RpcServer, parts: IntakeParts): Promise<Served> {
  const { recordings, isReady } = parts;
  const servings = await Promise.all([
    server.serve({
      service: 'EgressInternal',
      method: 'StartEgress',
      affinity: () => (isReady() ? AFFINITY : undefined),
      handle: (request, context) => start(parts, request, context),
      takeOverAfterMs: TAKE_OVER_AFTER_MS,
    }),
    server.serveQueue({
      service: 'EgressHandler',
      method: 'StopEgress',
      topic: '*',
      isMine: (request) => isOurs(recordings, StopEgressRequest.fromBinary(request).egressId),
      handle: async (request) => (await recordings.stop(StopEgressRequest.fromBinary(request).egressId)).toBinary(),
    }),
    server.serveQueue({
      service: 'EgressHandler',
      method: 'UpdateStream',
      topic: '*',
      isMine: (request) => isOurs(recordings, UpdateStreamRequest.fromBinary(request).egressId),
      async handle(request) {
        const { egressId, addOutputUrls: add, removeOutputUrls: remove } = UpdateStreamRequest.fromBinary(request);
        return (await recordings.updateStreams(egressId, { add, remove })).toBinary();
      },
    }),
  ]);
  return { stop: async () => void (await Promise.all(servings.map((serving) => serving.stop()))) };
}

/** Asked before the message is taken, or a plain worker on the same Redis would lose its stops. */
async function isOurs(recordings: IntakeRecordings, egressId: string): Promise<boolean> {
  return RECORDING_ID.test(egressId) && (await recordings.knows(egressId).catch(() => false));
}

async function start(
  { recordings, records, now, log }: IntakeParts,
  request: Uint8Array,
  { requestId }: RpcHandlerContext,
): Promise<Uint8Array> {
  const message = decode(request);
  const refusal = refusalOf(message);
  if (refusal) throw new RpcError(refusal.code, refusal.message);
  const atMs = now();
  const { acceptedAtMs } = await recordings.accept(renderNames(message, { atMs }), atMs);
  // The names it was first accepted with, when LiveKit asks again.
  const info = acceptedInfo(renderNames(message, { atMs: acceptedAtMs }), acceptedAtMs);
  // Before the answer: a worker's report that overtakes this would leave the record out of the room's list. When LiveKit does not
  // take it, the recording does it again with its first report.
  await records.create(info).catch((error: unknown) => {
    log.warn(
      { egress: info.egressId, error: String(error) },
      'LiveKit did not take the new record; it is told again later',
    );
  });
  log.info({ egress: info.egressId, request: requestId, durationMs: now() - atMs }, 'accepted from LiveKit');
  return info.toBinary();
}

function decode(request: Uint8Array): StartMessage {
  try {
    return decodeStart(request);
  } catch {
    throw new RpcError('malformed_request', 'the request could not be read');
  }
}
