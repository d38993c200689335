// Times that other clocks tell. Durations are measured by one clock: a recording's decisions by Temporal's, which its workflow reads;
// what a worker or a host says is believed only between moments that this clock has proven. Pure.

/** A request is kept by Temporal within this, or fails. */
const ACCEPTED_WITHIN_MS = 10_000;

/** Of another clock, but never before or after what is proven. */
export function between(earliestMs: number, toldMs: number, latestMs: number): number {
  return Math.min(Math.max(toldMs, earliestMs), latestMs);
}

/** When it was asked for: by the host that accepted it, as far as Temporal's clock agrees. @param keptAtMs when Temporal had it */
export function requestedAt(toldMs: number, keptAtMs: number): number {
  return between(keptAtMs - ACCEPTED_WITHIN_MS, toldMs, keptAtMs);
}

/** What a worker says of a part, by its own clock; unix ms. */
export interface WorkerTimes {
  acceptedAtMs?: number | undefined;
  startedAtMs?: number | undefined;
  endedAtMs?: number | undefined;
}

/** The same part by ours, as far as it is known. */
export interface PartTimes {
  acceptedAtMs?: number | undefined;
  startedAtMs?: number | undefined;
}

/**
 * When a part ended: how long it took by its worker's clock, from when it began by ours. Without that it ended when it was heard of.
 * @param nowMs when its end was heard of
 */
export function partEndedAt(part: PartTimes, worker: WorkerTimes, nowMs: number): number {
  const earliestMs = part.startedAtMs ?? part.acceptedAtMs ?? nowMs;
  const since = (['startedAtMs', 'acceptedAtMs'] as const).find(
    (key) => part[key] !== undefined && worker[key] !== undefined,
  );
  if (since === undefined || worker.endedAtMs === undefined) return nowMs;
  const lastedMs = worker.endedAtMs - (worker[since] ?? 0);
  return between(earliestMs, (part[since] ?? 0) + lastedMs, nowMs);
}
