// Who takes part in a demo: rooms with their speakers, and how each recording is to end. Pure.

import { formatDuration } from '../recording/duration.ts';
import type { RecordingRequestInput } from '../recording/request.ts';

export const SOURCES = ['room', 'participant', 'tracks'] as const;
export type SourceKind = (typeof SOURCES)[number];

/** Where a recording is asked for: through LiveKit, with its unmodified SDK, or at Reelkit's own API. */
export type Door = 'sdk' | 'api';

/** How a recording of the demo comes to its end. `max_duration` is left alone. */
export type Role = 'extended' | 'cancelled' | 'room_closes' | 'max_duration';

export interface Actor {
  room: string;
  identity: string;
  toneHz: number;
  role: Role;
  door: Door;
}

export interface Timing {
  maxDurationMs: number;
  extendByMs: number;
  /** Counted from the moment media flows. */
  cancelAfterMs: number;
  closeAfterMs: number;
}

export const MIN_DURATION_MS = 12_000;
export const MAX_DURATION_MS = 600_000;
export const MAX_ROOMS = 40;

const roomNames = [
  ...['alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot', 'golf', 'hotel', 'india', 'juliett', 'kilo', 'lima'],
  ...['mike', 'november', 'oscar', 'papa', 'quebec', 'romeo', 'sierra', 'tango', 'uniform', 'victor', 'whiskey'],
];
/** The first three each show something; one recording alone is left to its end. */
const roles: readonly Role[] = ['extended', 'cancelled', 'room_closes'];
const lowestToneHz = 300;
const highestToneHz = 2_400;
const widestToneStepHz = 110;
export const encoding = { width: 640, height: 360, framerate: 15, videoBitrateKbps: 600, keyFrameIntervalSeconds: 2 };
/** Far beyond a boot, so that the demo's own limits speak first. */
export const startWithin = '5m';

export function castOf(rooms: number): Actor[] {
  const stepHz = Math.min(widestToneStepHz, Math.floor((highestToneHz - lowestToneHz) / rooms));
  return Array.from({ length: rooms }, (_, i) => {
    const room = roomName(i);
    return {
      room,
      identity: `speaker-${room}`,
      toneHz: lowestToneHz + i * stepHz,
      role: roleOf(i, rooms),
      door: i % 2 === 0 ? 'sdk' : 'api',
    };
  });
}

function roomName(i: number): string {
  const round = Math.floor(i / roomNames.length);
  const name = roomNames[i % roomNames.length] ?? 'room';
  return round === 0 ? name : `${name}-${round + 1}`;
}

function roleOf(i: number, rooms: number): Role {
  return rooms === 1 ? 'max_duration' : (roles[i] ?? 'max_duration');
}

export function timingOf(maxDurationMs: number): Timing {
  const share = (part: number) => Math.round((maxDurationMs * part) / 1_000) * 1_000;
  return { maxDurationMs, extendByMs: share(0.4), cancelAfterMs: share(0.4), closeAfterMs: share(0.5) };
}

/** How long an uninterrupted recording of this role lasts. */
export function wantedDurationMs({ role }: Actor, timing: Timing): number {
  switch (role) {
    case 'extended':
      return timing.maxDurationMs + timing.extendByMs;
    case 'cancelled':
      return timing.cancelAfterMs;
    case 'room_closes':
      return timing.closeAfterMs;
    case 'max_duration':
      return timing.maxDurationMs;
  }
}

export interface PublishedTracks {
  audioTrackId: string;
  videoTrackId: string;
}

export function requestFor(
  { room, identity }: Actor,
  kind: SourceKind,
  { audioTrackId, videoTrackId }: PublishedTracks,
  { maxDurationMs }: Timing,
): RecordingRequestInput {
  const source = {
    room: { type: 'room', room } as const,
    participant: { type: 'participant', room, identity } as const,
    tracks: { type: 'tracks', room, audioTrackId, videoTrackId } as const,
  }[kind];
  return {
    source,
    encoding,
    startWithin,
    maxDuration: formatDuration(maxDurationMs),
    labels: { 'started-by': 'reelkit-demo' },
  };
}
