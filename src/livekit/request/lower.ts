// From Reelkit's own request to the one that LiveKit's workers know. Pure. Keys of configured storages are not part of it: each
// upload is named, and gets them when it leaves for a worker.
import {
  DirectFileOutput,
  type EncodedFileOutput,
  EncodingOptions,
  EncodingOptionsPreset,
  type ImageOutput,
  ParticipantEgressRequest,
  RoomCompositeEgressRequest,
  type SegmentedFileOutput,
  type StreamOutput,
  TrackCompositeEgressRequest,
  TrackEgressRequest,
  WebEgressRequest,
} from '@livekit/protocol';
import type { Storage } from '../../config/storages.ts';
import { renderPath } from '../../recording/path-template.ts';
import type { Encoding, RecordingOutput, RecordingRequest } from '../../recording/request.ts';
import { type InlineStorage, isInline } from '../../recording/request-storage.ts';
import { roomOf } from '../../recording/source.ts';
import { lowerFile } from './lower-file.ts';
import { lowerImages } from './lower-images.ts';
import type { OutputOf, Place } from './lower-output.ts';
import { lowerSegments } from './lower-segments.ts';
import { lowerStream } from './lower-stream.ts';
import { renderNames } from './names.ts';
import { allOutputs } from './outputs.ts';
import { StartMessage, type StartRequestOneof } from './rpc.ts';
import { storageFor } from './storages.ts';

export interface LowerSettings {
  pathTemplate: string;
  storages: Record<string, Storage>;
  defaultStorage: string;
}

export interface LowerContext {
  egressId: string;
  /** What `{recording}` is in a path; the id by default. */
  recordingName?: string;
  /** The id may be used again, and workers name their manifests by it alone (`<egress id>.json`, beside the file). */
  noManifest?: boolean;
  /** The room's sid; empty: not known yet. */
  roomId: string;
  atMs: number;
  settings: LowerSettings;
}

export interface Lowered {
  message: StartMessage;
  /** Configured storages of its file, segments and images outputs, in this order; null: the output has its own. */
  storages: (string | null)[];
}

/** @throws Error when the request names a storage that is not configured */
export function lowerRequest(request: RecordingRequest, context: LowerContext): Lowered {
  const { egressId, roomId, atMs } = context;
  const outputs = lowerOutputs(request, context);
  const message = new StartMessage({ egressId, roomId, request: lowerSource(request, outputs) });
  if (context.noManifest) withoutManifest(message.request);
  return { message: renderNames(message, { atMs }), storages: storagesOf(request, context.settings.defaultStorage) };
}

function withoutManifest(request: StartRequestOneof): void {
  const { files, segments, images } = allOutputs(request);
  for (const output of [...files, ...segments, ...images]) output.disableManifest = true;
}

interface Outputs {
  fileOutputs: EncodedFileOutput[];
  streamOutputs: StreamOutput[];
  segmentOutputs: SegmentedFileOutput[];
  imageOutputs: ImageOutput[];
}

function lowerOutputs(request: RecordingRequest, context: LowerContext): Outputs {
  const place: Place = (template, storage) => pathIn(template, storage, request, context);
  return {
    fileOutputs: ofType(request, 'file').map((output) => lowerFile(output, place)),
    streamOutputs: ofType(request, 'stream').map(lowerStream),
    segmentOutputs: ofType(request, 'segments').map((output) => lowerSegments(output, place)),
    imageOutputs: ofType(request, 'images').map((output) => lowerImages(output, place)),
  };
}

/** In the order of `withStorages`. */
function storagesOf(request: RecordingRequest, fallback: string): (string | null)[] {
  const stored = [...ofType(request, 'file'), ...ofType(request, 'segments'), ...ofType(request, 'images')];
  return stored.map(({ storage }) => (isInline(storage) ? null : (storage ?? fallback)));
}

function ofType<Type extends RecordingOutput['type']>({ outputs }: RecordingRequest, type: Type): OutputOf<Type>[] {
  return outputs.filter((output): output is OutputOf<Type> => output.type === type);
}

function pathIn(
  template: string | undefined,
  wanted: InlineStorage | string | undefined,
  request: RecordingRequest,
  { egressId, recordingName: recording = egressId, atMs, settings }: LowerContext,
): string {
  const storage = isInline(wanted) ? wanted : storageFor(wanted ?? settings.defaultStorage, settings.storages);
  const room = roomOf(request.source) ?? 'web';
  const path = renderPath(template ?? settings.pathTemplate, { room, recording, atMs });
  const prefix = storage.type === 'local' ? storage.path : storage.prefix;
  return [prefix.replace(/\/$/, ''), path].filter((segment) => segment !== '').join('/');
}

function lowerSource({ source, encoding }: RecordingRequest, outputs: Outputs): StartRequestOneof {
  const common = { ...outputs, options: optionsOf(encoding) };
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
    ? ({ case: 'file', value: new DirectFileOutput({ filepath: file.filepath, output: file.output }) } as const)
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
