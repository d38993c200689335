// What follows from the source of a recording. Apart from request.ts, so that workflows can use it without bundling zod.
import type { RecordingSource } from './request.ts';

/** The room a source lives in; web pages have none. */
export function roomOf(source: RecordingSource): string | undefined {
  return source.type === 'web' ? undefined : source.room;
}

/** Who is in a room, as far as sources and ends need it. */
export interface Participant {
  identity: string;
  trackIds: readonly string[];
  /** Not an agent, a recorder, an ingress, or hidden. */
  isPerson: boolean;
}

/** Whose recording it is, when it is one participant's: who leaves may come back under the same identity. */
export function identityOf(source: RecordingSource): string | undefined {
  return source.type === 'participant' || source.type === 'media' ? source.identity : undefined;
}

/** As a worker looks for it: a room as such is always there. */
export function isInRoom(source: RecordingSource, participants: readonly Participant[]): boolean {
  const identity = identityOf(source);
  const tracks = new Set(participants.flatMap(({ trackIds }) => trackIds));
  return (
    (identity === undefined || participants.some((one) => one.identity === identity)) &&
    trackIdsOf(source).every((id) => tracks.has(id))
  );
}

/** Those that it names. */
export function trackIdsOf(source: RecordingSource): string[] {
  if (source.type === 'track') return [source.trackId];
  if (source.type === 'media') return source.videoTrackId === undefined ? [] : [source.videoTrackId];
  if (source.type !== 'tracks') return [];
  return [source.audioTrackId, source.videoTrackId].filter((id) => id !== undefined);
}
