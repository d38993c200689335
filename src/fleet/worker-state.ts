// One state from two witnesses: what the platform says of a worker and what its own ports answer. The careful reading wins. Pure.
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
}

export function stateOf(
  seen: Witnesses,
  notes: WorkerNotes | undefined,
  nowMs: number,
  bootTimeoutMs: number,
): WorkerState {
  if (seen.platform === 'gone') return 'gone';
  if (seen.platform === 'draining' || notes?.drainAskedMs !== undefined) return 'draining';
  if (seen.answered) return seen.outOfService ? 'draining' : 'ready';
  if (seen.platform !== 'running') return 'booting';
  // Silent but running: one that was ready may be busy, and one nobody remembers may have been.
  const forgotten = notes === undefined && nowMs - seen.launchedAtMs > bootTimeoutMs;
  const mayBeBusy = notes?.wasReady || notes?.silentSinceMs !== undefined || forgotten || !seen.owned;
  return mayBeBusy ? 'unreachable' : 'booting';
}
