// The top of the hour: 200 recordings at once against no worker at all. Reelkit, then what people do today on the same stack:
// the SDK once with its defaults, the SDK with a blind retry, and 200 direct starts on a fleet that is already warm.
import { EncodedFileOutput } from 'livekit-server-sdk';
import { createProcessProvider } from '../src/capacity/process.ts';
import { audioOf, type Bed, startBed, until } from './bed.ts';
import type { Row } from './rows.ts';

const BURST = 200;
const BOOT_MS = 10_000;
/** A busy worker fills 80 % of 80 cores: 64 egresses of one core each, so four workers carry the burst. */
const CORES_PER_WORKER = 80;
const WORKERS = 4;
/** How long a blind retry loop goes on. */
const RETRY_LIMIT_MS = 60_000;
const GROUP = 10;

export async function benchBurst(report: (line: string) => void): Promise<Row[]> {
  const bed = await startBed({
    fleet: { minWorkers: 0, maxWorkers: WORKERS, cooldown: '2s' },
    coresPerWorker: CORES_PER_WORKER,
    bootDelay: `${BOOT_MS}ms`,
  });
  try {
    const rooms = await bed.createRooms(BURST, 'burst');
    const ours = await burstThroughReelkit(bed, rooms, report);
    const once = await withColdFleet(bed, () => burstThroughSdk(bed, rooms, { retry: false }));
    report(`SDK once with defaults: ${describe(once)}`);
    const blind = await withColdFleet(bed, () => burstThroughSdk(bed, rooms, { retry: true }));
    report(`SDK with blind retry: ${describe(blind)}`);
    const direct = await withWarmFleet(bed, () => burstDirect(bed, rooms));
    report(`200 direct starts on ${WORKERS} warm workers: ${direct} ms`);
    const beside = `SDK once: ${describe(once)}; blind retry: ${describe(blind)}`;
    return [
      {
        id: 'burst_ratio',
        value: ours.allMs / (BOOT_MS + direct),
        unit: 'ratio',
        against: `boot ${BOOT_MS} ms + ${BURST} direct starts on a warm fleet ${direct} ms`,
        target: '<= 1.3',
        holds: ours.allMs / (BOOT_MS + direct) <= 1.3,
        how: `${BURST} requests at once against 0 workers, until all are recording: ${ours.allMs} ms`,
      },
      countRow('burst_lost', ours.lost, beside, 'recordings of the burst that never recorded'),
      countRow('burst_doubled', ours.doubled, beside, 'rooms of the burst with more than one egress'),
    ];
  } finally {
    await bed.stop();
  }
}

interface BurstResult {
  allMs: number;
  lost: number;
  doubled: number;
}

async function burstThroughReelkit(bed: Bed, rooms: string[], report: (line: string) => void): Promise<BurstResult> {
  const beginMs = Date.now();
  const recordings = await Promise.all(rooms.map((room) => bed.record(audioOf(room))));
  await until(
    'all to record',
    () => activeRooms(bed),
    (active) => active.size >= rooms.length,
    180_000,
  ).catch(() => undefined);
  const lasted = await untilMedia(
    bed,
    recordings.map(({ id }) => id),
    beginMs,
  );
  const allMs = Math.max(...lasted);
  report(`burst through Reelkit: recording after ${describeSpread(lasted)} ms`);
  const result = { allMs, ...countPerRoom(await allEgresses(bed), rooms) };
  await inGroups(recordings, ({ id }) => bed.cancel(id));
  await until(
    'no active egress',
    () => activeRooms(bed),
    (active) => active.size === 0,
  );
  await until('no worker', bed.fleet, ({ workers }) => workers.every(({ state }) => state === 'gone'));
  return result;
}

/** How long after the beginning each of them recorded, ms, by the worker's own time. */
async function untilMedia(bed: Bed, ids: string[], beginMs: number): Promise<number[]> {
  const views = await inGroups(ids, (id) =>
    until(
      'media',
      () => bed.show(id),
      ({ startedAtMs }) => startedAtMs !== undefined,
    ),
  );
  return views.map(({ startedAtMs = 0, parts }) => Math.max(startedAtMs, parts[0]?.acceptedAtMs ?? 0) - beginMs);
}

async function burstThroughSdk(bed: Bed, rooms: string[], { retry }: { retry: boolean }): Promise<BurstResult> {
  const before = new Set((await allEgresses(bed)).map(({ egressId }) => egressId));
  const beginMs = Date.now();
  await Promise.all(rooms.map((room) => startUntil(bed, room, retry ? beginMs + RETRY_LIMIT_MS : 0)));
  const allMs = Date.now() - beginMs;
  const egresses = (await allEgresses(bed)).filter(({ egressId }) => !before.has(egressId));
  const result = { allMs, ...countPerRoom(egresses, rooms) };
  await stopAll(bed);
  return result;
}

