// Is an egress still alive? One pure function over what the bus, the workers and the room say at one moment.
import { backoffMs } from '../common/backoff.ts';

export interface Sighting {
  inRoom: boolean;
  /** `dead`: two witnesses agree that its worker is gone. `no`: its worker lives, and neither it nor the bus shows the egress. */
  onWorker: 'yes' | 'no' | 'dead' | 'unknown';
  /** It was stopped, and may have left its room to upload. */
  mayUpload: boolean;
  /** Nothing can follow: there is no room to record in any more. */
  roomGone: boolean;
  /** A web page has no room to be seen in. */
  hasRoom: boolean;
  /** Since a worker accepted it. */
  ageMs: number;
  /** How long looks have been in doubt; 0 for the first such look. */
  doubtForMs: number;
}

export type Verdict = 'alive' | 'unsure' | 'lost';

/** An egress subscribes before its start is answered; this covers a look that began before. */
const YOUNG_MS = 2_000;
/** A worker that lives still reports how its egress ended: between its last sign and that report lies a moment with neither. */
export const CONFIRM_MS = 5_000;
/** A report that nobody answered is sent again after 30 to 90 s (livekit/egress io client). */
const REPORT_MS = 100_000;
/** A worker that does not answer, for an egress that is not in its room either. Who lost LiveKit for a moment is back within 12 s. */
const UNREACHABLE_MS = 15_000;
/** The same for one that has left the room to upload, or never had a room: the worker's `max_upload_queue`. */
const UPLOAD_MS = 3_600_000;

export function judgeSighting(sighting: Sighting): Verdict {
  const { inRoom, onWorker, ageMs, doubtForMs } = sighting;
  if (onWorker === 'yes') return 'alive';
  // A killed recorder stays in the room for 20.5 s more, so the room is no witness for it.
  if (onWorker === 'dead') return 'lost';
  if (onWorker === 'unknown' && inRoom) return 'alive';
  if (ageMs < YOUNG_MS) return 'unsure';
  return doubtForMs >= patienceMs(sighting) ? 'lost' : 'unsure';
}

function patienceMs({ mayUpload, onWorker, hasRoom, roomGone }: Sighting): number {
  // Nobody waits for a next part, so the report of the last one may take its time.
  if (onWorker === 'no') return mayUpload || roomGone ? REPORT_MS : CONFIRM_MS;
  return hasRoom && !mayUpload ? UNREACHABLE_MS : UPLOAD_MS;
}

/** When to look again at an egress that showed no sign of life. @param look counts from 1 */
export function doubtRecheckMs(look: number): number {
  return backoffMs({ firstMs: CONFIRM_MS, maxMs: 300_000 }, look);
}
