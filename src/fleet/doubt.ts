// A worker that does not take what it is sent: for how long it is passed over, and from when on it is no capacity. Pure.
import { formatDuration } from '../recording/duration.ts';

export interface Doubt {
  /** Starts in a row that it did not take. Several at once are one. */
  times: number;
  /** Nothing is sent to it until then, unix ms. */
  untilMs: number;
}

/** Longer each time. */
const PASSED_OVER_MS = { first: 2_000, most: 60_000 };
/** So long after it was passed over the next start counts as one more in a row. */
export const DOUBT_REMEMBERED_MS = 60_000;
/** Once may be a slow moment. */
const SET_ASIDE_AT = 3;

export function nextDoubt(known: Doubt | undefined, nowMs: number): Doubt {
  if (known && known.untilMs > nowMs) return known;
  const times = (known?.times ?? 0) + 1;
  const forMs = Math.min(PASSED_OVER_MS.most, PASSED_OVER_MS.first * 2 ** Math.min(times - 1, 20));
  return { times, untilMs: nowMs + forMs };
}

/** It keeps not taking anything: no capacity until it is trusted again. */
export function isSetAside({ times }: Doubt): boolean {
  return times >= SET_ASIDE_AT;
}

export function whyDoubted({ times, untilMs }: Doubt, nowMs: number): string {
  const forMs = Math.max(0, untilMs - nowMs);
  const what = times === 1 ? 'it did not take the last start' : `it did not take ${times} starts in a row`;
  return `${what}, and is ${forMs > 0 ? `passed over for ${formatDuration(Math.ceil(forMs / 1_000) * 1_000)}` : 'tried again'}`;
}
