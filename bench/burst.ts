// The top of the hour: 200 recordings at once against no worker at all. Reelkit, then what people do today on the same stack:
// the SDK once with its defaults, the SDK with a blind retry, and 200 direct starts on a fleet that is already warm.
import { createProcessProvider } from '../src/capacity/process.ts';
import { type Bed, startBed, until } from './bed.ts';
import {
  activeRooms,
  type CrowdResult,
  countRow,
  crowdThroughReelkit,
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

export async function benchBurst(report: (line: string) => void): Promise<Row[]> {
  const bed = await startBed({
    fleet: { minWorkers: 0, maxWorkers: WORKERS, cooldown: '2s' },
    capacity: { coresPerWorker: CORES_PER_WORKER, bootDelay: `${BOOT_MS}ms` },
  });
  try {
    const rooms = await bed.createRooms(BURST, 'burst');
    const ours = await burstThroughReelkit(bed, rooms, report);
    const once = await withColdFleet(bed, () => burstThroughSdk(bed, rooms, false));
    report(`SDK once with defaults: ${describe(once)}`);
    const blind = await withColdFleet(bed, () => burstThroughSdk(bed, rooms, true));
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

async function burstThroughReelkit(bed: Bed, rooms: string[], report: (line: string) => void): Promise<CrowdResult> {
  const { ids, lastedMs } = await crowdThroughReelkit(bed, rooms);
  report(`burst through Reelkit: recording after ${describeSpread(lastedMs)} ms`);
  const result = {
    crowd: BURST,
    allMs: Math.max(...lastedMs),
    lost: rooms.length - lastedMs.length,
    doubled: await doubledIn(bed, rooms),
  };
  await inGroups(ids, (id) => bed.cancel(id));
  await until(
    'no active egress',
    () => activeRooms(bed),
    (active) => active.size === 0,
  );
  await until('no worker', bed.fleet, ({ workers }) => workers.every(({ state }) => state === 'gone'));
  return result;
}

async function burstThroughSdk(bed: Bed, rooms: string[], retry: boolean): Promise<CrowdResult> {
  const result = await crowdThroughSdk(bed, rooms, { retry });
  await stopAll(bed);
  return result;
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
