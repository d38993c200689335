// The top of the hour: 200 calls of LiveKit's SDK at once, and no worker at all. With Reelkit behind; then on a LiveKit without it, with
// workers that boot as long: the SDK once with its defaults, the SDK with a blind retry, and the same calls on a fleet already warm.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Alone, withAlone } from './alone.ts';
import { type Bed, startBed, until } from './bed.ts';
import type { Bench } from './context.ts';
import { type Crowd, countRow, describe, describeTimes, recordCrowd, stopMany } from './crowd.ts';
import { percentile } from './figures.ts';
import type { Row } from './rows.ts';

const BURST = 200;
const BOOT_MS = 10_000;
/** A busy worker fills 80 % of 80 cores: 64 egresses of one core each, so four workers carry the burst. */
const CORES_PER_WORKER = 80;
const WORKERS = 4;
const RATIO_TARGET = 1.15;
const ANSWER_TARGET_MS = 3_000;
/** A fleet that has nothing to do is asleep by then. */
const REST_MS = 5_000;
/** The workers' own times count; a look at 200 records costs the cores that the burst needs. */
const POLL_MS = 1_000;
/** More than LiveKit itself waits for a worker. */
const PATIENT_SECONDS = 90;

export async function benchBurst({ report, times }: Bench): Promise<Row[]> {
  const size = times(BURST);
  const ours = await withBed(async (bed) => {
    const rooms = await bed.createRooms(size, 'burst');
    await sleep(REST_MS);
    const crowd = await recordCrowd(bed, rooms, { pollMs: POLL_MS });
    report(`Reelkit: ${describe(crowd)}; ${describeTimes(crowd)}`);
    const doubled = crowd.doubled + (await twiceOnWorkers(bed));
    await stopMany(bed);
    return { ...crowd, doubled };
  });
  const theirs = await withAlone(async (alone) => {
    const rooms = await alone.createRooms(size, 'burst');
    const once = await withColdFleet(alone, () => recordCrowd(alone, rooms));
    report(`SDK once with defaults: ${describe(once)}`);
    const blind = await withColdFleet(alone, () => recordCrowd(alone, rooms, { retry: true }));
    report(`SDK with blind retry: ${describe(blind)}`);
    await alone.startWorkers(WORKERS, CORES_PER_WORKER);
    const warm = await recordCrowd(alone, rooms, { timeoutSeconds: PATIENT_SECONDS, pollMs: POLL_MS });
    report(`on ${WORKERS} warm workers: ${describe(warm)}; ${describeTimes(warm)}`);
    return { once, blind, warm };
  });
  return rowsOf(ours, theirs);
}

async function withBed<T>(work: (bed: Bed) => Promise<T>): Promise<T> {
  const bed = await startBed({
    fleet: { minWorkers: 0, maxWorkers: WORKERS, cooldown: '2s' },
    capacity: { coresPerWorker: CORES_PER_WORKER, bootDelay: `${BOOT_MS}ms` },
  });
  try {
    return await work(bed);
  } finally {
    await bed.stop();
  }
}

/** The same workers with the same boot delay, asked for at the moment the burst begins. */
async function withColdFleet(alone: Alone, work: () => Promise<Crowd>): Promise<Crowd> {
  const booting = sleep(BOOT_MS).then(() => alone.startWorkers(WORKERS, CORES_PER_WORKER));
  try {
    const [crowd] = await Promise.all([work(), booting]);
    await stopMany(alone);
    return crowd;
  } finally {
    await booting.catch(() => undefined);
    await alone.endWorkers();
  }
}

/** Egresses of one recording beside each other, which LiveKit's list shows as one. */
async function twiceOnWorkers(bed: Bed): Promise<number> {
  const { workers } = await until('the workers to show all', bed.fleet, (fleet) => fleet.workers.length > 0);
  const recordings = workers.flatMap(({ egressIds }) => egressIds.map((id) => id.split('_', 2).join('_')));
  return recordings.length - new Set(recordings).size;
}

function rowsOf(ours: Crowd, { once, blind, warm }: Record<'once' | 'blind' | 'warm', Crowd>): Row[] {
  const size = ours.rooms.length;
  const [allMs, warmMs] = [Math.max(...ours.lastedMs), Math.max(...warm.lastedMs)];
  const ratio = allMs / (BOOT_MS + warmMs);
  const answeredMs = percentile(ours.answeredMs, 0.99);
  const beside = `LiveKit alone, SDK once: ${describe(once)}; blind retry: ${describe(blind)}`;
  const burst = `${size} SDK calls at once, no worker, boot ${BOOT_MS / 1_000} s`;
  return [
    {
      id: 'burst_ratio',
      value: ratio,
      unit: 'ratio',
      against: `boot ${BOOT_MS} ms + ${size} direct starts on a warm fleet ${warmMs} ms`,
      target: `<= ${RATIO_TARGET}`,
      holds: ours.lost === 0 && ratio <= RATIO_TARGET,
      how: `${burst}: until all record, ${allMs} ms`,
    },
    countRow('burst_lost', ours.lost, beside, `${burst}: rooms that were never recorded`),
    countRow('burst_doubled', ours.doubled, beside, `${burst}: rooms with more than one egress`),
    { ...countRow('sdk_errors', ours.failed, beside, `${burst}: StartEgress that failed`), unit: 'calls' },
    {
      id: 'sdk_start_p99_ms',
      value: answeredMs,
      unit: 'ms',
      against: "the SDK's own time-out of 10,000 ms",
      target: `<= ${ANSWER_TARGET_MS}`,
      holds: answeredMs <= ANSWER_TARGET_MS,
      how: `${burst}: StartEgress answered, p99; p50 ${percentile(ours.answeredMs, 0.5)} ms`,
    },
  ];
}
