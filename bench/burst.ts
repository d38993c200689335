// The top of the hour: 200 calls of LiveKit's SDK at once, and no worker at all. With Reelkit behind; then on a LiveKit without it, with
// workers that boot as long: the SDK once with its defaults, the SDK with a blind retry, and the same calls on a fleet already warm.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Alone, withAlone } from './alone.ts';
import { BOOT_MS, beginFromNothing, ratioRow, recordOnWarmFleet, withEmptyFleet } from './begin.ts';
import type { Bench } from './context.ts';
import { type Crowd, countRow, describe, recordCrowd, stopMany } from './crowd.ts';
import { percentile } from './figures.ts';
import type { Row } from './rows.ts';

const BURST = 200;
/** A busy worker fills 80 % of 80 cores: 64 egresses of one core each, so four workers carry the burst. */
const FLEET = { workers: 4, coresPerWorker: 80 };
const RATIO_TARGET = 1.15;
const ANSWER_TARGET_MS = 3_000;

export async function benchBurst(bench: Bench): Promise<Row[]> {
  const { report, times } = bench;
  const begin = { size: times(BURST), ...FLEET };
  const ours = await withEmptyFleet(begin, async (bed) => {
    const crowd = await beginFromNothing(bed, begin, bench);
    await stopMany(bed);
    return crowd;
  });
  const theirs = await withAlone(async (alone) => {
    const rooms = await alone.createRooms(begin.size, 'burst');
    const once = await withColdFleet(alone, () => recordCrowd(alone, rooms));
    report(`SDK once with defaults: ${describe(once)}`);
    const blind = await withColdFleet(alone, () => recordCrowd(alone, rooms, { retry: true }));
    report(`SDK with blind retry: ${describe(blind)}`);
    return { once, blind, warm: await recordOnWarmFleet(alone, begin, rooms, bench) };
  });
  return rowsOf(ours, theirs);
}

/** The same workers with the same boot delay, asked for at the moment the burst begins. */
async function withColdFleet(alone: Alone, work: () => Promise<Crowd>): Promise<Crowd> {
  const booting = sleep(BOOT_MS).then(() => alone.startWorkers(FLEET.workers, FLEET.coresPerWorker));
  try {
    const [crowd] = await Promise.all([work(), booting]);
    await stopMany(alone);
    return crowd;
  } finally {
    await booting.catch(() => undefined);
    await alone.endWorkers();
  }
}

function rowsOf(ours: Crowd, { once, blind, warm }: Record<'once' | 'blind' | 'warm', Crowd>): Row[] {
  const answeredMs = percentile(ours.answeredMs, 0.99);
  const beside = `LiveKit alone, SDK once: ${describe(once)}; blind retry: ${describe(blind)}`;
  const burst = `${ours.rooms.length} SDK calls at once, no worker, boot ${BOOT_MS / 1_000} s`;
  return [
    ratioRow('burst_ratio', ours, warm, RATIO_TARGET, burst),
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
