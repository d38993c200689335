// Looks into recorded files with ffprobe and ffmpeg: streams, durations, a picture, the dominant tone. Changes nothing in them.
import { stat } from 'node:fs/promises';
import { ExecaError, execa } from 'execa';
import { messageOf } from '../common/error-message.ts';

interface MediaStream {
  type: 'video' | 'audio' | 'other';
  codec: string;
  durationSeconds?: number;
  width?: number;
  height?: number;
  sampleRate?: number;
  /** As the container says; absent when it does not. */
  frames?: number;
}

export interface Media {
  durationSeconds: number;
  streams: MediaStream[];
  sizeBytes: number;
}

interface ProbedStream {
  codec_type?: string;
  codec_name?: string;
  width?: number;
  height?: number;
  sample_rate?: string;
  nb_frames?: string;
  duration?: string;
}

export interface ProbeOutput {
  format?: { duration?: string };
  streams?: ProbedStream[];
}

export async function probeMedia(ffprobePath: string, file: string): Promise<Media> {
  const sizeBytes = (await stat(file)).size;
  try {
    const args = ['-v', 'error', '-show_format', '-show_streams', '-of', 'json', file];
    const { stdout } = await execa(ffprobePath, args, { stdin: 'ignore' });
    return { ...readProbe(JSON.parse(stdout) as ProbeOutput), sizeBytes };
  } catch (error) {
    const why = (error instanceof ExecaError && error.stderr) || messageOf(error);
    throw new Error(`${file} (${sizeBytes} bytes) cannot be read as media: ${why}`);
  }
}

/** ffprobe writes most numbers as text, and `N/A` or nothing for what it does not know. */
export function readProbe({ format, streams = [] }: ProbeOutput): Omit<Media, 'sizeBytes'> {
  const read = streams.map(readStream);
  const longest = Math.max(0, ...read.map(({ durationSeconds }) => durationSeconds ?? 0));
  return { durationSeconds: numberOf(format?.duration) ?? longest, streams: read };
}

function readStream(stream: ProbedStream): MediaStream {
  return {
    type: stream.codec_type === 'video' || stream.codec_type === 'audio' ? stream.codec_type : 'other',
    codec: stream.codec_name ?? 'unknown',
    durationSeconds: numberOf(stream.duration),
    width: stream.width,
    height: stream.height,
    sampleRate: numberOf(stream.sample_rate),
    frames: numberOf(stream.nb_frames),
  };
}

function numberOf(text: string | undefined): number | undefined {
  const value = Number(text);
  return text === undefined || Number.isNaN(value) ? undefined : value;
}

const analysisRate = 8_000;

export interface ToneOptions {
  fromSeconds?: number;
  seconds?: number;
}

/** The dominant frequency of the sound, to a few Hz, or undefined when it is silent. */
export async function toneFrequency(
  ffmpegPath: string,
  file: string,
  { fromSeconds = 0, seconds = 2 }: ToneOptions = {},
): Promise<number | undefined> {
  const range = ['-ss', `${fromSeconds}`, '-t', `${seconds}`];
  const format = ['-vn', '-ac', '1', '-ar', `${analysisRate}`, '-f', 's16le', '-'];
  const { stdout } = await execa(ffmpegPath, ['-v', 'error', ...range, '-i', file, ...format], {
    stdin: 'ignore',
    encoding: 'buffer',
  });
  const bytes = stdout.subarray(0, stdout.length - (stdout.length % 2));
  return dominantFrequency(new Int16Array(bytes.slice().buffer), analysisRate);
}

const lowestHz = 60;
const highestHz = 3_000;
/** Mean square of samples below which a sound counts as silence: about -60 dB of full scale. */
const silencePower = 33 ** 2;

/** Goertzel's filter at every 5 Hz, then at every 1 Hz around the strongest. */
export function dominantFrequency(samples: Int16Array, sampleRate: number): number | undefined {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length);
  if (power < silencePower) return undefined;
  // The coarse look takes a quarter of a second: longer windows resolve finer than its 5 Hz and would miss the peak.
  const coarse = strongest(samples.subarray(0, sampleRate / 4), sampleRate, lowestHz, highestHz, 5);
  return strongest(samples, sampleRate, coarse - 6, coarse + 6, 1);
}

function strongest(samples: Int16Array, sampleRate: number, fromHz: number, toHz: number, stepHz: number): number {
  let best = fromHz;
  let bestPower = -1;
  for (let hz = fromHz; hz <= toHz; hz += stepHz) {
    const power = goertzelPower(samples, sampleRate, hz);
    if (power > bestPower) [best, bestPower] = [hz, power];
  }
  return best;
}

function goertzelPower(samples: Int16Array, sampleRate: number, hz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / sampleRate);
  let [previous, beforeThat] = [0, 0];
  for (const sample of samples) {
    const next = sample + coefficient * previous - beforeThat;
    beforeThat = previous;
    previous = next;
  }
  return previous * previous + beforeThat * beforeThat - coefficient * previous * beforeThat;
}
