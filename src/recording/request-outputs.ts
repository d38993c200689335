// The outputs of a request: what HTTP clients may ask for, and which outputs go together. Pure: zod only. Every message says what is
// wrong and what to write instead; none quotes a stream's URL, which holds its key.
import { z } from 'zod';
import { endingOf, endingProblem } from './file-type.ts';
import { checkPathTemplate, withRecording } from './path-template.ts';
import { storageSchema } from './request-storage.ts';

const LIMITS = { pathLength: 512, urlLength: 2_048, urls: 16 } as const;

const path = z
  .string()
  .min(1)
  .max(LIMITS.pathLength)
  .superRefine((template, context) => {
    const problem = checkPathTemplate(template);
    if (problem) context.addIssue({ code: 'custom', message: problem });
  });
const storage = storageSchema;

const STREAM_FORM =
  'must be rtmp(s)://{host}/{app}/{stream key}, mux://{stream key}, twitch://{stream key}, srt://{host}:{port} or ws(s)://{host}';
const streamUrl = z
  .string()
  .max(LIMITS.urlLength)
  .refine((value) => streamProtocolOf(value) !== undefined, { error: STREAM_FORM });

const fileOutput = z.strictObject({ type: z.literal('file'), path: path.optional(), storage });
/** The view shows them without their keys. */
const streamOutput = z
  .strictObject({ type: z.literal('stream'), urls: z.array(streamUrl).min(1).max(LIMITS.urls) })
  .superRefine(({ urls }, context) => {
    const [first, ...others] = urls.map(streamProtocolOf);
    const other = others.findIndex((protocol) => protocol !== first);
    if (other >= 0)
      context.addIssue({
        code: 'custom',
        path: ['urls', other + 1],
        message: `is ${others[other]}, and the first URL is ${first}; LiveKit streams to one protocol at a time, leave one out`,
      });
  });
const segmentsOutput = z
  .strictObject({
    type: z.literal('segments'),
    /** Before `_00000.ts`. */
    prefix: path.optional(),
    playlist: path.optional(),
    /** Lies beside the playlist; none when absent. */
    livePlaylist: path.optional(),
    /** 4 by default. */
    segmentSeconds: z.int().min(1).max(60).optional(),
    storage,
  })
  .superRefine((output, context) => {
    for (const field of ['playlist', 'livePlaylist'] as const) {
      const ending = endingOf(output[field] ?? '');
      if (ending === undefined || ending === 'm3u8') continue;
      const message = `".${ending}" is no playlist; use .m3u8, or leave the ending out`;
      context.addIssue({ code: 'custom', path: [field], message });
    }
    const problem = livePlaylistProblem(output);
    if (problem) context.addIssue({ code: 'custom', path: ['livePlaylist'], message: problem });
  });
/** Of a picture, in pixels. */
export const sideSchema = z
  .int()
  .min(16)
  .max(3_840)
  .refine((pixels) => pixels < 16 || pixels % 2 === 0, { error: 'must be even: encoders take pairs of pixels' });
const imagesOutput = z.strictObject({
  type: z.literal('images'),
  prefix: path.optional(),
  /** 10 by default. */
  intervalSeconds: z.int().min(1).max(3_600).optional(),
  width: sideSchema.optional(),
  height: sideSchema.optional(),
  storage,
});

export const outputSchema = z.discriminatedUnion('type', [fileOutput, streamOutput, segmentsOutput, imagesOutput]);
export type RecordingOutput = z.output<typeof outputSchema>;

/** What the outputs need to know of a source. */
export interface OutputsSource {
  type: string;
  audioOnly?: boolean | undefined;
  audioTrackId?: string | undefined;
  videoTrackId?: string | undefined;
}

export interface OutputsProblem {
  path: (string | number)[];
  message: string;
}

/** Outputs that do not go together, or not with this source. */
export function outputsProblems(source: OutputsSource, outputs: readonly RecordingOutput[]): OutputsProblem[] {
  const endings = endingProblems(source, outputs);
  if (isOneTrack(source)) return [...trackProblems(outputs), ...endings];
  return [...twiceProblems(outputs), ...imagesProblems(source, outputs), ...webSocketProblems(outputs), ...endings];
}

function endingProblems(source: OutputsSource, outputs: readonly RecordingOutput[]): OutputsProblem[] {
  const kind = isOneTrack(source) ? 'copied' : 'encoded';
  const hasPicture = kind === 'encoded' ? !source.audioOnly : source.audioTrackId === undefined;
  const isShared = outputs.some(({ type }) => type === 'segments' || type === 'stream');
  return outputs.flatMap((output, index) => {
    if (output.type !== 'file' || output.path === undefined) return [];
    const message = endingProblem(output.path, { kind, hasPicture, isShared });
    return message === undefined ? [] : [{ path: ['outputs', index, 'path'], message }];
  });
}

