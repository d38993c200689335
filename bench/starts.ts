// How much a start through Reelkit costs over the SDK's own call: both on one stack, taking turns, on an idle and on a busy worker.

import { setTimeout as sleep } from 'node:timers/promises';
import { EncodedFileOutput } from 'livekit-server-sdk';
import { audioOf, type Bed, median, startBed, until } from './bed.ts';
import type { Row } from './rows.ts';

const TURNS = 30;
/** Reelkit's look at its workers is at most this old; both sides begin with a fresh one. */
const SETTLE_MS = 600;

export async function benchStarts(): Promise<Row[]> {
  const bed = await startBed({
    fleet: { minWorkers: 1, maxWorkers: 1, watchInterval: '60s' },
    capacity: { coresPerWorker: 16 },
  });
  try {
    const [room = '', other = ''] = await bed.createRooms(2, 'start');
    await until('a ready worker', bed.fleet, ({ workers }) => workers.some(({ state }) => state === 'ready'));
    const idle = await takeTurns(bed, room, TURNS, 0);
    const companion = await bed.record(audioOf(other));
    await until(
      'the companion records',
      () => bed.show(companion.id),
      ({ stage }) => stage === 'recording',
    );
    const busy = await takeTurns(bed, room, TURNS, 1);
    return [
      row('start_idle_ratio', idle, 1.25, 'free idle worker'),
      row('start_busy_ratio', busy, 2, 'worker busy, with room left'),
    ];
  } finally {
    await bed.stop();
  }
}

interface Turns {
  reelkitMs: number[];
  sdkMs: number[];
}

async function takeTurns(bed: Bed, room: string, turns: number, others: number): Promise<Turns> {
  const taken: Turns = { reelkitMs: [], sdkMs: [] };
  for (let turn = 0; turn < turns; turn += 1) {
    taken.reelkitMs.push(await startThroughReelkit(bed, room));
    await untilOnly(bed, others);
    taken.sdkMs.push(await startThroughSdk(bed, room, turn));
    await untilOnly(bed, others);
  }
  return taken;
}

/** From the request to LiveKit's answer, which Reelkit writes down on the same machine's clock. */
async function startThroughReelkit(bed: Bed, room: string): Promise<number> {
  const sentMs = Date.now();
  const { id } = await bed.record(audioOf(room));
  const accepted = await until(
    'acceptance',
    () => bed.show(id),
    ({ parts }) => parts[0]?.acceptedAtMs !== undefined,
  );
  await bed.cancel(id);
  await until(
    'the end',
    () => bed.show(id),
    ({ endedAtMs }) => endedAtMs !== undefined,
  );
  return (accepted.parts[0]?.acceptedAtMs ?? Number.NaN) - sentMs;
}

async function startThroughSdk(bed: Bed, room: string, turn: number): Promise<number> {
  const sdk = bed.sdk();
  const file = new EncodedFileOutput({ filepath: `${bed.service.recordingsDir}/sdk-${turn}-${Date.now()}.ogg` });
  const sentMs = Date.now();
  const { egressId } = await sdk.startRoomCompositeEgress(room, { file }, { audioOnly: true });
  const tookMs = Date.now() - sentMs;
  await until(
    'an active egress',
    () => sdk.listEgress({ egressId }),
    ([info]) => (info?.status ?? 0) >= 1,
  );
  await sdk.stopEgress(egressId);
  return tookMs;
}

async function untilOnly(bed: Bed, count: number): Promise<void> {
  await until(
    `${count} egresses`,
    () =>
      bed
        .sdk()
        .listEgress({ active: true })
        .then(({ length }) => length),
    (seen) => seen === count,
  );
  await sleep(SETTLE_MS);
}

function row(id: string, { reelkitMs, sdkMs }: Turns, target: number, where: string): Row {
  const [ours, theirs] = [median(reelkitMs), median(sdkMs)];
  return {
    id,
    value: ours / theirs,
    unit: 'ratio',
    against: `SDK StartEgress, ${theirs} ms p50 of ${sdkMs.length}`,
    target: `<= ${target}`,
    holds: ours / theirs <= target,
    how: `${where}: API request to StartEgress acknowledged, ${ours} ms p50 of ${reelkitMs.length}, taking turns`,
  };
}
