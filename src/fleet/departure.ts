// Whether a worker is about to go, and by whose word. Pure.
import type { ObservedWorker } from './observation.ts';

/** worker_ends: its platform ends it then (ISO 8601), whatever it does. worker_leaves: ours, and to end once it is idle. */
export type Departure = { code: 'worker_ends'; at: string } | { code: 'worker_leaves'; why: string };

/** Nobody else's worker is asked to go, but nothing lasts on it either. */
export function departureOf({
  owned,
  endsAtMs,
  leaving,
}: Pick<ObservedWorker, 'owned' | 'endsAtMs' | 'leaving'>): Departure | undefined {
  if (endsAtMs !== undefined) return { code: 'worker_ends', at: new Date(endsAtMs).toISOString() };
  return owned && leaving !== undefined ? { code: 'worker_leaves', why: leaving } : undefined;
}
