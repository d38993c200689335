// What a worker makes of a request: which media it records, and the format of its file. Checked in the worker's own order, so that
// the first complaint is the same: livekit/egress pkg/config/pipeline.go and output.go. Pure.
import {
  EncodedFileType,
  EncodingOptionsPreset,
  type ExportReplayRequest,
  type Output,
  type SegmentedFileOutput,
  type StartEgressRequest,
  type StreamOutput,
  StreamProtocol,
} from '@livekit/protocol';
import {
  type Codecs,
  chooseFileFormat,
  codecsOf,
  codecsOfStream,
  FORMATS,
  type Format,
  type Formats,
  type StreamFormat,
  type Tracks,
} from './codecs.ts';
import type { Fill } from './file-names.ts';
import { effectiveOutputs } from './outputs.ts';
import { checkPassthrough } from './passthrough.ts';
import { invalidField, invalidUrl } from './refused.ts';
import type { StartRequestOneof } from './rpc.ts';
import { checkSegmentNames } from './segment-names.ts';
import { checkStreamUrl, formatOfStream } from './stream-url.ts';

/** undefined: no file, or only the track itself will tell. */
export type FileFormat = Format | undefined;

type V1Encoded = Extract<StartRequestOneof, { case: 'roomComposite' | 'web' | 'participant' | 'trackComposite' }>;
type V2 = StartEgressRequest | ExportReplayRequest;

/** What is known of the outputs while they are read. */
interface Plan extends Formats {
  audio: boolean;
  video: boolean;
  passthrough: boolean;
  codecs: Codecs;
  fill: Fill;
}

const NOTHING_YET: Formats = { file: undefined, segments: undefined, stream: undefined };

/** @param fill names, as they would be filled @throws Refused */
export function fileFormatOf(request: StartRequestOneof, fill: Fill): FileFormat {
  switch (request.case) {
    case 'roomComposite':
    case 'web':
    case 'participant':
    case 'trackComposite':
      return v1(request, fill);
    case 'track':
      return track(request.value);
    case 'egress':
    case 'replay':
      return v2(request.value, fill);
    default:
      throw invalidField('request');
  }
}

function track({ trackId, output }: Extract<StartRequestOneof, { case: 'track' }>['value']): undefined {
  if (!trackId) throw invalidField('track_id');
  if (output.case === undefined) throw invalidField('output');
  if (output.case === 'websocketUrl') checkStreamUrl(output.value, 'audio/x-raw');
}

function v1(request: V1Encoded, fill: Fill): FileFormat {
  const plan: Plan = { ...NOTHING_YET, ...mediaOfV1(request), ...encodingOf(request.value.options), fill };
  addV1Outputs(plan, request);
  if (plan.passthrough) throw invalidField('preset');
  return chooseFileFormat(plan, plan.codecs, plan);
}

function v2(request: V2, fill: Fill): FileFormat {
  const encoding = encodingOf(request.encoding);
  if (encoding.passthrough) checkPassthrough(request);
  const plan: Plan = { ...NOTHING_YET, ...mediaOfV2(request), ...encoding, fill };
  if (request.outputs.length === 0) throw invalidField('output');
  addV2Outputs(plan, request.outputs);
  return plan.passthrough ? undefined : chooseFileFormat(plan, plan.codecs, plan);
}

// Sources

function mediaOfV1(request: V1Encoded): Tracks {
  switch (request.case) {
    case 'roomComposite':
      return templateMedia(request.value);
    case 'web':
      return webMedia(request.value);
    case 'participant':
      if (!request.value.identity) throw invalidField('identity');
      return { audio: true, video: true };
    case 'trackComposite': {
      const { audioTrackId, videoTrackId } = request.value;
      if (!audioTrackId && !videoTrackId) throw invalidField('audio_track_id or video_track_id');
      return { audio: audioTrackId !== '', video: videoTrackId !== '' };
    }
  }
}

function mediaOfV2({ source }: V2): Tracks {
  switch (source.case) {
    case 'template':
      return templateMedia(source.value);
    case 'web':
      return webMedia(source.value);
    case 'media': {
      const { audio, video } = source.value;
      const media = {
        audio: audio !== undefined && (audio.captureAll || audio.routes.length > 0),
        video: video.case !== undefined,
      };
      if (!media.audio && !media.video) throw invalidField('audio or video');
      return media;
    }
    default:
      throw invalidField('source');
  }
}

interface Drawn {
  audioOnly: boolean;
  videoOnly: boolean;
}

function templateMedia(template: Drawn & { customBaseUrl: string }): Tracks {
  if (template.customBaseUrl && !isHttp(template.customBaseUrl)) throw invalidField('template base url');
  return drawnMedia(template);
}

function webMedia(page: Drawn & { url: string }): Tracks {
  if (!isHttp(page.url)) throw invalidField('web url');
  return drawnMedia(page);
}

