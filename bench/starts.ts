// What a start costs whoever asks LiveKit by its SDK: with Reelkit behind, and with LiveKit alone. Two stacks in one run, taking turns.
import { type EgressClient, EncodedFileOutput } from 'livekit-server-sdk';
import { receiveWebhooks, type Webhooks } from '../test/support/webhooks.ts';
import { type Alone, startAlone } from './alone.ts';
import { type Bed, median, startBed, until } from './bed.ts';
import type { Row } from './rows.ts';

const TURNS = 30;
const CORES = 16;
/** Of LiveKit's EgressStatus. */
const ACTIVE = 1;

export async function benchStarts(): Promise<Row[]> {
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
    const ours = await sideOf(bed.sdk(), bed.service.recordingsDir, ourHooks, bed);
    const theirs = await sideOf(alone.sdk(), alone.filesDir, theirHooks, alone);
    const idle = await takeTurns(ours, theirs);
    await Promise.all([ours, theirs].map((side) => begin(side, side.otherRoom, 'companion')));
    const busy = await takeTurns(ours, theirs, async (id) => (await bed.show(id)).parts[0]?.acceptedAtMs);
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
  sdk: EgressClient;
  filesDir: string;
  hooks: Webhooks;
  room: string;
  otherRoom: string;
}

async function sideOf(sdk: EgressClient, filesDir: string, hooks: Webhooks, place: Bed | Alone): Promise<Side> {
  const [room = '', otherRoom = ''] = await place.createRooms(2, 'start');
  return { sdk, filesDir, hooks, room, otherRoom };
}

interface Taken {
  answeredMs: number[];
  activeMs: number[];
  acceptedMs: number[];
}

type AcceptedAt = (egressId: string) => Promise<number | undefined>;

async function takeTurns(ours: Side, theirs: Side, acceptedAt?: AcceptedAt) {
  const taken = { ours: nothing(), theirs: nothing() };
  for (let turn = 0; turn < TURNS; turn += 1) {
    await takeTurn(ours, turn, taken.ours, acceptedAt);
    await takeTurn(theirs, turn, taken.theirs);
  }
  return taken;
}

function nothing(): Taken {
  return { answeredMs: [], activeMs: [], acceptedMs: [] };
}

async function takeTurn(side: Side, turn: number, taken: Taken, acceptedAt?: AcceptedAt): Promise<void> {
  const sentMs = Date.now();
  const egressId = await begin(side, side.room, String(turn));
  taken.answeredMs.push(Date.now() - sentMs);
  await until(
    'the webhook ACTIVE',
    async () => side.hooks.activeAtMs(egressId),
    (atMs) => atMs !== undefined,
    60_000,
    5,
  );
  taken.activeMs.push((side.hooks.activeAtMs(egressId) ?? Number.NaN) - sentMs);
  if (acceptedAt) taken.acceptedMs.push(((await acceptedAt(egressId)) ?? Number.NaN) - sentMs);
  await side.sdk.stopEgress(egressId);
  await until(
    'its end',
    () => side.sdk.listEgress({ egressId }),
    ([info]) => (info?.status ?? 0) > ACTIVE + 1,
  );
}

async function begin({ sdk, filesDir }: Side, room: string, name: string): Promise<string> {
  const file = new EncodedFileOutput({ filepath: `${filesDir}/${name}-${Date.now()}.ogg` });
  return (await sdk.startRoomCompositeEgress(room, { file }, { audioOnly: true })).egressId;
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
