// What a start costs whoever asks LiveKit by its SDK: with Reelkit behind, and with LiveKit alone. Two stacks in one run, taking turns.
import { receiveWebhooks, type Webhooks } from '../test/support/webhooks.ts';
import { type Acceptances, watchAcceptances } from './acceptance.ts';
import { type Alone, startAlone } from './alone.ts';
import { type Bed, startBed, until } from './bed.ts';
import type { Bench } from './context.ts';
import { type Place, startOne, stopOne } from './crowd.ts';
import { median } from './figures.ts';
import type { Row } from './rows.ts';

const TURNS = 15;
const CORES = 16;

export async function benchStarts({ times }: Bench): Promise<Row[]> {
  const turns = times(TURNS);
  const [ourHooks, theirHooks] = await Promise.all([receiveWebhooks(), receiveWebhooks()]);
  const bed = await startBed({
    fleet: { minWorkers: 1, maxWorkers: 1, watchInterval: '60s' },
    capacity: { coresPerWorker: CORES },
    webhookUrls: [ourHooks.url],
  });
  const alone = await startAlone({ webhookUrls: [theirHooks.url] });
  const [ourWorkers, theirWorkers] = await Promise.all([
    watchAcceptances(bed.stack.workersRedis),
    watchAcceptances(alone.redis),
  ]);
  try {
    ourHooks.trust(bed.stack.livekit);
    theirHooks.trust(alone.livekit);
    await alone.startWorkers(1, CORES);
    await until('a ready worker', bed.fleet, ({ workers }) => workers.some(({ state }) => state === 'ready'));
    const ours = await sideOf(bed, ourHooks, ourWorkers);
    const theirs = await sideOf(alone, theirHooks, theirWorkers);
    const idle = await takeTurns(turns, ours, theirs);
    await Promise.all([ours, theirs].map(({ place, otherRoom }) => startOne(place, otherRoom)));
    const busy = await takeTurns(turns, ours, theirs);
    return [
      row(
        'sdk_start_ms_ratio',
        idle.ours.answeredMs,
        idle.theirs.answeredMs,
        0.1,
        'SDK StartEgress answered, idle worker',
      ),
      row(
        'media_start_ratio',
        idle.ours.activeMs,
        idle.theirs.activeMs,
        0.5,
        'SDK call to webhook ACTIVE, idle worker',
      ),
      row(
        'start_busy_ratio',
        busy.ours.acceptedMs,
        busy.theirs.answeredMs,
        0.9,
        `SDK call until a busy worker with room has it, by its own word to IOInfo (LiveKit alone: ${median(busy.theirs.acceptedMs)} ms, and its answer once the handler runs); webhook ACTIVE ${median(busy.ours.activeMs)} against ${median(busy.theirs.activeMs)} ms`,
      ),
    ];
  } finally {
    await Promise.allSettled([ourWorkers.close(), theirWorkers.close()]);
    await Promise.allSettled([alone.stop(), bed.stop(), ourHooks.close(), theirHooks.close()]);
  }
}

interface Side {
  place: Place;
  hooks: Webhooks;
  workers: Acceptances;
  room: string;
  otherRoom: string;
}

async function sideOf(place: Bed | Alone, hooks: Webhooks, workers: Acceptances): Promise<Side> {
  const [room = '', otherRoom = ''] = await place.createRooms(2, 'start');
  return { place, hooks, workers, room, otherRoom };
}

interface Taken {
  answeredMs: number[];
  /** By a worker. */
  acceptedMs: number[];
  activeMs: number[];
}

async function takeTurns(turns: number, ours: Side, theirs: Side) {
  const taken = { ours: nothing(), theirs: nothing() };
  for (let turn = 0; turn < turns; turn += 1) {
    await takeTurn(ours, taken.ours);
    await takeTurn(theirs, taken.theirs);
  }
  return taken;
}

function nothing(): Taken {
  return { answeredMs: [], activeMs: [], acceptedMs: [] };
}

async function takeTurn({ place, hooks, workers, room }: Side, taken: Taken): Promise<void> {
  const sentMs = Date.now();
  const egressId = await startOne(place, room);
  taken.answeredMs.push(Date.now() - sentMs);
  await until(
    'the webhook ACTIVE',
    async () => hooks.activeAtMs(egressId),
    (atMs) => atMs !== undefined,
    60_000,
    5,
  );
  taken.activeMs.push((hooks.activeAtMs(egressId) ?? Number.NaN) - sentMs);
  taken.acceptedMs.push((workers.atMs(egressId) ?? Number.NaN) - sentMs);
  await stopOne(place, egressId);
}

function row(id: string, oursMs: number[], theirsMs: number[], target: number, what: string): Row {
  const [ours, theirs] = [median(oursMs), median(theirsMs)];
  return {
    id,
    value: ours / theirs,
    unit: 'ratio',
    against: `LiveKit alone: ${theirs} ms p50 of ${theirsMs.length}`,
    target: `<= ${target}`,
    holds: ours / theirs <= target,
    how: `${what}: ${ours} ms p50 of ${oursMs.length}, taking turns`,
  };
}