function drawnMedia({ audioOnly, videoOnly }: Drawn): Tracks {
  if (audioOnly && videoOnly) throw invalidField('audio_only and video_only');
  return { audio: !videoOnly, video: !audioOnly };
}

/** As a worker sees it: it looks at the scheme alone. */
function isHttp(url: string): boolean {
  return /^https?:/i.test(url);
}

// Encoding

type Options = V1Encoded['value']['options'] | V2['encoding'];

function encodingOf(options: Options): { codecs: Codecs; passthrough: boolean } {
  if (options.case !== 'advanced')
    return { codecs: NO_CODECS, passthrough: options.value === EncodingOptionsPreset.PASSTHROUGH };
  const { width, height, depth } = options.value;
  if (!isSide(width)) throw invalidField('width');
  if (!isSide(height)) throw invalidField('height');
  if (![0, 8, 16, 24].includes(depth)) throw invalidField('depth');
  return { codecs: codecsOf(options.value), passthrough: false };
}

const NO_CODECS: Codecs = { audio: undefined, video: undefined };

/** Encoders take even numbers; 0 and less: the worker's default. */
function isSide(pixels: number): boolean {
  return pixels <= 0 || (pixels >= 16 && pixels % 2 === 0);
}

// Outputs

const FILE_FORMATS: Partial<Record<EncodedFileType, Format>> = {
  [EncodedFileType.MP4]: FORMATS.mp4,
  [EncodedFileType.OGG]: FORMATS.ogg,
  [EncodedFileType.MP3]: FORMATS.mp3,
};

function addV1Outputs(plan: Plan, request: V1Encoded): void {
  const { files, streams, segments, images } = effectiveOutputs(request);
  only('file', files.length);
  if (files[0]) plan.file = formatOfFile(files[0]);
  only('stream', streams.length);
  if (streams[0]) addV1Stream(plan, streams[0]);
  const isAlone = files.length + segments.length + images.length === 0;
  if (streams[0]?.urls.length === 0 && isAlone) throw invalidField('stream url');
  only('segmented file', segments.length);
  if (segments[0]) addSegments(plan, segments[0]);
  const recordsSound = plan.file !== undefined || plan.segments !== undefined || plan.stream !== undefined;
  if (images.length > 0) needVideo(plan);
  if (!recordsSound) plan.audio = false;
  if (!recordsSound && images.length === 0) throw invalidField('output');
}

function addV2Outputs(plan: Plan, outputs: readonly Output[]): void {
  const counts = { file: 0, stream: 0, segments: 0, images: 0 };
  for (const { config } of outputs) {
    if (config.case === undefined) throw invalidField('output config');
    counts[config.case] += 1;
    if (config.case === 'file') {
      only('file', counts.file);
      plan.file = formatOfFile(config.value);
    } else if (config.case === 'stream') {
      only('stream', counts.stream);
      addV2Stream(plan, config.value);
    } else if (config.case === 'segments') {
      only('segmented file', counts.segments);
      addSegments(plan, config.value);
    } else needVideo(plan);
  }
  const [single] = outputs;
  if (outputs.length === 1 && single?.config.case === 'stream' && single.config.value.urls.length === 0)
    throw invalidField('output');
  if (counts.images === outputs.length) plan.audio = false;
}

function only(kind: string, count: number): void {
  if (count > 1) throw invalidField(`multiple ${kind} outputs`);
}

function formatOfFile(file: object): Format {
  return ('fileType' in file && FILE_FORMATS[file.fileType as EncodedFileType]) || FORMATS.any;
}

function addStream(plan: Plan, { protocol, urls }: StreamOutput): void {
  const format = STREAM_FORMATS[protocol] ?? formatOfStream(urls);
  for (const url of urls) checkStreamUrl(url, format);
  plan.stream = format;
  plan.codecs = codecsOfStream(format, plan.codecs);
}

const STREAM_FORMATS: Partial<Record<StreamProtocol, StreamFormat>> = {
  [StreamProtocol.RTMP]: 'rtmp',
  [StreamProtocol.SRT]: 'srt',
  [StreamProtocol.WEBSOCKET]: 'audio/x-raw',
};

/** Here a worker knows WebSockets by their URLs only. */
function addV1Stream(plan: Plan, stream: StreamOutput): void {
  const [url] = stream.urls;
  if (stream.protocol === StreamProtocol.WEBSOCKET && url !== undefined) throw invalidUrl(url, 'invalid scheme');
  addStream(plan, stream);
}

/** A WebSocket takes sound alone, which ends the picture for every output. */
function addV2Stream(plan: Plan, stream: StreamOutput): void {
  addStream(plan, stream);
  if (plan.stream === 'audio/x-raw' && plan.audio) plan.video = false;
}

function addSegments(plan: Plan, segments: SegmentedFileOutput): void {
  checkSegmentNames(segments, plan.fill);
  plan.segments = FORMATS.hls;
}

function needVideo({ video }: Plan): void {
  if (!video) throw invalidField('audio_only images');
}
