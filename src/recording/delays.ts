// How long a recording waits before it tries again. Pure.
import { backoffMs } from '../common/backoff.ts';

const QUEUE = { firstMs: 30_000, maxMs: 300_000 };
const MISSED = { firstMs: 1_000, maxMs: QUEUE.firstMs };

/**
 * While waiting the fleet wakes a recording; this timer only covers a lost signal. Whoever was admitted and found no worker asks again
 * soon: the fleet counts on it. @param round counts from 1
 */
export function queueRecheckMs(round: number, turnsMissed = 0): number {
  return turnsMissed > 0 ? backoffMs(MISSED, turnsMissed) : backoffMs(QUEUE, round);
}

/** `startWithin` may be 24 h: with this limit the looks stay below a third of Temporal's 51,200 events. */
const ROOM = { firstMs: 2_000, maxMs: 60_000 };

/** A room that is not there yet: the webhook usually wakes us, so this may be slow. @param round counts from 1 */
export function roomRecheckMs(round: number): number {
  return backoffMs(ROOM, round);
}

const SOURCE = { firstMs: 60_000, maxMs: 300_000 };

/** Whoever was asked for the source tells when it comes; this only covers a process that died with the question. @param look from 1 */
export function sourceRecheckMs(look: number): number {
  return backoffMs(SOURCE, look);
}

/**
 * One that begins in the queue has nothing to do at first: its first task is due when a burst has been accepted. An update wakes it at
 * once; a signal waits.
 */
export const ASLEEP_MS = 2_000;

/**
 * How much later than maxDuration a recording may be stopped: its time counts from when media flows, which is known after the timer
 * was set, and a second timer costs an action. A server's timers and a workflow's clock differ by milliseconds, too.
 */
export function deadlineSlackMs(maxDurationMs: number): number {
  return Math.min(1_000, Math.max(100, maxDurationMs / 1_000));
}

/** Parts that failed within this time of their start count as failures in a row. */
export const SHORT_PART_MS = 60_000;
/** So many short parts in a row and the recording gives up. */
export const MAX_SHORT_PARTS = 5;
/** So many parts at all: keeps a recording that breaks every other minute inside Temporal's limit on history. */
export const MAX_PARTS = 100;

/** Minutes in all: a fleet whose workers break needs them to put others in their place. */
const PART_DELAYS_MS = [0, 1_000, 10_000, 60_000, 120_000] as const;

/** @param shortParts failures in a row, from 0 */
export function nextPartDelayMs(shortParts: number): number {
  return PART_DELAYS_MS[Math.min(shortParts, PART_DELAYS_MS.length - 1)] ?? 0;
}

/** Of a look that had no answer. @param look counts from 1 */
export function unansweredRecheckMs(look: number): number {
  return Math.min(5_000 * 2 ** (look - 1), 300_000);
}

const STOPPED = { firstMs: 15_000, maxMs: 300_000 };

/** After a stop the end should be told within seconds; then we look ourselves, less and less often. @param look counts from 1 */
export function stopRecheckMs(look: number): number {
  return backoffMs(STOPPED, look);
}

/** Most files are finished by then: the stop is answered with the end, and nobody need look. */
export const STOP_WAIT_MS = 10_000;

/** A successor that records nothing by then is given up: the part that it was to take over from records on. */
export const SUCCESSOR_LIMIT_MS = 60_000;

/** Its worker goes, so another one is asked soon, and again. */
export function handOverRetryMs(round: number): number {
  return backoffMs(HAND_OVER, round);
}
const HAND_OVER = { firstMs: 2_000, maxMs: 30_000 };

/** What is stopped before it records is gone by then: soon enough for LiveKit's caller, who waits 3 s. */
export const ABORT_LIMIT_MS = 2_000;
/** An egress that lives on so long after a stop will not end: the longest upload a worker allows is an hour. */
export const STOP_LIMIT_MS = 6 * 3_600_000;
