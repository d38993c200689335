// What the contract tests of the bus stand on: LiveKit with its Redis, the workers' Redis, and on the latter egress workers, each
// with a topic of its own. Requests to workers are written by hand, so that a mistake in the product's own writing shows.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf';
import {
  EgressInfo,
  type EgressStatus,
  EncodedFileOutput,
  ParticipantEgressRequest,
  StopEgressRequest,
} from '@livekit/protocol';
import { createRpcClient, type RpcCall } from '../../../src/bus/client.ts';
import { createRedisTransport } from '../../../src/bus/redis.ts';
import { createRpcServer, RpcError, type Served } from '../../../src/bus/server.ts';
import type { BusTransport } from '../../../src/bus/transport.ts';
import { killTree } from '../../../src/capacity/process/table.ts';
import type { Child } from '../../../src/dev/child.ts';
import { ensureComponents } from '../../../src/dev/components.ts';
import { type Speaker, startSpeaker } from '../../../src/dev/speakers.ts';
import { type StackPart, startStack } from '../../../src/dev/stack.ts';
import { startEgressWorker } from '../../support/plain-worker.ts';
import { createLiveKit } from '../../support/stack-livekit.ts';
import { nameLogs, waitFor } from '../../support/stack-wait.ts';

/** Room for several, so that what a worker says of an id is not hidden behind what it says of its load. */
const CORES = 16;

export type Bed = Awaited<ReturnType<typeof makeBed>>;

export async function makeBed(parts: readonly StackPart[] = ['redis', 'workersRedis', 'livekit']) {
  const stateDir = await mkdtemp(join(tmpdir(), 'reelkit-bus-'));
  nameLogs(join(stateDir, 'logs'));
  const stack = await startStack({ stateDir, parts });
  const open: { close(): Promise<void> }[] = [];
  const workers: Child[] = [];
  const speakers: Speaker[] = [];

  const connect = async (address: string, name: string): Promise<BusTransport> => {
    const bus = await createRedisTransport({ address }, { name });
    open.push(bus);
    return bus;
  };
  return {
    stack,
    stateDir,
    /** As one more process does. */
    livekitBus: () => connect(stack.redis.address, 'livekit'),
    workersBus: () => connect(stack.workersRedis.address, 'workers'),
    connect,
    livekit: createLiveKit(stack.livekit),
    /** Publishes sound and a picture there until the end. */
    async speak(room: string, identity: string): Promise<void> {
      const logFile = join(stack.logDir, 'speakers.log');
      speakers.push(await startSpeaker({ livekit: stack.livekit, room, identity, toneHz: 440, logFile }));
    },
    async startWorker(topic: string) {
      const { egress } = await ensureComponents(['egress'], () => {});
      const child = await startEgressWorker({ stack, redis: stack.workersRedis, egress, topic, cores: CORES });
      workers.push(child);
      return child;
    },
    async end() {
      for (const speaker of speakers) await speaker.stop();
      for (const worker of workers) if (worker.isRunning()) await killTree(worker.pid);
      for (const one of open) await one.close();
      await stack.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

/** Reelkit's side towards the workers: their IOInfo, which keeps what they report, and a caller. */
export async function makeWorkersSide(bus: BusTransport) {
  const reports: EgressInfo[] = [];
  const statusesOf = (egressId: string) =>
    reports.filter((info) => info.egressId === egressId).map(({ status }) => status);
  const refused = new Set<string>();
  const server = createRpcServer(bus);
  const served: Served[] = [];
  for (const method of ['CreateEgress', 'UpdateEgress']) {
    const one = await server.serveQueue({
      service: 'IOInfo',
      method,
      isMine: () => true,
      handle: async (request) => {
        const info = EgressInfo.fromBinary(request);
        if (method === 'CreateEgress' && refused.has(info.egressId))
          throw new RpcError('permission_denied', 'given up');
        reports.push(info);
        return new Uint8Array();
      },
    });
    served.push(one);
  }
  const client = await createRpcClient(bus);
  const queue = { service: 'EgressHandler', queue: true, timeoutMs: 5_000 };
  return {
    client,
    async end() {
      for (const one of served) await one.stop();
      await client.close();
    },
    statusesOf,
    refuseRecordOf: (egressId: string) => void refused.add(egressId),
    start: (call: Pick<RpcCall, 'topic' | 'request'> & Partial<RpcCall>) => client.call({ ...START, ...call }),
    dryRun: (topic: string, request: Uint8Array) => client.dryRun({ ...START, topic, request }),
    stop: (egressId: string) =>
      client.call({
        ...queue,
        method: 'StopEgress',
        topic: egressId,
        request: new StopEgressRequest({ egressId }).toBinary(),
      }),
    /** Every worker listens to this one without a topic. */
    async active(workersExpected = 1): Promise<string[]> {
      const question = { service: 'EgressInternal', method: 'ListActiveEgress', request: new Uint8Array() };
      const replies = await client.multi(question, { waitMs: 3_000, expected: workersExpected });
      return replies.flatMap(({ response }) => stringsOf(response ?? new Uint8Array()));
    },
    untilReported: (egressId: string, ...wanted: EgressStatus[]) =>
      waitFor(
        `${egressId} reported with status ${wanted.join(' or ')}`,
        async () => statusesOf(egressId),
        (statuses) => statuses.some((status) => wanted.includes(status)),
        30_000,
      ),
  };
}

const START = { service: 'EgressInternal', method: 'StartEgress', timeoutMs: 5_000 };

export const SPEAKER = 'ada';

/** rpc.StartEgressRequest: the speaker into a file. */
export function startRequest(egressId: string, room: { name: string; sid: string }, { file = `${egressId}.mp4` } = {}) {
  const participant = new ParticipantEgressRequest({
    roomName: room.name,
    identity: SPEAKER,
    fileOutputs: [new EncodedFileOutput({ filepath: file })],
  });
  return new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(egressId)
    .tag(3, WireType.LengthDelimited)
    .string(room.sid)
    .tag(13, WireType.LengthDelimited)
    .bytes(participant.toBinary())
    .finish();
}

/** Field 1 of rpc.ListActiveEgressResponse. */
function stringsOf(bytes: Uint8Array): string[] {
  const reader = new BinaryReader(bytes);
  const found: string[] = [];
  while (reader.pos < reader.len) {
    const [no, type] = reader.tag();
    if (no === 1) found.push(reader.string());
    else reader.skip(type);
  }
  return found;
}
