// The PASSTHROUGH preset: one track, copied as it is. livekit/egress pkg/config/pipeline.go. Pure.
import {
  EncodedFileType,
  type ExportReplayRequest,
  type MediaSource,
  type StartEgressRequest,
} from '@livekit/protocol';
import { invalidField } from './refused.ts';

/** @throws Refused for what cannot be copied as it is */
export function checkPassthrough({ source, outputs }: StartEgressRequest | ExportReplayRequest): void {
  if (source.case !== 'media') throw invalidField('passthrough source');
  const video = videoTrackOf(source.value);
  const audio = audioTrackOf(source.value);
  if ((video === '') === (audio === '')) throw invalidField('passthrough track_id');
  const [output] = outputs;
  if (!output || outputs.length > 1) throw invalidField('passthrough outputs');
  if (output.config.case !== 'file') throw invalidField('passthrough output');
  if (output.config.value.fileType !== EncodedFileType.DEFAULT_FILETYPE) throw invalidField('passthrough file_type');
}

function videoTrackOf({ video }: MediaSource): string {
  if (video.case === 'participantVideo') throw invalidField('passthrough participant_video');
  if (video.case === 'videoTrackId' && !video.value) throw invalidField('passthrough video_track_id');
  return video.value ?? '';
}

function audioTrackOf({ audio }: MediaSource): string {
  if (audio?.captureAll) throw invalidField('passthrough capture_all');
  const [route, second] = audio?.routes ?? [];
  if (second) throw invalidField('passthrough audio routes');
  if (!route) return '';
  if (route.match.case !== 'trackId') throw invalidField('passthrough audio route match');
  if (!route.match.value) throw invalidField('passthrough audio route track_id');
  return route.match.value;
}

/** The one track of a valid request; its id is the worker's name for a file without one. */
export function passthroughTrackOf(media: MediaSource): string {
  const [route] = media.audio?.routes ?? [];
  const audio = route?.match.case === 'trackId' ? route.match.value : '';
  return media.video.case === 'videoTrackId' ? media.video.value : audio;
}
