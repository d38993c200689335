// Records in LiveKit that say an egress runs although nobody runs it: found by asking everybody who would know, and ended in LiveKit
// when all of them say no, twice. When somebody cannot be asked, nothing is ended.
import { setTimeout as sleep } from 'node:timers/promises';
import type { EgressInfo } from '@livekit/protocol';
import { errors } from '../api/errors.ts';
import type { Recordings } from '../api/recordings/recordings.ts';
import type { Repair } from '../api/routes/repair.ts';
import type { LookedRecord } from '../api/schemas.ts';
import { messageOf } from '../common/error-message.ts';
import type { LiveKitClient } from '../livekit/client.ts';
import { type Questioned, question, type RecordingWitness, WitnessUnavailable } from '../livekit/ghost-witnesses.ts';
import { changedAtMs, endedRecord, judgeRecord } from '../livekit/ghosts.ts';
import { createPresence } from '../livekit/presence.ts';
import { createLiveKitRecords } from '../livekit/records.ts';
import { EGRESS_STATUSES } from '../recording/egress.ts';
import type { Log } from '../telemetry/log.ts';
import { type Buses, lateTransport } from './buses.ts';

export interface RepairParts {
  /** Undefined until both were reached. */
  buses: () => Buses | undefined;
  livekit: Pick<LiveKitClient, 'listOpenRecords' | 'listParticipants'>;
  recordings: Pick<Recordings, 'peek' | 'show'>;
  log: Pick<Log, 'info' | 'warn'>;
  now?: () => number;
}

/** Whoever lost its connection to a Redis listens again within a second. */
const CONFIRM_AFTER_MS = 2_000;

export function createRepair({ buses, livekit, recordings, log, now = Date.now }: RepairParts): Repair {
  const livekitRedis = createPresence(lateTransport(() => buses()?.livekit.transport));
  const workersRedis = createPresence(lateTransport(() => buses()?.workers.transport));
  const epochs = () => [livekitRedis.epoch(), workersRedis.epoch()];

  async function recordingOf(id: string): Promise<RecordingWitness> {
    const state = await recordings.peek(id);
    if (!state) return { kind: 'none' };
    return state.open ? { kind: 'open' } : { kind: 'ended', view: await recordings.show(id) };
  }

  async function ask(wanted: (record: EgressInfo) => boolean): Promise<Questioned[]> {
    const livekitClient = buses()?.livekit.client;
    if (!livekitClient) throw errors.witnessUnavailable('the two Redis cannot be asked: not connected yet');
    const { listParticipants } = livekit;
    try {
      const records = await livekit.listOpenRecords();
      const parts = { recordingOf, workersRedis, livekitRedis, livekitClient, listParticipants };
      return await question(records.filter(wanted), parts);
    } catch (error) {
      if (error instanceof WitnessUnavailable) throw errors.witnessUnavailable(error.message, error);
      throw errors.witnessUnavailable('LiveKit cannot be asked for its list', error);
    }
  }

  return {
    async look(olderThanMs) {
      const all = await ask(() => true);
      return all.map((one) => looked(one, now() - olderThanMs, now()));
    },

    async end(egressIds, olderThanMs) {
      const wanted = new Set(egressIds);
      const isWanted = ({ egressId }: EgressInfo) => wanted.has(egressId);
      const before = epochs();
      const first = await ask(isWanted);
      await sleep(CONFIRM_AFTER_MS);
      const second = await ask(isWanted);
      // NaN, while one is away, equals nothing.
      if (epochs().some((epoch, index) => epoch !== before[index]))
        throw errors.witnessUnavailable('the connection to a Redis was made anew meanwhile');
      const nobodysBefore = new Set(
        first.filter((one) => isNobodys(one, now() - olderThanMs)).map(({ record }) => record.egressId),
      );
      const result: Awaited<ReturnType<Repair['end']>> = { ended: [], left: [], absent: [] };
      for (const one of second) {
        const { egressId } = one.record;
        wanted.delete(egressId);
        const view = looked(one, now() - olderThanMs, now());
        const isNobodys = view.verdict === 'nobody' && nobodysBefore.has(egressId);
        (isNobodys && (await tellLiveKit(one)) ? result.ended : result.left).push(view);
      }
      return { ...result, absent: [...wanted] };
    },
  };

  /** @returns whether LiveKit took the end */
  async function tellLiveKit({ record, recording }: Questioned): Promise<boolean> {
    const client = buses()?.livekit.client;
    if (!client) return false;
    const ended = endedRecord(record, now(), recording);
    const fields = { egress: record.egressId, was: statusOf(record), is: statusOf(ended) };
    try {
      await createLiveKitRecords(client).update(ended);
      log.info(fields, 'a record that nobody runs was ended in LiveKit');
      return true;
    } catch (error) {
      log.warn({ ...fields, problem: messageOf(error) }, 'LiveKit did not take the end of a record that nobody runs');
      return false;
    }
  }
}

function isNobodys({ record, witnesses }: Questioned, changedBeforeMs: number): boolean {
  return judgeRecord(record, witnesses, changedBeforeMs) === 'nobody';
}

function looked({ record, witnesses, recording }: Questioned, changedBeforeMs: number, nowMs: number): LookedRecord {
  const verdict = judgeRecord(record, witnesses, changedBeforeMs);
  const end = endedRecord(record, nowMs, recording);
  return {
    egressId: record.egressId,
    status: statusOf(record),
    ...(record.roomName ? { room: record.roomName } : {}),
    changedAtMs: changedAtMs(record),
    witnesses,
    verdict,
    ...(verdict === 'nobody' ? { end: { status: statusOf(end), error: end.error } } : {}),
  };
}

function statusOf({ status }: EgressInfo): string {
  return `EGRESS_${EGRESS_STATUSES[status]}`;
}
