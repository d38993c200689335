// From Reelkit's own request to the one that LiveKit's workers know. Pure. Keys of configured storages are not part of it: each
// upload is named, and gets them when it leaves for a worker.
import {
  DirectFileOutput,
  EncodedFileOutput,
  EncodingOptions,
  EncodingOptionsPreset,
  ImageOutput,
  ParticipantEgressRequest,
  RoomCompositeEgressRequest,
  SegmentedFileOutput,
  StreamOutput,
  StreamProtocol,
  TrackCompositeEgressRequest,
  TrackEgressRequest,
  WebEgressRequest,
} from '@livekit/protocol';
import type { Storage } from '../../config.ts';
import { renderPath } from '../../recording/path-template.ts';
import type { Encoding, RecordingOutput, RecordingRequest } from '../../recording/request.ts';
import { roomOf } from '../../recording/source.ts';
import { StartMessage, type StartRequestOneof } from './rpc.ts';
import { storageFor } from './storages.ts';

export interface LowerSettings {
  pathTemplate: string;
  storages: Record<string, Storage>;
  defaultStorage: string;
}

export interface LowerContext {
  egressId: string;
  /** The room's sid; empty: not known yet. */
  roomId: string;
  atMs: number;
  settings: LowerSettings;
}

export interface Lowered {
  message: StartMessage;
  /** Storages of its file, segments and images outputs, in this order. */
  storages: string[];
}

/** @throws Error when the request names a storage that is not configured */
export function lowerRequest(request: RecordingRequest, context: LowerContext): Lowered {
  const outputs = lowerOutputs(request, context);
  const lowered = lowerSource(request, outputs);
  const { egressId, roomId } = context;
  return { message: new StartMessage({ egressId, roomId, request: lowered }), storages: outputs.storages };
}

interface Outputs {
  fileOutputs: EncodedFileOutput[];
  streamOutputs: StreamOutput[];
  segmentOutputs: SegmentedFileOutput[];
  imageOutputs: ImageOutput[];
  storages: string[];
}

function lowerOutputs(request: RecordingRequest, context: LowerContext): Outputs {
  const placed = (type: 'file' | 'segments' | 'images') =>
    request.outputs.filter((output) => output.type === type) as Exclude<RecordingOutput, { type: 'stream' }>[];
  const all = { file: placed('file'), segments: placed('segments'), images: placed('images') };
  const place = (template: string | undefined, storage: string | undefined) =>
    pathIn(template, storage, request, context);
  return {
    fileOutputs: all.file.map((output) => {
      const { path, storage } = output as Extract<RecordingOutput, { type: 'file' }>;
      return new EncodedFileOutput({ filepath: place(path, storage) });
    }),
    segmentOutputs: all.segments.map((output) => {
      const { prefix, playlist, livePlaylist, segmentSeconds, storage } = output as Extract<RecordingOutput, { type: 'segments' }>;
      const filenamePrefix = place(prefix, storage);
      return new SegmentedFileOutput({
        filenamePrefix,
        playlistName: playlist === undefined ? `${filenamePrefix}.m3u8` : place(playlist, storage),
        livePlaylistName: livePlaylist === undefined ? '' : place(livePlaylist, storage),
        segmentDuration: segmentSeconds ?? 0,
      });
    }),
    imageOutputs: all.images.map((output) => {
      const { prefix, intervalSeconds, width, height, storage } = output as Extract<RecordingOutput, { type: 'images' }>;
      return new ImageOutput({
        filenamePrefix: place(prefix, storage),
        captureInterval: intervalSeconds ?? 0,
        width: width ?? 0,
        height: height ?? 0,
      });
    }),
    streamOutputs: request.outputs.flatMap((output) => (output.type === 'stream' ? [lowerStream(output.urls)] : [])),
    storages: [...all.file, ...all.segments, ...all.images].map(
      ({ storage }) => storage ?? context.settings.defaultStorage,
    ),
  };
}

function lowerStream(urls: string[]): StreamOutput {
  const scheme = new URL(urls[0] ?? 'rtmp:').protocol;
  const protocol = scheme.startsWith('ws')
    ? StreamProtocol.WEBSOCKET
    : scheme === 'srt:'
      ? StreamProtocol.SRT
      : StreamProtocol.RTMP;
  return new StreamOutput({ protocol, urls });
}

function pathIn(
  template: string | undefined,
  storageName: string | undefined,
  request: RecordingRequest,
  { egressId, atMs, settings }: LowerContext,
): string {
  const storage = storageFor(storageName ?? settings.defaultStorage, settings.storages);
  const room = roomOf(request.source) ?? 'web';
  const path = renderPath(template ?? settings.pathTemplate, { room, recording: egressId, atMs });
  const prefix = storage.type === 'local' ? storage.path : storage.prefix;
  return [prefix.replace(/\/$/, ''), path].filter((segment) => segment !== '').join('/');
}

function lowerSource({ source, encoding }: RecordingRequest, outputs: Outputs): StartRequestOneof {
  const { storages: _, ...lists } = outputs;
  const common = { ...lists, options: optionsOf(encoding) };
  switch (source.type) {
    case 'room': {
      const { room: roomName, layout = '', customBaseUrl = '', audioOnly, videoOnly } = source;
      const value = { ...common, roomName, layout, customBaseUrl, audioOnly, videoOnly };
      return { case: 'roomComposite', value: new RoomCompositeEgressRequest(value) };
    }
    case 'web': {
      const { type: _, ...rest } = source;
      return { case: 'web', value: new WebEgressRequest({ ...common, ...rest }) };
    }
    case 'participant': {
      const { room: roomName, identity, screenShare } = source;
      const value = { ...common, roomName, identity, screenShare };
      return { case: 'participant', value: new ParticipantEgressRequest(value) };
    }
    case 'tracks': {
      const { room: roomName, audioTrackId, videoTrackId } = source;
      if (!audioTrackId || !videoTrackId) return lowerTrack(roomName, audioTrackId ?? videoTrackId ?? '', outputs);
      const value = { ...common, roomName, audioTrackId, videoTrackId };
      return { case: 'trackComposite', value: new TrackCompositeEgressRequest(value) };
    }
    case 'track':
      return lowerTrack(source.room, source.trackId, outputs);
    case 'media':
      throw new Error('a media source is asked of LiveKit itself');
  }
}

/** A single track is written as it is, without encoding. */
function lowerTrack(roomName: string, trackId: string, { fileOutputs, streamOutputs }: Outputs): StartRequestOneof {
  const [file] = fileOutputs;
  const [url = ''] = streamOutputs[0]?.urls ?? [];
  const output = file
    ? ({ case: 'file', value: new DirectFileOutput({ filepath: file.filepath }) } as const)
    : ({ case: 'websocketUrl', value: url } as const);
  return { case: 'track', value: new TrackEgressRequest({ roomName, trackId, output }) };
}

function optionsOf(encoding: Encoding | undefined): RoomCompositeEgressRequest['options'] {
  if (!encoding || Object.keys(encoding).length === 0) return { case: undefined };
  if (encoding.preset) return { case: 'preset', value: EncodingOptionsPreset[encoding.preset] };
  return {
    case: 'advanced',
    value: new EncodingOptions({
      width: encoding.width ?? 0,
      height: encoding.height ?? 0,
      framerate: encoding.framerate ?? 0,
      videoBitrate: encoding.videoBitrateKbps ?? 0,
      audioBitrate: encoding.audioBitrateKbps ?? 0,
      keyFrameInterval: encoding.keyFrameIntervalSeconds ?? 0,
    }),
  };
}
