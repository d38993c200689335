// What is in a media file: how long, and which picture and sound. Reads the headers only.
import { input, MediaError, runFfprobe, type Tools } from './ffmpeg.ts';

export interface Probed {
  durationMs: number;
  /** Where its own clock begins: 0 in most files, an hour or more in segments. */
  startMs: number;
  /** Frame rate as a fraction, on the average: "30/1". */
  video?: { codec: string; width: number; height: number; frameRate: string };
  audio?: { codec: string; sampleRate: number; channels: number };
}

const FIELDS = [
  'format=duration,start_time',
  'stream=codec_type,codec_name,width,height,avg_frame_rate,sample_rate,channels',
].join(':');

interface Answer {
  format?: { duration?: string; start_time?: string };
  streams?: {
    codec_type?: string;
    codec_name?: string;
    width?: number;
    height?: number;
    avg_frame_rate?: string;
    sample_rate?: string;
    channels?: number;
  }[];
}

/** @throws MediaError when there is neither picture nor sound in it */
export async function probe(tools: Tools, file: string, signal?: AbortSignal): Promise<Probed> {
  const { format, streams = [] } = await ask(tools, file, signal);
  const video = streams.find((stream) => stream.codec_type === 'video');
  const audio = streams.find((stream) => stream.codec_type === 'audio');
  const durationMs = msOf(format?.duration);
  if ((!video && !audio) || !durationMs) throw noMedia(file, 'neither picture nor sound of any length is in it');
  return {
    durationMs,
    startMs: msOf(format?.start_time) ?? 0,
    ...(video && {
      video: {
        codec: video.codec_name ?? 'unknown',
        width: video.width ?? 0,
        height: video.height ?? 0,
        frameRate: video.avg_frame_rate ?? '0/0',
      },
    }),
    ...(audio && {
      audio: {
        codec: audio.codec_name ?? 'unknown',
        sampleRate: Number(audio.sample_rate ?? 0),
        channels: audio.channels ?? 0,
      },
    }),
  };
}

export function noMedia(file: string, why: string): MediaError {
  return new MediaError('not_media', `${file} is no media file that can be read: ${why}`);
}

async function ask(tools: Tools, file: string, signal?: AbortSignal): Promise<Answer> {
  let json = '';
  const onLine = (line: string) => {
    json += line;
  };
  try {
    await runFfprobe(tools, ['-print_format', 'json', '-show_entries', FIELDS, ...input(file)], { signal, onLine });
  } catch (error) {
    if (error instanceof MediaError && error.code === 'failed') throw noMedia(file, error.message);
    throw error;
  }
  return JSON.parse(json) as Answer;
}

function msOf(seconds: string | undefined): number | undefined {
  const ms = Math.round(Number(seconds) * 1_000);
  return Number.isFinite(ms) ? ms : undefined;
}
