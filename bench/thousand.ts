// A thousand recordings at once from no worker; then, with those running, so many more for later that five thousand are open: what a
// pass of the fleet takes, and what Reelkit and Temporal do meanwhile.
import { setTimeout as sleep } from 'node:timers/promises';
import { audioOf, type Bed, until } from './bed.ts';
import { beginFromNothing, ratioRow, warmFleet, withEmptyFleet } from './begin.ts';
import type { Bench } from './context.ts';
import { percentile } from './figures.ts';
import { inGroups } from './groups.ts';
import type { Row } from './rows.ts';

const BURST = 1_000;
const OPEN = 5_000;
/** A busy worker fills 80 % of them. */
const FLEET = { workers: 4, coresPerWorker: 400 };
const RATIO_TARGET = 1.3;
const PASS_TARGET_MS = 1_000;
const WATCH_SECONDS = 2;
const LOOK_MS = 30_000;
const LATER_MS = 12 * 3_600_000;
/** More would starve what is being measured of Temporal. */
const AT_ONCE = 20;

export async function benchThousand(bench: Bench): Promise<Row[]> {
  const begin = { size: bench.times(BURST), ...FLEET, fleet: { watchInterval: `${WATCH_SECONDS}s` } };
  const { ours, open } = await withEmptyFleet(begin, async (bed) => ({
    ours: await beginFromNothing(bed, begin, bench),
    open: await measureOpen(bed, begin.size, bench),
  }));
  const warm = await warmFleet(begin, bench);
  const what = `${begin.size} SDK calls at once, no worker, boot 10 s`;
  return [ratioRow('burst_1000_ratio', ours, warm, RATIO_TARGET, what), ...open];
}

async function measureOpen(bed: Bed, running: number, { report, times }: Bench): Promise<Row[]> {
  const open = times(OPEN);
  report(`opening ${open - running} more`);
  const before = await bed.residentBytes();
  const startAt = new Date(Date.now() + LATER_MS).toISOString();
  const later = Array.from({ length: open - running }, (_, index) => `later-${index}`);
  await inGroups(later, (room) => bed.record({ ...audioOf(room), startAt }), AT_ONCE);
  await until(
    'all to be open',
    () => bed.temporal.workflow.count(`ExecutionStatus = 'Running' AND RecordingStage = 'scheduled'`),
    ({ count }) => count >= later.length,
  );
  const after = await bed.residentBytes();
  const [sinceMs, requests, cpuMs] = [Date.now(), await bed.temporalRequests(), await bed.spent()];
  await sleep(LOOK_MS);
  const seconds = (Date.now() - sinceMs) / 1_000;
  const perSecond = ((await bed.temporalRequests()) - requests) / seconds;
  const share = ((await bed.spent()) - cpuMs) / 10 / seconds;
  const passes = await passesSince(bed, sinceMs);
  report(`${passes.length} passes in ${Math.round(seconds)} s: ${passes.join(' ')} ms`);
  return rowsOf({ open, running, before, after, later: later.length, perSecond, share, passes });
}

/** By the server's clock, which is this machine's: from when a pass was wanted until Temporal has its end. */
async function passesSince(bed: Bed, sinceMs: number): Promise<number[]> {
  const { events } = await bed.temporal.workflow.getHandle('fleet/default').fetchHistory();
  const wanted = new Map<string, number>();
  return (events ?? []).flatMap(({ eventId, eventTime, activityTaskScheduledEventAttributes, ...event }) => {
    const atMs = Number(eventTime?.seconds ?? 0) * 1_000 + Math.round((eventTime?.nanos ?? 0) / 1e6);
    if (activityTaskScheduledEventAttributes) wanted.set(String(eventId), atMs);
    const began = wanted.get(String(event.activityTaskCompletedEventAttributes?.scheduledEventId));
    return began === undefined || began < sinceMs ? [] : [atMs - began];
  });
}

interface Open {
  open: number;
  running: number;
  later: number;
  before: number;
  after: number;
  perSecond: number;
  /** Per cent of one core. */
  share: number;
  passes: number[];
}

function rowsOf({ open, running, later, before, after, perSecond, share, passes }: Open): Row[] {
  const what = `${open} open recordings, ${running} that record and ${later} for later, a pass every ${WATCH_SECONDS} s`;
  const passMs = percentile(passes, 0.95);
  const told = (id: string, value: number, unit: string, how: string): Row => ({
    id,
    value,
    unit,
    against: '',
    target: '',
    holds: true,
    how,
  });
  return [
    {
      id: 'open_5000_pass_ms',
      value: passMs,
      unit: 'ms',
      against: '',
      target: `<= ${PASS_TARGET_MS}`,
      holds: passMs <= PASS_TARGET_MS,
      how: `${what}: from when a pass is wanted until Temporal has its end, p95 of ${passes.length}; p50 ${percentile(passes, 0.5)} ms`,
    },
    told('open_5000_mib', Math.round(after / 1_048_576), 'MiB', `${what}: resident memory of the service`),
    told(
      'open_5000_temporal_rps',
      perSecond,
      'requests/s',
      `${what}: requests that Temporal's frontend answers; the service takes ${share.toFixed(0)} % of one core`,
    ),
    told(
      'bytes_per_recording',
      Math.round((after - before) / later),
      'bytes',
      `resident memory of the service while ${later} scheduled recordings are opened: ${Math.round(before / 1_048_576)} -> ${Math.round(after / 1_048_576)} MiB`,
    ),
  ];
}
