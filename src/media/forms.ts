// Whether the streams of all parts are so alike that one can follow another in a file; if not, what all of them are made into.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { input, type RunOptions, runFfmpeg, type Tools } from './ffmpeg.ts';
import type { PacketsOfFile } from './packets.ts';

export interface JoinWork {
  tools: Tools;
  run: RunOptions;
  /** A folder of its own. */
  scratch: string;
}

export interface ReadPart {
  file: string;
  packets: PacketsOfFile;
}

/** What a stream is encoded as. Absent: it is copied. */
export interface Forms {
  video?: { width: number; height: number };
  audio?: { sampleRate: number; channels: number };
}

/** An MP4 has them, and a packet of theirs needs nothing of a part before, from its first picture on. */
const COPIED_VIDEO = ['h264'];
const COPIED_AUDIO = ['aac', 'opus', 'mp3'];

/** @param isCopyable no picture that stays needs one that is cut off */
export async function formsOf(work: JoinWork, parts: readonly ReadPart[], isCopyable: boolean): Promise<Forms> {
  const [video] = parts.flatMap(({ packets }) => packets.video ?? []);
  const [audio] = parts.flatMap(({ packets }) => packets.audio ?? []);
  const copiesVideo = isCopyable && (await isVideoAlike(work, parts));
  return {
    ...(video && !copiesVideo && { video: { width: even(video.width), height: even(video.height) } }),
    ...(audio && !isAudioAlike(parts) && { audio: { sampleRate: audio.sampleRate, channels: audio.channels } }),
  };
}

async function isVideoAlike(work: JoinWork, parts: readonly ReadPart[]): Promise<boolean> {
  const withVideo = parts.flatMap(({ file, packets: { video } }) => (video ? [{ file, video }] : []));
  if (withVideo.some(({ video }) => !COPIED_VIDEO.includes(video.codec))) return false;
  if (!isSame(withVideo.map(({ video: { width, height, pixels } }) => [width, height, pixels]))) return false;
  if (withVideo.length < 2) return true;
  const sets: string[][] = [];
  for (const { file, video } of withVideo) sets.push(await parameterSets(work, file, video.index));
  return isSame(sets);
}

function isAudioAlike(parts: readonly ReadPart[]): boolean {
  const streams = parts.flatMap(({ packets }) => packets.audio ?? []);
  if (streams.some(({ codec }) => !COPIED_AUDIO.includes(codec))) return false;
  return isSame(streams.map(({ codec, profile, sampleRate, channels }) => [codec, profile, sampleRate, channels]));
}

function isSame(descriptions: readonly (readonly unknown[])[]): boolean {
  return new Set(descriptions.map((description) => description.join())).size <= 1;
}

/** How the pictures of an H.264 stream are to be decoded. An MP4 says it once for all of them, in a form that depends on who wrote it. */
async function parameterSets({ tools, run, scratch }: JoinWork, file: string, index: number): Promise<string[]> {
  const first = join(scratch, 'first.h264');
  const output = ['-map', `0:${index}`, '-c', 'copy', '-frames:v', '1', '-bsf:v', 'h264_mp4toannexb', '-f', 'h264'];
  await runFfmpeg(tools, [...input(file), ...output, first], run);
  const units = (await readFile(first)).toString('latin1').replaceAll(LONG_START, START).split(START);
  return [...new Set(units.filter(isParameterSet))].sort();
}

/** Before every unit of a stream, after another zero or not (H.264, annex B). */
const START = '\0\0\x01';
const LONG_START = `\0${START}`;

/** The lower five bits of its first byte: 7 is a sequence's, 8 is a picture's (H.264, table 7-1). */
function isParameterSet(unit: string): boolean {
  return [7, 8].includes(unit.charCodeAt(0) & 0x1f);
}

/** The encoder halves the colours' size. */
function even(pixels: number): number {
  return pixels + (pixels % 2);
}
