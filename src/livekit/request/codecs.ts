// Which codecs go into which formats, and what a worker chooses: livekit/egress pkg/types and pkg/config. Pure.
import { AudioCodec, type EncodingOptions, VideoCodec } from '@livekit/protocol';
import { Refused } from './refused.ts';

const AUDIO = { aac: 'audio/aac', opus: 'audio/opus', mp3: 'audio/mpeg', raw: 'audio/x-raw' } as const;
const H264 = 'video/h264';

/** MIME types, and LiveKit's own names for streams. `''` is a file of a kind not chosen yet. */
export const FORMATS = {
  any: '',
  mp4: 'video/mp4',
  ogg: 'audio/ogg',
  mp3: 'audio/mpeg',
  hls: 'application/x-mpegurl',
} as const;
export type Format = (typeof FORMATS)[keyof typeof FORMATS] | StreamFormat;
export type StreamFormat = 'rtmp' | 'srt' | 'audio/x-raw';

const HOLDS: Record<Format, readonly string[]> = {
  [FORMATS.any]: [AUDIO.aac, AUDIO.opus, AUDIO.mp3, H264],
  [FORMATS.mp4]: [AUDIO.aac, AUDIO.opus, H264],
  [FORMATS.ogg]: [AUDIO.opus],
  [FORMATS.mp3]: [AUDIO.mp3, AUDIO.opus, AUDIO.aac, AUDIO.raw],
  [FORMATS.hls]: [AUDIO.aac, H264],
  rtmp: [AUDIO.aac, H264],
  srt: [AUDIO.aac, H264],
  'audio/x-raw': [AUDIO.raw],
};
/** In the order a worker tries them. */
const SOUND_FILES = [FORMATS.ogg, FORMATS.mp4, FORMATS.mp3] as const;

/** What a request asks for; undefined: the worker may choose. */
export interface Codecs {
  audio: string | undefined;
  video: string | undefined;
}

export function codecsOf({ audioCodec, videoCodec }: EncodingOptions): Codecs {
  const audio = { [AudioCodec.OPUS]: AUDIO.opus, [AudioCodec.AAC]: AUDIO.aac, [AudioCodec.AC_MP3]: AUDIO.mp3 };
  const isH264 = [VideoCodec.H264_BASELINE, VideoCodec.H264_MAIN, VideoCodec.H264_HIGH].includes(videoCodec);
  return { audio: audio[audioCodec as keyof typeof audio], video: isH264 ? H264 : undefined };
}

/** A stream decides for all outputs, whatever was asked for. */
export function codecsOfStream(format: StreamFormat, asked: Codecs): Codecs {
  return format === 'audio/x-raw' ? { ...asked, audio: AUDIO.raw } : { audio: AUDIO.aac, video: H264 };
}

export interface Tracks {
  audio: boolean;
  video: boolean;
}

/** Formats of what is encoded, in the order a worker looks at them. */
export interface Formats {
  file: Format | undefined;
  segments: Format | undefined;
  stream: Format | undefined;
}

/**
 * @returns the format of the file, chosen when it names none; undefined without a file
 * @throws Refused when the outputs have no codec in common
 */
export function chooseFileFormat(
  tracks: Tracks,
  asked: Codecs,
  { file, segments, stream }: Formats,
): Format | undefined {
  const formats = [file, segments, stream].filter((format) => format !== undefined);
  const isAsked = asked.audio !== undefined;
  const audio = tracks.audio ? inCommon(asked.audio, Object.values(AUDIO), formats, isAsked) : undefined;
  const video = tracks.video ? inCommon(asked.video, [H264], formats, isAsked) : undefined;
  if (file !== FORMATS.any) return file;
  const possible = tracks.video ? [FORMATS.mp4] : SOUND_FILES;
  const chosen = possible.find((format) =>
    [audio, video].every((codecs) => !codecs || codecs.some((one) => HOLDS[format].includes(one))),
  );
  if (chosen) return chosen;
  throw new Refused('no supported file output type is compatible with the selected codecs');
}

/** The worker names the codec of a refusal only when one for sound was asked for. */
function inCommon(
  asked: string | undefined,
  all: readonly string[],
  formats: readonly Format[],
  isAsked: boolean,
): string[] {
  let codecs = asked === undefined ? [...all] : [asked];
  for (const format of formats) {
    codecs = codecs.filter((codec) => HOLDS[format].includes(codec));
    if (codecs.length > 0) continue;
    if (!isAsked) throw new Refused('no supported codec is compatible with all outputs');
    throw new Refused(`format ${format} incompatible with codec ${asked ?? ''}`);
  }
  return codecs;
}
