// A crowd against a fleet that begins at nothing: how long until all record, compared with the boot and the same calls on a fleet that
// is already there.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Alone, withAlone } from './alone.ts';
import { type Bed, startBed, until } from './bed.ts';
import type { Bench } from './context.ts';
import { type Crowd, describe, describeTimes, recordCrowd } from './crowd.ts';
import type { Row } from './rows.ts';

export const BOOT_MS = 10_000;
/** A fleet that has nothing to do is asleep by then. */
const REST_MS = 5_000;
/** The workers' own times count; a look at so many records costs the cores that the burst needs. */
const POLL_MS = 1_000;
/** More than LiveKit itself waits for a worker. */
const PATIENT_SECONDS = 90;

export interface Begin {
  size: number;
  workers: number;
  coresPerWorker: number;
  /** Rooms with their picture. */
  video?: boolean;
  fleet?: Partial<Parameters<typeof startBed>[0]['fleet']>;
}

/** @returns what came of it, and how many have more than one egress on the workers */
export async function beginFromNothing(bed: Bed, begin: Begin, { report }: Pick<Bench, 'report'>): Promise<Crowd> {
  const rooms = await bed.createRooms(begin.size, 'burst');
  await sleep(REST_MS);
  const spent = await bed.spent();
  const crowd = await recordCrowd(bed, rooms, { pollMs: POLL_MS, untilAll: true, ...video(begin) });
  const cpuMs = ((await bed.spent()) - spent) / begin.size;
  report(`Reelkit: ${describe(crowd)}; ${describeTimes(crowd)}; ${cpuMs.toFixed(1)} ms of CPU for each`);
  return { ...crowd, doubled: crowd.doubled + (await twiceOnWorkers(bed)) };
}

export async function withEmptyFleet<T>(begin: Begin, work: (bed: Bed) => Promise<T>): Promise<T> {
  const bed = await startBed({
    fleet: { minWorkers: 0, maxWorkers: begin.workers, cooldown: '2s', ...begin.fleet },
    capacity: { coresPerWorker: begin.coresPerWorker, bootDelay: `${BOOT_MS}ms` },
  });
  try {
    return await work(bed);
  } finally {
    await bed.stop();
  }
}

/** The same calls on LiveKit alone, with the workers there. */
export async function recordOnWarmFleet(
  alone: Alone,
  begin: Begin,
  rooms: string[],
  { report }: Pick<Bench, 'report'>,
): Promise<Crowd> {
  await alone.startWorkers(begin.workers, begin.coresPerWorker);
  const warm = await recordCrowd(alone, rooms, { timeoutSeconds: PATIENT_SECONDS, pollMs: POLL_MS, ...video(begin) });
  report(`on ${begin.workers} warm workers: ${describe(warm)}; ${describeTimes(warm)}`);
  return warm;
}

/** LiveKit alone, for who compares with nothing else. */
export function warmFleet(begin: Begin, bench: Pick<Bench, 'report'>): Promise<Crowd> {
  return withAlone(async (alone) =>
    recordOnWarmFleet(alone, begin, await alone.createRooms(begin.size, 'burst'), bench),
  );
}

export function ratioRow(id: string, ours: Crowd, warm: Crowd, target: number, what: string): Row {
  const [allMs, warmMs] = [Math.max(...ours.lastedMs), Math.max(...warm.lastedMs)];
  const ratio = allMs / (BOOT_MS + warmMs);
  const { failed, lost, doubled } = ours;
  const amiss = lost + doubled + failed > 0 ? `; ${describe(ours)}` : '';
  return {
    id,
    value: ratio,
    unit: 'ratio',
    against: `boot ${BOOT_MS} ms + ${warm.rooms.length} direct starts on a warm fleet ${warmMs} ms`,
    target: `<= ${target}`,
    holds: lost === 0 && doubled === 0 && ratio <= target,
    how: `${what}: until all record, ${allMs} ms${amiss}`,
  };
}

function video({ video: wanted = false }: Begin) {
  return { video: wanted };
}

/** Egresses of one recording beside each other, which LiveKit's list shows as one. */
async function twiceOnWorkers(bed: Bed): Promise<number> {
  const { workers } = await until('the workers to show all', bed.fleet, (fleet) => fleet.workers.length > 0);
  const recordings = workers.flatMap(({ egressIds }) => egressIds.map((id) => id.split('_', 2).join('_')));
  return recordings.length - new Set(recordings).size;
}
