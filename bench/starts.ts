// What a start costs whoever asks LiveKit by its SDK: with Reelkit behind, and with LiveKit alone. Two stacks in one run, taking turns.
import { receiveWebhooks, type Webhooks } from '../test/support/webhooks.ts';
import { type Alone, startAlone } from './alone.ts';
import { type Bed, startBed, until } from './bed.ts';
import type { Bench } from './context.ts';
import { type Place, startOne, stopOne } from './crowd.ts';
import { median } from './figures.ts';
import type { Row } from './rows.ts';

const TURNS = 30;
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
  try {
    ourHooks.trust(bed.stack.livekit);
    theirHooks.trust(alone.livekit);
    await alone.startWorkers(1, CORES);
    await until('a ready worker', bed.fleet, ({ workers }) => workers.some(({ state }) => state === 'ready'));
    const ours = await sideOf(bed, ourHooks);
    const theirs = await sideOf(alone, theirHooks);
    const idle = await takeTurns(turns, ours, theirs);
    await Promise.all([ours, theirs].map(({ place, otherRoom }) => startOne(place, otherRoom)));
    const busy = await takeTurns(turns, ours, theirs, async (id) => (await bed.show(id)).parts[0]?.acceptedAtMs);
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
        'a busy worker with room has accepted',
      ),
    ];
  } finally {
    await Promise.allSettled([alone.stop(), bed.stop(), ourHooks.close(), theirHooks.close()]);
  }
}

interface Side {
  place: Place;
  hooks: Webhooks;
  room: string;
  otherRoom: string;
}

async function sideOf(place: Bed | Alone, hooks: Webhooks): Promise<Side> {
  const [room = '', otherRoom = ''] = await place.createRooms(2, 'start');
  return { place, hooks, room, otherRoom };
}

interface Taken {
  answeredMs: number[];
  activeMs: number[];
  acceptedMs: number[];
}

type AcceptedAt = (egressId: string) => Promise<number | undefined>;

async function takeTurns(turns: number, ours: Side, theirs: Side, acceptedAt?: AcceptedAt) {
  const taken = { ours: nothing(), theirs: nothing() };
  for (let turn = 0; turn < turns; turn += 1) {
    await takeTurn(ours, taken.ours, acceptedAt);
    await takeTurn(theirs, taken.theirs);
  }
  return taken;
}

function nothing(): Taken {
  return { answeredMs: [], activeMs: [], acceptedMs: [] };
}

async function takeTurn({ place, hooks, room }: Side, taken: Taken, acceptedAt?: AcceptedAt): Promise<void> {
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
  if (acceptedAt) taken.acceptedMs.push(((await acceptedAt(egressId)) ?? Number.NaN) - sentMs);
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
