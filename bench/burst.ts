// The top of the hour: 200 applications ask LiveKit by its SDK at once, against no worker at all. With Reelkit behind; and LiveKit
// alone: the SDK once with its defaults, the SDK with a blind retry, and 200 starts on a fleet that is already warm.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Alone, startAlone } from './alone.ts';
import { type Bed, startBed, until } from './bed.ts';
import {
  activeRooms,
  type CrowdResult,
  countRow,
  crowdThroughSdk,
  describe,
  describeSpread,
  doubledIn,
  inGroups,
  startDirect,
  stopAll,
} from './crowd.ts';
import type { Row } from './rows.ts';

const BURST = 200;
const BOOT_MS = 10_000;
/** A busy worker fills 80 % of 80 cores: 64 egresses of one core each, so four workers carry the burst. */
const CORES_PER_WORKER = 80;
const WORKERS = 4;
/** Who does not record by then is lost. */
const RECORDING_LIMIT_MS = 180_000;

export async function benchBurst(report: (line: string) => void): Promise<Row[]> {
  const ours = await withReelkit(report);
  const { once, blind, directMs } = await withoutReelkit(report);
  const beside = `LiveKit alone, SDK once: ${describe(once)}; blind retry: ${describe(blind)}`;
  const ratio = ours.allMs / (BOOT_MS + directMs);
  return [
    {
      id: 'burst_ratio',
      value: ratio,
      unit: 'ratio',
      against: `boot ${BOOT_MS} ms + ${BURST} starts on a warm fleet of LiveKit alone ${directMs} ms`,
      target: '<= 1.15',
      holds: ratio <= 1.15,
      how: `${BURST} SDK calls at once against 0 workers, until all are recording: ${ours.allMs} ms`,
    },
    countRow('burst_lost', ours.lost, beside, 'recordings of the burst that never recorded'),
    countRow('burst_doubled', ours.doubled, beside, 'rooms of the burst with more than one egress'),
    countRow('sdk_errors', ours.errors, beside, 'SDK calls of the burst that failed'),
    {
      id: 'sdk_start_p99_ms',
      value: ours.p99Ms,
      unit: 'ms',
      against: "the SDK's own time-out of 10 s",
      target: '<= 3000',
      holds: ours.p99Ms <= 3_000,
      how: `StartEgress answered, p99 of ${BURST} at once`,
    },
  ];
}

interface Burst extends CrowdResult {
  errors: number;
  p99Ms: number;
}

async function withReelkit(report: (line: string) => void): Promise<Burst> {
  const bed = await startBed({
    fleet: { minWorkers: 0, maxWorkers: WORKERS, cooldown: '2s' },
    capacity: { coresPerWorker: CORES_PER_WORKER, bootDelay: `${BOOT_MS}ms` },
  });
  try {
    const rooms = await bed.createRooms(BURST, 'burst');
    const beginMs = Date.now();
    const calls = await Promise.all(rooms.map((room) => timed(() => startDirect(bed, room, 10))));
    const ids = calls.flatMap(({ egressId }) => egressId ?? []);
    await until(
      'all to record',
      () => activeRooms(bed),
      (active) => active.size >= ids.length,
      RECORDING_LIMIT_MS,
    ).catch(() => undefined);
    const begins = await inGroups(ids, (id) => beginOf(bed, id));
    const lastedMs = begins.flatMap((atMs) => (atMs === undefined ? [] : [atMs - beginMs]));
    report(`burst with Reelkit: recording after ${describeSpread(lastedMs)} ms`);
    return {
      crowd: BURST,
      allMs: Math.max(...lastedMs),
      lost: rooms.length - lastedMs.length,
      doubled: await doubledIn(bed, rooms),
      errors: rooms.length - ids.length,
      p99Ms: calls.map(({ tookMs }) => tookMs).sort((a, b) => a - b)[Math.floor(BURST * 0.99) - 1] ?? Number.NaN,
    };
  } finally {
    await bed.stop();
  }
}

async function timed(call: () => Promise<{ egressId: string }>): Promise<{ tookMs: number; egressId?: string }> {
  const sentMs = Date.now();
  try {
    const { egressId } = await call();
    return { tookMs: Date.now() - sentMs, egressId };
  } catch {
    return { tookMs: Date.now() - sentMs };
  }
}

/** By the worker's own time. */
async function beginOf(bed: Bed, id: string): Promise<number | undefined> {
  const { startedAtMs, parts } = await bed.show(id);
  return startedAtMs === undefined ? undefined : Math.max(startedAtMs, parts[0]?.acceptedAtMs ?? 0);
}

async function withoutReelkit(report: (line: string) => void) {
  const alone = await startAlone();
  try {
    const rooms = await alone.createRooms(BURST, 'burst');
    const once = await cold(alone, rooms, false);
    report(`LiveKit alone, SDK once with defaults: ${describe(once)}`);
    const blind = await cold(alone, rooms, true);
    report(`LiveKit alone, SDK with blind retry: ${describe(blind)}`);
    const directMs = await warm(alone, rooms);
    report(`LiveKit alone, ${BURST} starts on ${WORKERS} warm workers: ${directMs} ms`);
    return { once, blind, directMs };
  } finally {
    await alone.stop();
  }
}

/** The same workers after the same boot delay, asked for at the moment the burst begins. */
async function cold(alone: Alone, rooms: string[], retry: boolean): Promise<CrowdResult> {
  const boot = sleep(BOOT_MS).then(() => alone.startWorkers(WORKERS, CORES_PER_WORKER));
  const result = await crowdThroughSdk(alone, rooms, { retry });
  await boot;
  await stopAll(alone);
  await alone.endWorkers();
  return result;
}

async function warm(alone: Alone, rooms: string[]): Promise<number> {
  await alone.startWorkers(WORKERS, CORES_PER_WORKER);
  const beginMs = Date.now();
  await Promise.all(rooms.map((room) => startDirect(alone, room, 90)));
  await until(
    'all to record',
    () => activeRooms(alone),
    (active) => active.size >= rooms.length,
  );
  return Date.now() - beginMs;
}
