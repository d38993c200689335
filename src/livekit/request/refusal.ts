// What every worker would refuse, in the worker's words: said at once, not minutes later when the request has waited. Pure. What
// depends on a worker's own configuration is left to the worker.
import { effectiveOutputs } from './outputs.ts';
import type { StartMessage } from './rpc.ts';

export interface Refusal {
  /** psrpc's. */
  code: 'invalid_argument';
  message: string;
}

export function refusalOf({ request }: StartMessage): Refusal | undefined {
  switch (request.case) {
    case 'web':
      return isHttp(request.value.url) ? outputsRefusal(request) : missing('web url');
    case 'participant':
      return request.value.identity ? outputsRefusal(request) : missing('identity');
    case 'trackComposite': {
      const { audioTrackId, videoTrackId } = request.value;
      return audioTrackId || videoTrackId ? outputsRefusal(request) : missing('audio_track_id or video_track_id');
    }
    case 'track':
      if (!request.value.trackId) return missing('track_id');
      return request.value.output.case === undefined ? missing('output') : undefined;
    case 'roomComposite': {
      const { audioOnly, videoOnly, customBaseUrl } = request.value;
      if (customBaseUrl && !isHttp(customBaseUrl)) return missing('template base url');
      return audioOnly && videoOnly ? missing('audio_only and video_only') : outputsRefusal(request);
    }
    default:
      return outputsRefusal(request);
  }
}

function outputsRefusal(request: StartMessage['request']): Refusal | undefined {
  const { files, streams, segments, images } = effectiveOutputs(request);
  if (files.length + streams.length + segments.length + images.length === 0) return missing('output');
  if (files.length > 1) return missing('multiple file outputs');
  if (streams.length > 1) return missing('multiple stream outputs');
  if (segments.length > 1) return missing('multiple segmented file outputs');
  return undefined;
}

function missing(field: string): Refusal {
  return { code: 'invalid_argument', message: `request has missing or invalid field: ${field}` };
}

function isHttp(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
}
