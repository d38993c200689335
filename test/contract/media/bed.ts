// Recordings of one made-up event, and what can be seen and heard in them. Each picture carries its number since the event began, as
// sixteen black or white blocks; each second has a tone of its own: what is missing, doubled or late shows.
import { readFile, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { findTools } from '../../../src/media/ffmpeg.ts';

export const tools = await findTools();
export const whySkipped = tools ? '' : ' (skipped: ffmpeg and ffprobe are not on the PATH)';

export const FPS = 30;
/** When the event began, unix ms. */
export const EVENT_MS = Date.parse('2026-11-20T10:00:00.000Z');
const HZ_FIRST = 400;
const HZ_STEP = 100;
const TONES = 32;
const RATE = 48_000;

export interface Footage {
  /** Of the event. */
  fromSeconds: number;
  seconds: number;
  width?: number;
  height?: number;
  /** Frames from one key frame to the next. */
  gop?: number;
  sampleRate?: number;
  channels?: number;
  hasVideo?: boolean;
  hasAudio?: boolean;
  /** The sound begins so much later than the picture. */
  soundLateSeconds?: number;
  bFrames?: number;
  /** Options of the output, before its name. */
  output?: string[];
}

export async function film(file: string, footage: Footage): Promise<string> {
  const { fromSeconds, seconds, gop = 2 * FPS, hasVideo = true, hasAudio = true, bFrames = 0 } = footage;
  const { width = 64, height = 48, sampleRate = RATE, channels = 2, soundLateSeconds = 0, output = [] } = footage;
  const bit = `floor(X*8/W)+8*floor(Y*2/H)`;
  const luma = `if(mod(floor((N+${Math.round(fromSeconds * FPS)})/pow(2,${bit})),2),235,16)`;
  const picture = `color=black:s=${width}x${height}:r=${FPS}:d=${seconds},format=yuv420p,geq=lum='${luma}':cb=128:cr=128`;
  const at = `(t+${fromSeconds + soundLateSeconds})`;
  const wave = `0.4*sin(2*PI*(${HZ_FIRST}+${HZ_STEP}*mod(floor(${at}),${TONES}))*${at})`;
  const length = seconds - soundLateSeconds;
  const tone = `aevalsrc='${wave}':s=${sampleRate}:d=${length},aformat=channel_layouts=${channels === 1 ? 'mono' : 'stereo'}`;
  const x264 = ['-c:v', 'libx264', '-preset', 'veryfast', '-g', `${gop}`, '-bf', `${bFrames}`, '-sc_threshold', '0'];
  await execa('ffmpeg', [
    ...['-v', 'error', '-y'],
    ...(hasVideo ? ['-f', 'lavfi', '-i', picture] : []),
    ...(hasAudio ? ['-itsoffset', `${soundLateSeconds}`, '-f', 'lavfi', '-i', tone] : []),
    ...(hasVideo ? x264 : []),
    ...(hasAudio ? ['-c:a', 'aac', '-b:a', '128k'] : []),
    ...[...output, file],
  ]);
  return file;
}

/** As a worker writes them: four seconds each, with times that go on. @returns the file that has all of them in order */
export async function filmSegments(folder: string, footage: Footage, tsOffsetSeconds = 3_600): Promise<string> {
  const segments = [
    '-f',
    'segment',
    '-segment_time',
    '4',
    '-segment_format',
    'mpegts',
    '-segment_list',
    `${folder}/list`,
  ];
  const output = ['-output_ts_offset', `${tsOffsetSeconds}`, ...segments];
  await film(`${folder}/segment-%03d.ts`, { gop: 4 * FPS, ...footage, output });
  const names = (await readFile(`${folder}/list`, 'utf8')).trim().split('\n');
  const all = await Promise.all(names.map((name) => readFile(`${folder}/${name}`)));
  await writeFile(`${folder}/segments.ts`, Buffer.concat(all));
  return `${folder}/segments.ts`;
}

export interface Seen {
  /** Since the event began. */
  number: number;
  atMs: number;
}

/** Every picture that a player shows. */
export async function pictures(file: string): Promise<Seen[]> {
  const gray = ['-fps_mode', 'passthrough', '-vf', 'scale=64:48:flags=area', '-pix_fmt', 'gray', '-f', 'rawvideo', '-'];
  const decoded = await execa('ffmpeg', ['-v', 'error', '-i', file, '-map', '0:v:0', ...gray], { encoding: 'buffer' });
  const entries = ['-select_streams', 'v:0', '-show_entries', 'frame=pts_time', '-of', 'csv=p=0'];
  const { stdout } = await execa('ffprobe', ['-v', 'error', ...entries, file]);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line, index) => ({ number: numberOf(decoded.stdout, index), atMs: Number.parseFloat(line) * 1_000 }));
}

