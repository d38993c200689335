// An MP4 out of the MPEG-TS segments that a dead worker left. Everything that can be decoded is kept; what was torn in the middle of a
// frame ends before that frame.
import { rm } from 'node:fs/promises';
import { input, MediaError, type RunOptions, runFfmpeg, type Tools } from './ffmpeg.ts';
import { readPackets } from './packets.ts';
import { type Probed, probe } from './probe.ts';
import type { Kind } from './splice.ts';

/** How much of the end is decoded to find out whether its last frame is whole, at least: the decoder begins at the key frame before. Seconds. */
const TAIL = '-1';

/**
 * @param segmentsFile the segments appended in order; the last may be torn anywhere
 * @throws MediaError (`not_media` when no frame of it is whole), or the signal's reason
 */
export async function rebuildFile(
  tools: Tools,
  segmentsFile: string,
  out: string,
  run: RunOptions = {},
): Promise<Probed> {
  await probe(tools, segmentsFile, run.signal);
  try {
    await remuxReadable(tools, segmentsFile, out, run);
    const torn = await tornStreams(tools, out, run);
    if (torn.length > 0) await remux(tools, segmentsFile, out, await allButLast(tools, out, torn, run), run);
    return await probe(tools, out, run.signal);
  } catch (error) {
    await rm(out, { force: true });
    throw error;
  }
}

async function remuxReadable(tools: Tools, segmentsFile: string, out: string, run: RunOptions): Promise<void> {
  try {
    await remux(tools, segmentsFile, out, [], run);
  } catch (error) {
    if (!(error instanceof MediaError) || error.code !== 'failed') throw error;
    // ffmpeg gives up on sound of which not even the header (seven bytes) is whole.
    await remux(tools, segmentsFile, out, await allButLast(tools, segmentsFile, ['audio'], run), run);
  }
}

function remux(tools: Tools, segmentsFile: string, out: string, limits: string[], run: RunOptions): Promise<string> {
  // Copied times: ffmpeg would close a hole of ten seconds by itself, and not by the same length for picture and sound.
  const source = ['-copyts', '-start_at_zero', ...input(segmentsFile, 'mpegts')];
  const streams = ['-map', '0:v:0?', '-map', '0:a:0?', '-c', 'copy', ...limits];
  return runFfmpeg(tools, [...source, ...streams, '-movflags', '+faststart', '-f', 'mp4', `file:${out}`], run);
}

async function tornStreams(tools: Tools, file: string, run: RunOptions): Promise<Kind[]> {
  const { video, audio } = await probe(tools, file, run.signal);
  const torn: Kind[] = [];
  if (video && (await isTorn(tools, file, 'v', run))) torn.push('video');
  if (audio && (await isTorn(tools, file, 'a', run))) torn.push('audio');
  return torn;
}

async function isTorn(tools: Tools, file: string, stream: 'v' | 'a', run: RunOptions): Promise<boolean> {
  const decode = ['-sseof', TAIL, ...input(file), '-map', `0:${stream}:0`, '-f', 'null', '-'];
  try {
    return (await runFfmpeg(tools, decode, run)) !== '';
  } catch (error) {
    if (error instanceof MediaError && error.code === 'failed') return true;
    throw error;
  }
}

/** All packets that the file has, but the last one of torn streams. */
async function allButLast(tools: Tools, file: string, torn: readonly Kind[], run: RunOptions): Promise<string[]> {
  const packets = await readPackets(tools, file, run);
  return (['video', 'audio'] as const).flatMap((kind) => {
    const count = packets[kind]?.timesUs.length ?? 0;
    return count > 0 ? [`-frames:${kind[0]}`, `${torn.includes(kind) ? count - 1 : count}`] : [];
  });
}
