// Is an egress still alive? One pure function over what LiveKit's records, the room and the workers say at one moment.
import type { EgressSnapshot } from './egress.ts';

export interface Sighting {
  /** Null: LiveKit has no record of it, which was measured for egresses that recorded. */
  egress: EgressSnapshot | null;
  inRoom: boolean;
  onWorker: 'yes' | 'no' | 'unknown';
  /** A web page has no room to be seen in. */
  hasRoom: boolean;
  /** Since a worker accepted it. */
  ageMs: number;
  /** How long looks have been in doubt; 0 for the first such look. */
  doubtForMs: number;
}

export type Verdict = 'alive' | 'unsure' | 'lost';

/** By then an accepted egress shows on its worker: LiveKit's launch limit and its io_create_timeout. */
const YOUNG_MS = 15_000;
/** A second look this much later must agree: between a worker's last word and LiveKit's record lies a moment with neither. */
export const CONFIRM_MS = 5_000;
/** LiveKit drops a participant whose connection died after 20.5 s; this covers it even when an egress has just been accepted. */
const GHOST_MS = 45_000;
/** A worker that cannot be asked, for an egress that is not in its room. */
const UNREACHABLE_MS = 60_000;
/** The same for one that has left the room to upload, or never had a room: the worker's `max_upload_queue`. */
const UPLOAD_MS = 3_600_000;

export function judgeSighting(sighting: Sighting): Verdict {
  const { inRoom, onWorker, ageMs, doubtForMs } = sighting;
  if (onWorker === 'yes') return 'alive';
  // The room outlives a killed worker by 20.5 s. Still there after that: it runs on a worker the provider does not know.
  if (inRoom) return onWorker === 'no' && doubtForMs < GHOST_MS ? 'unsure' : 'alive';
  if (ageMs < YOUNG_MS) return 'unsure';
  return doubtForMs >= patienceMs(sighting) ? 'lost' : 'unsure';
}

function patienceMs({ egress, onWorker, hasRoom }: Sighting): number {
  if (onWorker === 'no') return CONFIRM_MS;
  const mayUpload = egress?.status === 'ENDING';
  return hasRoom && !mayUpload ? UNREACHABLE_MS : UPLOAD_MS;
}

/** When to look again at an egress that showed no sign of life. @param look counts from 1 */
export function doubtRecheckMs(look: number): number {
  return Math.min(CONFIRM_MS * 2 ** (look - 1), 300_000);
}
