// An egress that was accepted and does not record: nobody publishes, which may last, or it hangs. Pure.
import type { RecordingSource } from './request.ts';
import { identityOf, trackIdsOf } from './source.ts';

/** Somebody in a room, by what flows from there. */
export interface Publisher {
  identity: string;
  /** Neither muted nor data. */
  sends: readonly SentTrack[];
}

export interface SentTrack {
  id: string;
  kind: 'audio' | 'video';
  /** Of a shared screen, its sound included. */
  isScreen: boolean;
}

/** Media flows within seconds; a browser on a busy machine takes half a minute. From then on somebody looks why it does not. */
export const START_LIMIT_MS = 60_000;
/** With media to record. Whoever began to publish just before the first look is recorded by then. */
export const HANG_LIMIT_MS = 20_000;

/** awaiting: nobody publishes. late: somebody does. hung: for too long. */
export type StartVerdict = 'fine' | 'awaiting' | 'late' | 'hung';

export interface StartSighting {
  /** Since a worker accepted it. */
  ageMs: number;
  /** Somebody publishes what it records; undefined: nobody can tell. */
  publishes: boolean | undefined;
  /** For how long looks have found that; 0 for the first one. */
  publishedForMs: number;
}

/** Of an egress that lives, and whose worker has not reported that it records. */
export function judgeStart({ ageMs, publishes, publishedForMs }: StartSighting): StartVerdict {
  if (ageMs < START_LIMIT_MS || publishes === undefined) return 'fine';
  if (!publishes) return 'awaiting';
  return publishedForMs >= HANG_LIMIT_MS ? 'hung' : 'late';
}

/** A page, or a template of the user's own. */
export function beginsItself(source: RecordingSource): boolean {
  return source.type === 'web' || (source.type === 'room' && source.customBaseUrl !== undefined);
}

/**
 * Does somebody send what it would record? Undefined for a page or a template of the user's own: that decides when it begins.
 * @param others who is in the room, without its recorder
 */
export function isPublished(source: RecordingSource, others: readonly Publisher[]): boolean | undefined {
  if (beginsItself(source)) return undefined;
  const identity = identityOf(source);
  const tracks = others
    .filter((one) => identity === undefined || one.identity === identity)
    .flatMap(({ sends }) => sends);
  const asked = trackIdsOf(source);
  if (asked.length > 0) return asked.every((id) => tracks.some((track) => track.id === id));
  const has = (kind: SentTrack['kind']) => tracks.some((track) => track.kind === kind);
  switch (source.type) {
    case 'room':
      return source.audioOnly ? has('audio') : source.videoOnly ? has('video') : tracks.length > 0;
    case 'participant':
      return tracks.some(({ isScreen }) => isScreen === source.screenShare);
    default:
      // Which of the two it takes stands in LiveKit's own request.
      return has('audio') && has('video');
  }
}
