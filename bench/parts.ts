// What is missing of a recording of real media when its worker is killed, and when it is drained: by the joined file and its seams.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { ensureComponents } from '../src/dev/components.ts';
import { type Speaker, startSpeaker } from '../src/dev/speakers.ts';
import type { RecordingView } from '../src/recording/view.ts';
import { type Bed, startBed, until } from './bed.ts';
import type { Bench } from './context.ts';
import { describeSpread, percentile } from './figures.ts';
import type { Row } from './rows.ts';

const KILLS = 20;
const DRAINS = 20;
const GAP_TARGET_SECONDS = 6;
const FRAME_RATE = 15;
/** Segments are there by then, and the killed one is a random part of the next. */
const RECORDED_MS = 9_000;

export async function benchParts({ report, times }: Bench): Promise<Row[]> {
  const { ffprobe = 'ffprobe' } = await ensureComponents(['ffprobe'], () => {});
  const bed = await startBed({
    media: true,
    // One records, one is ready.
    fleet: { minWorkers: 2, maxWorkers: 4, cooldown: '5m', costs: { participant: 1 } },
    capacity: { coresPerWorker: 2 },
  });
  let ada: Speaker | undefined;
  try {
    ada = await startSpeaker({ livekit: bed.stack.livekit, room: 'parts', identity: 'ada', toneHz: 440 });
    const gaps: number[] = [];
    for (let kill = 0; kill < times(KILLS); kill += 1) gaps.push(await gapAfterKill(bed, kill));
    report(`missing after a kill: ${describeSpread(gaps.map((seconds) => Math.round(seconds * 1_000)))} ms`);
    const frames: number[] = [];
    for (let drain = 0; drain < times(DRAINS); drain += 1) frames.push(await framesAfterDrain(bed, ffprobe));
    report(`missing or doubled frames after a drain: ${frames.join(' ')}`);
    return [gapRow(gaps), frameRow(frames)];
  } finally {
    await ada?.stop();
    await bed.stop();
  }
}

async function begin(bed: Bed, moreMs = 0): Promise<{ id: string; worker: string }> {
  await until(
    'two ready workers',
    bed.fleet,
    ({ workers }) => workers.filter(({ state }) => state === 'ready').length >= 2,
  );
  const { id } = await bed.record({
    source: { type: 'participant', room: 'parts', identity: 'ada' },
    encoding: { width: 320, height: 180, framerate: FRAME_RATE },
  });
  const { parts } = await until(
    'media',
    () => bed.show(id),
    ({ stage }) => stage === 'recording',
  );
  await sleep(RECORDED_MS + moreMs);
  return { id, worker: parts[0]?.worker?.id ?? '' };
}

async function end(bed: Bed, id: string): Promise<RecordingView> {
  await sleep(3_000);
  await bed.cancel(id);
  return until(
    'the end',
    () => bed.show(id),
    ({ stage }) => stage === 'cancelled',
  );
}

async function gapAfterKill(bed: Bed, turn: number): Promise<number> {
  // Anywhere within a segment of four seconds.
  const { id, worker } = await begin(bed, (turn % 8) * 500);
  process.kill(-Number(await readFile(join(bed.stateDir, 'workers', worker, 'pid'), 'utf8')), 'SIGKILL');
  await until(
    'the next part',
    () => bed.show(id),
    ({ parts, stage }) => parts.length === 2 && stage === 'recording',
  );
  const { joined } = await end(bed, id);
  return (joined?.seams[0]?.gapMs ?? Number.NaN) / 1_000;
}

/** Between two frames of the joined file there is one frame's time: more is missing, less is doubled. */
async function framesAfterDrain(bed: Bed, ffprobe: string): Promise<number> {
  const { id, worker } = await begin(bed);
  await bed.drain(worker);
  await until(
    'the hand-over',
    () => bed.show(id),
    ({ parts }) => parts.length === 2 && parts[0]?.end !== undefined,
  );
  const { joined } = await end(bed, id);
  const entries = ['-select_streams', 'v:0', '-show_entries', 'packet=pts_time', '-of', 'csv=p=0'];
  const { stdout } = await execa(ffprobe, ['-v', 'error', ...entries, joined?.location ?? '']);
  const times = stdout
    .split('\n')
    .map(Number.parseFloat)
    .filter(Number.isFinite)
    .toSorted((a, b) => a - b);
  const steps = times.slice(1).map((time, index) => Math.round((time - (times[index] ?? 0)) * FRAME_RATE));
  return steps.reduce((wrong, step) => wrong + Math.abs(step - 1), 0);
}

function gapRow(gaps: number[]): Row {
  const value = Math.round(percentile(gaps, 0.95) * 10) / 10;
  return {
    id: 'gap_kill_s',
    value,
    unit: 's',
    against: '',
    target: `<= ${GAP_TARGET_SECONDS}`,
    holds: value <= GAP_TARGET_SECONDS,
    how: `missing in the joined file after SIGKILL of worker and handler, a spare worker ready, p95 of ${gaps.length}`,
  };
}

function frameRow(frames: number[]): Row {
  const value = Math.max(...frames);
  return {
    id: 'gap_drain_frames',
    value,
    unit: 'frames',
    against: '',
    target: '0',
    holds: value === 0,
    how: `missing or doubled in the joined file after a drain, ${FRAME_RATE} frames a second, max of ${frames.length}`,
  };
}
