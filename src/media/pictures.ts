// Pictures of a recording: one to show it by, and many small ones for a player's bar, as one sheet with a WebVTT file that says which
// is when. Only key frames are decoded for the sheet, so that hours of media take seconds.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { input, type RunOptions, runFfmpeg, type Tools } from './ffmpeg.ts';
import { noMedia, probe } from './probe.ts';

const THUMBNAIL_WIDTH = 640;
/** Of the length. The very beginning is often black. */
const THUMBNAIL_AT = 0.1;
const TILE_WIDTH = 160;
const COLUMNS = 10;
/** Of one sheet: a recording of hours has fewer pictures than it asks for rather than more sheets. */
const MOST_TILES = 400;

export interface Sprite {
  /** A JPEG with all pictures, row by row. */
  sheet: string;
  /** WebVTT. */
  cues: string;
  /** Between two of them; longer than asked for where they would be too many. */
  everyMs: number;
}

/** @throws MediaError when there is no picture in it, or the signal's reason */
export async function makeThumbnail(tools: Tools, file: string, out: string, run: RunOptions = {}): Promise<void> {
  const { durationMs } = await probeVideo(tools, file, run);
  const at = ['-ss', seconds(durationMs * THUMBNAIL_AT)];
  const picture = ['-map', '0:v:0', '-frames:v', '1', '-vf', `scale=${THUMBNAIL_WIDTH}:-2`, '-q:v', '4'];
  await runFfmpeg(tools, [...at, ...input(file), ...picture, ...jpeg(out)], run);
}

export interface SpriteOptions extends RunOptions {
  /** Where "sprite.jpg" and "sprite.vtt" are put. */
  folder: string;
  everyMs: number;
}

/** @throws MediaError when there is no picture in it, or the signal's reason */
export async function makeSprite(tools: Tools, file: string, options: SpriteOptions): Promise<Sprite> {
  const { durationMs, video } = await probeVideo(tools, file, options);
  const everyMs = Math.max(options.everyMs, Math.ceil(durationMs / MOST_TILES));
  const tile = tileOf(video);
  const sprite = { sheet: join(options.folder, 'sprite.jpg'), cues: join(options.folder, 'sprite.vtt'), everyMs };
  const rows = Math.ceil(durationMs / everyMs / COLUMNS);
  // The last picture is repeated to the end, whenever the last key frame is.
  const pictures = `fps=1000/${everyMs}:round=up:eof_action=pass,tpad=stop=-1:stop_mode=clone`;
  const filter = `${pictures},scale=${tile.width}:${tile.height},tile=${COLUMNS}x${rows}`;
  const sheet = ['-map', '0:v:0', '-frames:v', '1', '-vf', filter, '-q:v', '5', ...jpeg(sprite.sheet)];
  await runFfmpeg(tools, ['-skip_frame', 'nokey', ...input(file), ...sheet], options);
  await writeFile(sprite.cues, cuesOf({ durationMs, everyMs, tile, sheet: 'sprite.jpg' }));
  return sprite;
}

interface Cues {
  durationMs: number;
  everyMs: number;
  tile: { width: number; height: number };
  sheet: string;
}

/** Pure: which part of the sheet is the picture of which time. */
export function cuesOf({ durationMs, everyMs, tile, sheet }: Cues): string {
  const count = Math.ceil(durationMs / everyMs);
  const cues = Array.from({ length: count }, (_, index) => {
    const from = clock(index * everyMs);
    const to = clock(Math.min(durationMs, (index + 1) * everyMs));
    const x = (index % COLUMNS) * tile.width;
    const y = Math.floor(index / COLUMNS) * tile.height;
    return `${from} --> ${to}\n${sheet}#xywh=${x},${y},${tile.width},${tile.height}\n`;
  });
  return ['WEBVTT\n', ...cues].join('\n');
}

async function probeVideo(tools: Tools, file: string, { signal }: RunOptions) {
  const { durationMs, video } = await probe(tools, file, signal);
  if (!video) throw noMedia(file, 'there is no picture in it');
  return { durationMs, video };
}

function tileOf({ width, height }: { width: number; height: number }): { width: number; height: number } {
  return { width: TILE_WIDTH, height: Math.max(2, 2 * Math.round((TILE_WIDTH * height) / width / 2)) };
}

function jpeg(out: string): string[] {
  return ['-f', 'image2', '-update', '1', `file:${out}`];
}

/** hh:mm:ss.mmm */
function clock(ms: number): string {
  const [minutes, hours] = [Math.floor(ms / 60_000), Math.floor(ms / 3_600_000)];
  const two = (value: number) => `${value}`.padStart(2, '0');
  return `${two(hours)}:${two(minutes % 60)}:${((ms % 60_000) / 1_000).toFixed(3).padStart(6, '0')}`;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3);
}
