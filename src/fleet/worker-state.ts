// One state from three witnesses: what the platform says of a worker, what its own ports answer, and whether it listens on the bus.
// The careful reading wins. Pure.
import type { WorkerNotes, WorkerState } from './observation.ts';

export interface Witnesses {
  /** The platform's own state, as in src/capacity/provider.ts. */
  platform: 'requested' | 'booting' | 'running' | 'draining' | 'gone';
  owned: boolean;
  launchedAtMs: number;
  /** The health port answered. */
  answered: boolean;
  /** The worker says it is disabled or terminating. */
  outOfService: boolean;
  /** It keeps not taking starts. */
  setAside?: boolean;
  /** It listens for starts; undefined when the bus could not be asked. */
  present?: boolean | undefined;
}

export function workerStateOf(
  seen: Witnesses,
  notes: WorkerNotes | undefined,
  nowMs: number,
  bootTimeoutMs: number,
): WorkerState {
  if (seen.platform === 'gone') return 'gone';
  if (seen.platform === 'draining' || notes?.drainAskedMs !== undefined) return 'draining';
  if (seen.answered && (seen.outOfService || seen.setAside)) return 'draining';
  if (seen.answered && seen.present !== false) return 'ready';
  if (seen.platform !== 'running') return 'booting';
  // Silent or deaf, but running: one that was ready may be busy, and one nobody remembers may have been.
  const forgotten = notes === undefined && nowMs - seen.launchedAtMs > bootTimeoutMs;
  const mayBeBusy = notes?.wasReady || notes?.silentSinceMs !== undefined || forgotten || !seen.owned;
  return mayBeBusy ? 'unreachable' : 'booting';
}
