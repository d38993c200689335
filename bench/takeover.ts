// A Reelkit process that dies with a request of LiveKit's in its hands, and another one that lives. The one that dies is played here:
// on the bus it is a peer, it claims and is granted, goes as far as it is told to, and is never heard of again.
import { EgressStatus } from 'livekit-server-sdk';
import { createTemporalRecordings } from '../src/api/recordings/temporal-recordings.ts';
import { createRpcClient } from '../src/bus/client.ts';
import { createRedisTransport } from '../src/bus/redis.ts';
import { createRpcServer } from '../src/bus/server.ts';
import { DEFAULT_COSTS } from '../src/fleet/cost.ts';
import { acceptedInfo } from '../src/livekit/record.ts';
import { createLiveKitRecords } from '../src/livekit/records.ts';
import { decodeStart, renderNames } from '../src/livekit/request/index.ts';
import { createIntakeRecordings } from '../src/service/intake-recordings.ts';
import { type Bed, startBed } from './bed.ts';
import type { Bench } from './context.ts';
import { startOne } from './crowd.ts';
import { createEndings } from './endings.ts';
import { describeSpread, percentile } from './figures.ts';
import type { Row } from './rows.ts';

const DEATHS = 10;
const TARGET_MS = 2_000;
/** As in src/config/. */
const PLACE = { fleets: ['default'], taskQueue: 'reelkit' };

/** How far a process comes before it dies. */
const POINTS = ['granted', 'durable', 'created'] as const;
type Point = (typeof POINTS)[number];

const WORDS: Record<Point, string> = {
  granted: 'after its grant',
  durable: 'once the recording is durable',
  created: 'once LiveKit has the record',
};

export async function benchTakeover({ report, times }: Bench): Promise<Row[]> {
  // No worker: what is asked for waits.
  const bed = await startBed({
    fleet: { minWorkers: 0, maxWorkers: 1 },
    capacity: { coresPerWorker: 4, bootDelay: '10m' },
  });
  try {
    const [room = ''] = await bed.createRooms(1, 'takeover');
    const took = new Map<Point, number[]>();
    for (const point of POINTS) {
      const answeredMs = await measureDeaths(bed, room, point, times(DEATHS));
      report(`dies ${WORDS[point]}: answered after ${describeSpread(answeredMs)} ms`);
      took.set(point, answeredMs);
    }
    return [rowOf(took)];
  } finally {
    await bed.stop();
  }
}

/** LiveKit gives a request to whoever claims first, so it is asked until the one that dies has had as many. */
async function measureDeaths(bed: Bed, room: string, point: Point, deaths: number): Promise<number[]> {
  const doomed = await startDoomed(bed, point);
  const answeredMs: number[] = [];
  try {
    while (answeredMs.length < deaths) {
      const before = doomed.deaths();
      const sentMs = Date.now();
      const egressId = await startOne(bed, room);
      const tookMs = Date.now() - sentMs;
      if (doomed.deaths() > before) answeredMs.push(tookMs);
      await requireOne(bed, egressId);
    }
  } finally {
    await doomed.stop();
  }
  return answeredMs;
}

/** It is one recording, and one record that ends as one. */
async function requireOne(bed: Bed, egressId: string): Promise<void> {
  const { status } = await bed.sdk().stopEgress(egressId);
  const records = await bed.sdk().listEgress({ egressId });
  const { stage } = await bed.show(egressId);
  if (status !== EgressStatus.EGRESS_ABORTED || records.length !== 1 || stage !== 'cancelled')
    throw new Error(`${egressId} ended as ${EgressStatus[status]}, ${stage}, with ${records.length} records`);
}

async function startDoomed(bed: Bed, point: Point) {
  const { atEnd, stop } = createEndings();
  const transport = await createRedisTransport(bed.stack.redis, { name: 'doomed' });
  atEnd(() => transport.close());
  const client = await createRpcClient(transport);
  atEnd(() => client.close());
  const records = createLiveKitRecords(client);
  const recordings = createIntakeRecordings(bed.temporal, createTemporalRecordings(bed.temporal, PLACE), {
    fleets: [{ name: 'default', costs: DEFAULT_COSTS }],
    rules: [],
    receivers: [],
  });
  let deaths = 0;

  async function goUntil(request: Uint8Array): Promise<undefined> {
    deaths += 1;
    if (point === 'granted') return;
    const atMs = Date.now();
    const message = renderNames(decodeStart(request), { atMs });
    await recordings.accept(message, atMs);
    if (point === 'created') await records.create(acceptedInfo(message, atMs));
  }

  const served = await createRpcServer(transport).serve({
    service: 'EgressInternal',
    method: 'StartEgress',
    affinity: () => 1,
    handle: goUntil,
  });
  atEnd(() => served.stop());
  return { deaths: () => deaths, stop };
}

function rowOf(took: Map<Point, number[]>): Row {
  const p95s = [...took].map(([point, answeredMs]) => ({ point, ms: percentile(answeredMs, 0.95) }));
  const most = Math.max(...p95s.map(({ ms }) => ms));
  const each = p95s.map(({ point, ms }) => `${WORDS[point]} ${ms} ms`).join(', ');
  return {
    id: 'takeover_ms',
    value: most,
    unit: 'ms',
    against: "LiveKit's own repeat after 11 to 12 s, the SDK's own time-out after 10 s",
    target: `<= ${TARGET_MS}`,
    holds: most <= TARGET_MS,
    how: `the claiming process dies, another is there, until StartEgress is answered, p95 of ${took.get('granted')?.length}: ${each}`,
  };
}
