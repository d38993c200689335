// How long to wait before something is tried again: twice as long each time, up to a limit. Pure; who must not do it at the same
// moment as everybody else adds jitter, and a workflow does not, because it must decide the same twice.

export interface Backoff {
  firstMs: number;
  maxMs: number;
}

/** Beyond any limit in use; keeps the arithmetic finite. */
const MOST_DOUBLINGS = 30;

/** @param nth try that failed, from 1 */
export function backoffMs({ firstMs, maxMs }: Backoff, nth: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(Math.max(0, nth - 1), MOST_DOUBLINGS));
}

/** Between half of it and all of it, so that processes that lost the same server do not come back together. */
export function withJitter(ms: number, random: () => number = Math.random): number {
  return Math.round(ms * (0.5 + random() / 2));
}
