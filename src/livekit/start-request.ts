// Builds LiveKit's start request for one attempt of one part. The only place where a storage's keys meet a request:
// they exist in the HTTP body to LiveKit and nowhere else.
import {
  AzureBlobUpload,
  DirectFileOutput,
  EncodedFileOutput,
  EncodingOptions,
  EncodingOptionsPreset,
  GCPUpload,
  ParticipantEgressRequest,
  RoomCompositeEgressRequest,
  S3Upload,
  TrackCompositeEgressRequest,
  TrackEgressRequest,
  WebEgressRequest,
  WebhookConfig,
} from '@livekit/protocol';
import type { Storage } from '../config.ts';
import type { Marker } from '../recording/egress.ts';
import { renderPath } from '../recording/path-template.ts';
import type { Encoding, RecordingRequest } from '../recording/request.ts';
import { roomOf } from '../recording/source.ts';
import { markerUrl, markPath } from './marker.ts';

export interface StartSettings {
  apiKey: string;
  publicUrl?: string | undefined;
  pathTemplate: string;
  storages: Record<string, Storage>;
  defaultStorage: string;
}

export type StartRequest =
  | { method: 'StartRoomCompositeEgress'; message: RoomCompositeEgressRequest }
  | { method: 'StartWebEgress'; message: WebEgressRequest }
  | { method: 'StartParticipantEgress'; message: ParticipantEgressRequest }
  | { method: 'StartTrackCompositeEgress'; message: TrackCompositeEgressRequest }
  | { method: 'StartTrackEgress'; message: TrackEgressRequest };

/** @throws Error when the request names a storage that the configuration no longer has */
export function buildStartRequest(
  request: RecordingRequest,
  marker: Marker,
  atMs: number,
  settings: StartSettings,
): StartRequest {
  const file = fileTarget(request, marker, atMs, settings);
  const webhooks = webhooksFor(marker, settings);
  const common = { webhooks, options: optionsOf(request.encoding) };
  const { source } = request;
  switch (source.type) {
    case 'room':
      return {
        method: 'StartRoomCompositeEgress',
        message: new RoomCompositeEgressRequest({
          ...common,
          roomName: source.room,
          layout: source.layout ?? '',
          customBaseUrl: source.customBaseUrl ?? '',
          audioOnly: source.audioOnly,
          videoOnly: source.videoOnly,
          fileOutputs: [new EncodedFileOutput(file)],
        }),
      };
    case 'web':
      return {
        method: 'StartWebEgress',
        message: new WebEgressRequest({
          ...common,
          url: source.url,
          audioOnly: source.audioOnly,
          videoOnly: source.videoOnly,
          awaitStartSignal: source.awaitStartSignal,
          fileOutputs: [new EncodedFileOutput(file)],
        }),
      };
    case 'participant':
      return {
        method: 'StartParticipantEgress',
        message: new ParticipantEgressRequest({
          ...common,
          roomName: source.room,
          identity: source.identity,
          screenShare: source.screenShare,
          fileOutputs: [new EncodedFileOutput(file)],
        }),
      };
    case 'tracks':
      return startTracks(source, file, common);
  }
}

function startTracks(
  source: Extract<RecordingRequest['source'], { type: 'tracks' }>,
  file: FileTarget,
  common: { webhooks: WebhookConfig[]; options: EncodingChoice },
): StartRequest {
  const { room: roomName, audioTrackId, videoTrackId } = source;
  if (audioTrackId && videoTrackId) {
    const message = new TrackCompositeEgressRequest({
      ...common,
      roomName,
      audioTrackId,
      videoTrackId,
      fileOutputs: [new EncodedFileOutput(file)],
    });
    return { method: 'StartTrackCompositeEgress', message };
  }
  // A single track is written as it is, without encoding.
  const message = new TrackEgressRequest({
    roomName,
    trackId: audioTrackId ?? videoTrackId ?? '',
    webhooks: common.webhooks,
    output: { case: 'file', value: new DirectFileOutput(file) },
  });
  return { method: 'StartTrackEgress', message };
}

function webhooksFor(marker: Marker, settings: StartSettings): WebhookConfig[] {
  if (!settings.publicUrl) return [];
  // Always with a signing key: without one, a LiveKit that has no webhook.api_key deadlocks its notifier.
  return [new WebhookConfig({ url: markerUrl(settings.publicUrl, marker), signingKey: settings.apiKey })];
}

interface FileTarget {
  filepath: string;
  output: EncodedFileOutput['output'];
}

function fileTarget(request: RecordingRequest, marker: Marker, atMs: number, settings: StartSettings): FileTarget {
  const wanted = request.outputs[0];
  const { storage } = storageFor(wanted?.storage, settings);
  const rendered = renderPath(wanted?.path ?? settings.pathTemplate, {
    room: roomOf(request.source) ?? 'web',
    recording: marker.recordingId,
    part: marker.part,
    attempt: marker.attempt,
    atMs,
  });
  const path = settings.publicUrl ? rendered : markPath(rendered, marker);
  const prefix = storage.type === 'local' ? storage.path : storage.prefix;
  const filepath = [prefix.replace(/\/$/, ''), path].filter((segment) => segment !== '').join('/');
  return { filepath, output: uploadTo(storage) };
}

export function storageFor(
  name: string | undefined,
  settings: Pick<StartSettings, 'storages' | 'defaultStorage'>,
): { name: string; storage: Storage } {
  const chosen = name ?? settings.defaultStorage;
  const storage = Object.hasOwn(settings.storages, chosen) ? settings.storages[chosen] : undefined;
  if (!storage) {
    const known = Object.keys(settings.storages).join(', ');
    throw new Error(`storage "${chosen}" is not configured; add it to storages, or use one of: ${known}`);
  }
  return { name: chosen, storage };
}

function uploadTo(storage: Storage): FileTarget['output'] {
  switch (storage.type) {
    case 'local':
      return { case: undefined };
    case 's3': {
      const { type: _, prefix: __, ...upload } = storage;
      return { case: 's3', value: new S3Upload(upload) };
    }
    case 'gcs':
      return { case: 'gcp', value: new GCPUpload({ bucket: storage.bucket, credentials: storage.credentials }) };
    case 'azure': {
      const { accountName, accountKey, containerName } = storage;
      return { case: 'azure', value: new AzureBlobUpload({ accountName, accountKey, containerName }) };
    }
  }
}

type EncodingChoice = RoomCompositeEgressRequest['options'];

function optionsOf(encoding: Encoding | undefined): EncodingChoice {
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