/** LiveKit takes one of each but images. */
function twiceProblems(outputs: readonly RecordingOutput[]): OutputsProblem[] {
  return (['file', 'stream', 'segments'] as const).flatMap((type) => {
    const [, second] = outputs.flatMap((output, index) => (output.type === type ? [index] : []));
    if (second === undefined) return [];
    return [{ path: ['outputs', second, 'type'], message: `only one ${type} output is possible; remove this one` }];
  });
}

function imagesProblems({ audioOnly }: OutputsSource, outputs: readonly RecordingOutput[]): OutputsProblem[] {
  const seen = new Set<string>();
  return outputs.flatMap((output, index): OutputsProblem[] => {
    if (output.type !== 'images') return [];
    if (audioOnly)
      return [{ path: ['outputs', index, 'type'], message: 'images need a picture; remove this output, or audioOnly' }];
    const name = `${JSON.stringify(output.storage ?? '')}:${withRecording(output.prefix ?? '')}`;
    const isNew = !seen.has(name);
    seen.add(name);
    if (isNew) return [];
    const message = 'another images output writes the same names; give this one a prefix of its own';
    return [{ path: ['outputs', index, 'prefix'], message }];
  });
}

function webSocketProblems(outputs: readonly RecordingOutput[]): OutputsProblem[] {
  return outputs.flatMap((output, index) => {
    if (output.type !== 'stream' || streamProtocolOf(output.urls[0] ?? '') !== 'WebSocket') return [];
    const message = 'is a WebSocket, which takes a single track only; stream to rtmp or srt, or record a track';
    return [{ path: ['outputs', index, 'urls', 0], message }];
  });
}

/** Written as it is, without encoding: that leaves a file, or its raw media to a WebSocket. */
function trackProblems(outputs: readonly RecordingOutput[]): OutputsProblem[] {
  const [output] = outputs;
  const isSocket =
    output?.type === 'stream' && output.urls.length === 1 && streamProtocolOf(output.urls[0] ?? '') === 'WebSocket';
  if (outputs.length === 1 && (output?.type === 'file' || isSocket)) return [];
  return [{ path: ['outputs'], message: 'a single track takes one output; keep a file, or a stream to one WebSocket' }];
}

function isOneTrack({ type, audioTrackId, videoTrackId }: OutputsSource): boolean {
  return type === 'track' || (type === 'tracks' && !(audioTrackId && videoTrackId));
}

type StreamProtocol = 'RTMP' | 'SRT' | 'WebSocket';

function streamProtocolOf(url: string): StreamProtocol | undefined {
  if (!URL.canParse(url)) return undefined;
  if (/^(mux|twitch):\/\/[^/?#\s]+$/.test(url)) return 'RTMP';
  if (/^rtmps?:\/\//.test(url)) return isRtmp(url) ? 'RTMP' : undefined;
  if (/^srt:\/\/[^/?#\s]/.test(url)) return 'SRT';
  return /^wss?:\/\//.test(url) ? 'WebSocket' : undefined;
}

/** Host, application and key; nothing with a blank but librtmp's ` live=1`. */
function isRtmp(url: string): boolean {
  const parts = url
    .slice(url.indexOf('//') + 2)
    .replace(/ live=1$/, '')
    .split('/');
  return parts.length > 2 && parts.at(-1) !== '' && !parts.some((part) => /\s/.test(part));
}

interface Playlists {
  prefix?: string | undefined;
  playlist?: string | undefined;
  livePlaylist?: string | undefined;
}

function livePlaylistProblem({ prefix, playlist, livePlaylist }: Playlists): string | undefined {
  if (livePlaylist === undefined) return undefined;
  const list = playlist ?? (prefix && `${withRecording(prefix)}.m3u8`);
  const folder = folderOf(livePlaylist);
  if (folder !== '' && folder !== folderOf(list ?? ''))
    return `"${livePlaylist}" is in another folder than the playlist; leave its folder out`;
  return list !== undefined && nameOf(list) === nameOf(livePlaylist)
    ? `"${livePlaylist}" is the playlist itself; give it another name`
    : undefined;
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

function nameOf(path: string): string {
  const whole = withRecording(path);
  return whole.slice(whole.lastIndexOf('/') + 1).replace(/\.m3u8$/, '');
}
