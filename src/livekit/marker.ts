// The marker of a start: which recording, part and attempt an egress belongs to. LiveKit takes no id of ours, so the marker
// rides in the URL of the per-request webhook, or in the file path when Reelkit has no public URL. Both come back in EgressInfo.
import type { Marker } from '../recording/egress.ts';

export const WEBHOOK_PATH = '/webhooks/livekit';

export function markerUrl(publicUrl: string, marker: Marker): string {
  const url = new URL(publicUrl);
  url.pathname = url.pathname.replace(/\/+$/, '') + WEBHOOK_PATH;
  url.searchParams.set('recording', marker.recordingId);
  url.searchParams.set('part', String(marker.part));
  url.searchParams.set('attempt', String(marker.attempt));
  return url.toString();
}

/** @param url absolute, or a request's own path and query */
export function markerOfUrl(url: string): Marker | undefined {
  if (!URL.canParse(url, 'http://reelkit')) return undefined;
  const { pathname, searchParams } = new URL(url, 'http://reelkit');
  if (!pathname.endsWith(WEBHOOK_PATH)) return undefined;
  return toMarker(searchParams.get('recording'), searchParams.get('part'), searchParams.get('attempt'));
}

const IN_PATH = /~([A-Za-z0-9_-]+)~(\d+)~(\d+)(?:\.[A-Za-z0-9]{1,5})?$/;

/** Puts the marker before the extension: `talk.mp4` -> `talk~<recording>~<part>~<attempt>.mp4`. */
export function markPath(path: string, marker: Marker): string {
  const extension = path.match(/\.[A-Za-z0-9]{1,5}$/)?.[0] ?? '';
  const stem = path.slice(0, path.length - extension.length);
  return `${stem}~${marker.recordingId}~${marker.part}~${marker.attempt}${extension}`;
}

export function markerOfPath(path: string): Marker | undefined {
  const [, recordingId, part, attempt] = path.match(IN_PATH) ?? [];
  return toMarker(recordingId, part, attempt);
}

function toMarker(recordingId?: string | null, part?: string | null, attempt?: string | null): Marker | undefined {
  if (!recordingId || !/^[A-Za-z0-9_-]+$/.test(recordingId)) return undefined;
  if (!isCount(part) || !isCount(attempt)) return undefined;
  return { recordingId, part: Number(part), attempt: Number(attempt) };
}

/** Counts from 1, as markerUrl and markPath write it. */
function isCount(text?: string | null): boolean {
  return typeof text === 'string' && /^[1-9]\d{0,8}$/.test(text);
}
