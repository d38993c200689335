// LiveKit's request in the words of Reelkit's own: for the view, the cost and the rules. Pure. No secret comes along: the request
// itself travels beside it.
import { EncodingOptionsPreset } from '@livekit/protocol';
import type { RecordingRequest, RecordingSource } from '../../recording/request.ts';
import { DEFAULTS, LIMITS } from '../../recording/request.ts';
import { effectiveOutputs } from './outputs.ts';
import { passthroughTrackOf } from './passthrough.ts';
import { redactUrl, withoutUrlSecrets } from './redact.ts';
import type { StartMessage, StartRequestOneof } from './rpc.ts';

type V2 = Extract<StartRequestOneof, { case: 'egress' | 'replay' }>['value'];

/** With the limits of a request that says nothing. */
export function liftRequest(message: StartMessage): RecordingRequest {
  return {
    source: withoutUrlSecrets(sourceOf(message)),
    outputs: liftOutputs(message),
    startWithin: DEFAULTS.startWithinMs,
    // LiveKit itself knows no limit: the longest there is.
    maxDuration: LIMITS.maxDurationMs,
    sourceGrace: DEFAULTS.sourceGraceMs,
    priority: DEFAULTS.priority,
    labels: {},
  };
}

/** As a worker names the room in its record; a web page may belong to one. */
export function roomNameOf({ request, roomName }: StartMessage): string {
  const named = request.value && 'roomName' in request.value ? request.value.roomName : '';
  return named || roomName;
}

export function sourceOf(message: StartMessage): RecordingSource {
  const { request, roomName } = message;
  switch (request.case) {
    case 'roomComposite': {
      const { roomName: room, layout, customBaseUrl, audioOnly, videoOnly } = request.value;
      return { type: 'room', room, ...said({ layout, customBaseUrl }), audioOnly, videoOnly };
    }
    case 'web': {
      const { url, audioOnly, videoOnly, awaitStartSignal } = request.value;
      return { type: 'web', url, audioOnly, videoOnly, awaitStartSignal };
    }
    case 'participant': {
      const { roomName: room, identity, screenShare } = request.value;
      return { type: 'participant', room, identity, screenShare };
    }
    case 'trackComposite': {
      const { roomName: room, audioTrackId, videoTrackId } = request.value;
      return { type: 'tracks', room, ...said({ audioTrackId, videoTrackId }) };
    }
    case 'track':
      return { type: 'track', room: request.value.roomName, trackId: request.value.trackId };
    case 'egress':
    case 'replay':
      return sourceOfV2(request.value, roomNameOf(message));
    default:
      // A kind that is newer than Reelkit: counted as the dearest there is.
      return { type: 'room', room: roomName, audioOnly: false, videoOnly: false };
  }
}

function sourceOfV2({ source, encoding }: V2, room: string): RecordingSource {
  switch (source.case) {
    case 'web': {
      const { url, audioOnly, videoOnly, awaitStartSignal } = source.value;
      return { type: 'web', url, audioOnly, videoOnly, awaitStartSignal };
    }
    case 'media': {
      if (encoding.case === 'preset' && encoding.value === EncodingOptionsPreset.PASSTHROUGH)
        return { type: 'track', room, trackId: passthroughTrackOf(source.value) };
      const { video } = source.value;
      const identity = video.case === 'participantVideo' ? video.value.identity : '';
      const videoTrackId = video.case === 'videoTrackId' ? video.value : '';
      return { type: 'media', room, ...said({ identity, videoTrackId }) };
    }
    case 'template': {
      const { layout, customBaseUrl, audioOnly, videoOnly } = source.value;
      return { type: 'room', room, ...said({ layout, customBaseUrl }), audioOnly, videoOnly };
    }
    default:
      return { type: 'room', room, audioOnly: false, videoOnly: false };
  }
}

function liftOutputs({ request }: StartMessage): RecordingRequest['outputs'] {
  const { files, streams, segments, images, websocketUrl } = effectiveOutputs(request);
  return [
    ...files.map(({ filepath }) => ({ type: 'file' as const, ...said({ path: filepath }) })),
    ...streams.map(({ urls }) => ({ type: 'stream' as const, urls: urls.map(redactUrl) })),
    ...(websocketUrl === undefined ? [] : [{ type: 'stream' as const, urls: [redactUrl(websocketUrl)] }]),
    ...segments.map(({ filenamePrefix, playlistName, livePlaylistName }) => ({
      type: 'segments' as const,
      ...said({ prefix: filenamePrefix, playlist: playlistName, livePlaylist: livePlaylistName }),
    })),
    ...images.map(({ filenamePrefix, captureInterval }) => ({
      type: 'images' as const,
      ...said({ prefix: filenamePrefix }),
      ...(captureInterval > 0 ? { intervalSeconds: captureInterval } : {}),
    })),
  ];
}

/** protobuf's empty strings are nothing said. */
function said<T extends Record<string, string>>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== '')) as Partial<T>;
}