function numberOf(gray: Uint8Array, frame: number): number {
  const bits = Array.from({ length: 16 }, (_, bit) => {
    const x = (bit % 8) * 8 + 4;
    const y = Math.floor(bit / 8) * 24 + 12;
    return (gray[frame * 64 * 48 + y * 64 + x] ?? 0) > 125 ? 2 ** bit : 0;
  });
  return bits.reduce((a, b) => a + b, 0);
}

export interface Heard {
  /** Of the event. */
  second: number;
  /** When its tone begins and ends in the file. */
  fromMs: number;
  toMs: number;
}

const HOP_MS = 5;
const WINDOW_MS = 20;

/** Every stretch of one tone, as long as it is heard. Holes are silence. */
export async function tones(file: string): Promise<Heard[]> {
  const samples = await decodeSound(file);
  const stretches: Heard[] = [];
  for (let startMs = 0; startMs + WINDOW_MS <= (samples.length / RATE) * 1_000; startMs += HOP_MS) {
    const from = Math.round((startMs * RATE) / 1_000);
    const hz = frequency(samples.subarray(from, from + (WINDOW_MS * RATE) / 1_000));
    const tone = Math.round((hz - HZ_FIRST) / HZ_STEP);
    if (tone < 0 || Math.abs(hz - HZ_FIRST - tone * HZ_STEP) > HZ_STEP / 5) continue;
    const last = stretches.at(-1);
    if (last?.second === tone) last.toMs = startMs + WINDOW_MS;
    else stretches.push({ second: tone, fromMs: startMs, toMs: startMs + WINDOW_MS });
  }
  return stretches.filter(({ fromMs, toMs }) => toMs - fromMs > 2 * WINDOW_MS);
}

export async function decodeSound(file: string): Promise<Float32Array> {
  const timed = ['-af', 'aresample=async=1:first_pts=0:min_hard_comp=0.001', '-ac', '1', '-ar', `${RATE}`];
  const args = ['-v', 'error', '-i', file, '-map', '0:a:0', ...timed, '-f', 'f32le', '-'];
  const { stdout } = await execa('ffmpeg', args, { encoding: 'buffer' });
  const bytes = Uint8Array.from(stdout);
  return new Float32Array(bytes.buffer, 0, Math.floor(bytes.length / 4));
}

/** From the first upward crossing of zero to the last. */
function frequency(samples: Float32Array): number {
  const crossings: number[] = [];
  for (let at = 1; at < samples.length; at += 1) {
    const [before = 0, after = 0] = [samples[at - 1], samples[at]];
    if (before < 0 && after >= 0 && after - before > 0.005) crossings.push(at - after / (after - before));
  }
  const [first = 0, last = 0] = [crossings[0], crossings.at(-1)];
  return crossings.length < 3 ? 0 : ((crossings.length - 1) * RATE) / (last - first);
}

/** By how much the sound is later than the picture, at the beginning of each second of the event that both have. */
export function soundLatenessMs(seen: readonly Seen[], heard: readonly Heard[]): number[] {
  return heard.flatMap(({ second, fromMs }, index) => {
    const before = heard[index - 1];
    const picture = seen.find(({ number }) => number === second * FPS);
    if (!before || !picture || fromMs - before.toMs > WINDOW_MS) return [];
    return [(before.toMs + fromMs) / 2 - picture.atMs];
  });
}

export function numbers(fromSeconds: number, toSeconds: number): number[] {
  const first = Math.round(fromSeconds * FPS);
  return Array.from({ length: Math.round(toSeconds * FPS) - first }, (_, index) => first + index);
}

/** A JPEG of several pictures: its size, and the numbers of those that are so large, row by row. */
export async function sheet(file: string) {
  const entries = ['-show_entries', 'stream=width,height', '-of', 'csv=p=0'];
  const [width = 0, height = 0] = (await execa('ffprobe', ['-v', 'error', ...entries, file])).stdout
    .split(',')
    .map(Number);
  const numbersOf = async (w: number, h: number) => {
    const untiled = [
      '-vf',
      `scale=${(width / w) * 64}:${(height / h) * 48}:flags=area,untile=${width / w}x${height / h}`,
    ];
    const gray = ['-fps_mode', 'passthrough', '-pix_fmt', 'gray', '-f', 'rawvideo', '-'];
    const { stdout } = await execa('ffmpeg', ['-v', 'error', '-i', file, ...untiled, ...gray], { encoding: 'buffer' });
    return Array.from({ length: stdout.length / (64 * 48) }, (_, frame) => numberOf(stdout, frame));
  };
  return { width, height, numbers: numbersOf };
}