/** Tries at least once, and then until the time is over. */
async function startUntil(bed: Bed, room: string, endMs: number): Promise<void> {
  do {
    try {
      await startDirect(bed, room, 10);
      return;
    } catch {
      // What everybody writes: it failed, so try again.
    }
  } while (Date.now() < endMs);
}

async function burstDirect(bed: Bed, rooms: string[]): Promise<number> {
  const beginMs = Date.now();
  await Promise.all(rooms.map((room) => startDirect(bed, room, 90)));
  await until(
    'all to record',
    () => activeRooms(bed),
    (active) => active.size >= rooms.length,
  );
  const tookMs = Date.now() - beginMs;
  await stopAll(bed);
  return tookMs;
}

function startDirect(bed: Bed, room: string, timeoutSeconds: number) {
  const file = new EncodedFileOutput({ filepath: `${bed.service.recordingsDir}/direct/${room}-${Math.random()}.ogg` });
  return bed.sdk(timeoutSeconds).startRoomCompositeEgress(room, { file }, { audioOnly: true });
}

/** The same workers with the same boot delay, asked for at the moment the burst begins. */
async function withColdFleet<T>(bed: Bed, work: () => Promise<T>): Promise<T> {
  return withWorkers(bed, BOOT_MS, false, work);
}

async function withWarmFleet<T>(bed: Bed, work: () => Promise<T>): Promise<T> {
  return withWorkers(bed, 0, true, work);
}

async function withWorkers<T>(
  bed: Bed,
  bootDelay: number,
  waitUntilReady: boolean,
  work: () => Promise<T>,
): Promise<T> {
  const provider = createProcessProvider(
    {
      provider: 'process',
      bin: bed.egressBin,
      configFile: bed.egressConfigFile,
      stateDir: `${bed.stateDir}/direct-workers`,
      coresPerWorker: CORES_PER_WORKER,
      bootDelay,
      env: { STANDIN_MEDIA: 'none' },
    },
    { minWorkers: 0, maxWorkers: WORKERS, coresPerWorker: CORES_PER_WORKER },
  );
  const { launched } = await provider.launch(WORKERS, `direct-${bootDelay}-${Date.now()}`);
  try {
    if (waitUntilReady)
      await until(
        'warm workers',
        () => readyCount(provider),
        (ready) => ready === WORKERS,
      );
    return await work();
  } finally {
    await Promise.all(launched.map((id) => provider.remove(id)));
  }
}

async function readyCount(provider: ReturnType<typeof createProcessProvider>): Promise<number> {
  const answers = (await provider.list()).map(({ healthUrl }) =>
    healthUrl
      ? fetch(healthUrl).then(
          ({ ok }) => ok,
          () => false,
        )
      : false,
  );
  return (await Promise.all(answers)).filter(Boolean).length;
}

async function stopAll(bed: Bed): Promise<void> {
  const sdk = bed.sdk(30);
  const active = await sdk.listEgress({ active: true });
  await Promise.allSettled(active.map(({ egressId }) => sdk.stopEgress(egressId)));
  await until(
    'no active egress',
    () => activeRooms(bed),
    (seen) => seen.size === 0,
  );
}

/** Reading the results must not become a load test of its own. */
async function inGroups<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let done = 0; done < items.length; done += GROUP) {
    results.push(...(await Promise.all(items.slice(done, done + GROUP).map(work))));
  }
  return results;
}

const allEgresses = (bed: Bed) => bed.sdk(30).listEgress();

async function activeRooms(bed: Bed): Promise<Set<string>> {
  return new Set(
    (await bed.sdk(30).listEgress({ active: true }))
      .filter(({ status }) => status === 1)
      .map(({ roomName }) => roomName),
  );
}

function countPerRoom(egresses: { roomName: string }[], rooms: string[]): { lost: number; doubled: number } {
  const counts = new Map<string, number>();
  for (const { roomName } of egresses) counts.set(roomName, (counts.get(roomName) ?? 0) + 1);
  return {
    lost: rooms.filter((room) => !counts.has(room)).length,
    doubled: rooms.filter((room) => (counts.get(room) ?? 0) > 1).length,
  };
}

function describe({ allMs, lost, doubled }: BurstResult): string {
  return `${lost} lost, ${doubled} doubled of ${BURST} after ${Math.round(allMs / 100) / 10} s`;
}

/** The first, the middle and the last tell whether all were slow or one was. */
function describeSpread(lasted: number[]): string {
  const sorted = lasted.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)];
  return `${at(0)} (first), ${at(0.5)} (half), ${at(0.95)} (95 %), ${at(1)} (all)`;
}

function countRow(id: string, value: number, against: string, how: string): Row {
  return { id, value, unit: 'recordings', against, target: '0', holds: value === 0, how };
}
