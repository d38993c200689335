// IOInfo, as the workers know it from LiveKit: they create a record when they start and report each change. Reelkit answers a report
// once Temporal has it, because one answered with an error is never sent again, and stays silent while Temporal is away: the worker
// then repeats it for minutes.
import { EgressInfo, EgressStatus } from '@livekit/protocol';
import { RpcError, type RpcServer, type Served } from '../bus/server.ts';
import { defined } from '../common/defined.ts';
import { parseAttemptEgressId } from '../recording/attempt.ts';
import { type EgressReport, isTerminal } from '../recording/egress.ts';
import { isTheRoom } from '../recording/room.ts';
import type { Endings } from './endings.ts';
import type { Grants } from './grants.ts';
import { reportOf } from './record.ts';

const EMPTY = new Uint8Array();

export interface ReportsParts {
  grants: Grants;
  /** Durable once it settles. @returns false when no open recording wants it @throws while Temporal is away */
  report(recordingId: string, report: EgressReport): Promise<boolean>;
  endings: Endings;
  /** @returns undefined when there is no such room */
  roomSid(room: string): Promise<string | undefined>;
  /** The recording has the last report of this egress. */
  ended(report: EgressReport): void;
  /** The last word of an attempt whose recording is not open any more. */
  endGhost(recordingId: string, info: EgressInfo): Promise<unknown>;
  log: { warn(fields: object, message: string): void };
}

/** Serves the workers' IOInfo until it is stopped. */
export async function serveReports(
  server: RpcServer,
  { grants, report, endings, roomSid, ended, endGhost, log }: ReportsParts,
): Promise<Served> {
  /** Why an egress ended is told by its room; whoever hears of the end asks, so that the recording need not. */
  async function asEnded(info: EgressInfo): Promise<EgressReport> {
    const told = reportOf(info);
    if (!isTerminal(told.status)) return told;
    const [endingAtMs, roomGone] = await Promise.all([endings.of(info.egressId), hasLostItsRoom(info)]);
    return { ...told, ...defined({ endingAtMs }), ...(roomGone ? { roomGone } : {}) };
  }

  async function hasLostItsRoom({ roomName, roomId }: EgressInfo): Promise<boolean> {
    if (!roomName) return false;
    return roomSid(roomName).then(
      (sid) => !isTheRoom(roomId || undefined, sid),
      () => false,
    );
  }

  const created = await server.serveQueue({
    service: 'IOInfo',
    method: 'CreateEgress',
    isMine: (request) => grants.rightOf(idOf(request)) !== 'none',
    async handle(request) {
      if (grants.rightOf(idOf(request)) === 'granted') return EMPTY;
      throw new RpcError('permission_denied', 'this start was given up');
    },
  });
  const updated = await server.serveQueue({
    service: 'IOInfo',
    method: 'UpdateEgress',
    isMine: (request) => idOf(request) !== '',
    async handle(request) {
      const info = EgressInfo.fromBinary(request);
      const attempt = parseAttemptEgressId(info.egressId);
      if (!attempt) return EMPTY;
      // That it finishes its file changes nothing: how it ended follows, and costs Temporal the same.
      if (info.status === EgressStatus.EGRESS_ENDING) {
        const { updatedAtMs } = reportOf(info);
        if (updatedAtMs !== undefined) void endings.note(info.egressId, updatedAtMs).catch(() => undefined);
        return EMPTY;
      }
      try {
        const reported = await asEnded(info);
        if (!(await report(attempt.recordingId, reported))) await endGhost(attempt.recordingId, info);
        if (isTerminal(reported.status)) ended(reported);
        return EMPTY;
      } catch (error) {
        log.warn({ egress: info.egressId, error: String(error) }, 'a report could not be kept; the worker repeats it');
        return undefined;
      }
    },
  });
  return { stop: async () => void (await Promise.all([created.stop(), updated.stop()])) };
}

function idOf(request: Uint8Array): string {
  try {
    return EgressInfo.fromBinary(request).egressId;
  } catch {
    return '';
  }
}
