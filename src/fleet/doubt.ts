// A worker that does not take what it is sent, or whose recordings fail as soon as they begin: for how long it is passed over, and from
// when on it is set aside, which is no capacity. Pure.
import { formatDuration } from '../recording/duration.ts';

/**
 * not_taken: starts are not claimed, not granted or not answered. fails: what it starts fails within seconds. hangs: what it started never
 * began to record, although somebody published.
 */
export const DOUBT_CODES = ['not_taken', 'fails', 'hangs'] as const;
export type DoubtCode = (typeof DOUBT_CODES)[number];

export interface Doubt {
  /** Of the last time. */
  code: DoubtCode;
  /** In a row. Several at once are one. */
  times: number;
  /** It lasts until then, unix ms. */
  untilMs: number;
}

/** Longer each time. Where starts are not taken none is sent for so long; after one that failed others are tried first. */
const DOUBTED_MS: Record<DoubtCode, number> = { not_taken: 2_000, fails: 10_000, hangs: 60_000 };
/**
 * In a row. Once may be a slow moment, twice a request that fails everywhere; but whoever hung there has lost more than a minute, and would
 * lose another.
 */
const SET_ASIDE_AT: Record<DoubtCode, number> = { not_taken: 3, fails: 3, hangs: 1 };
/** From then on it lasts. */
const OFTEN_TIMES = 3;
/** Then it is tried again by itself. */
const SET_ASIDE_MS = 600_000;
/** So long after it was over the next one counts as one more in a row. */
export const DOUBT_REMEMBERED_MS: Record<DoubtCode, number> = { not_taken: 60_000, fails: 600_000, hangs: 600_000 };

export function nextDoubt(known: Doubt | undefined, code: DoubtCode, nowMs: number): Doubt {
  if (known && known.untilMs > nowMs) return known;
  // One that was set aside and is tried again fails once to be set aside again.
  const times = (known?.times ?? 0) + 1;
  const forMs = times >= OFTEN_TIMES ? SET_ASIDE_MS : DOUBTED_MS[code] * 2 ** (times - 1);
  return { code, times, untilMs: nowMs + forMs };
}

/** No capacity until it is tried again, trusted or forgiven. */
export function isSetAside({ code, times, untilMs }: Doubt, nowMs: number): boolean {
  return times >= SET_ASIDE_AT[code] && untilMs > nowMs;
}

/** Nothing is sent to it. A single failure may be the request's: without another worker it is tried there again. */
export function isPassedOver(doubt: Doubt | undefined, nowMs: number): boolean {
  return doubt !== undefined && doubt.untilMs > nowMs && (doubt.code === 'not_taken' || isSetAside(doubt, nowMs));
}

/** It takes what no other worker has room for. */
export function isLastChoice(doubt: Doubt | undefined): boolean {
  return doubt !== undefined && doubt.code !== 'not_taken';
}

const ONCE: Record<DoubtCode, string> = {
  not_taken: 'it did not take the last start',
  fails: 'what it recorded last failed within seconds',
  hangs: 'what it started last never began to record',
};
const OFTEN: Record<DoubtCode, string> = {
  not_taken: 'starts are not taken there',
  fails: 'recordings fail there within seconds of their start',
  hangs: 'what is started there never begins to record',
};

export function whySetAside({ code, times }: Doubt): string {
  return times === 1 ? ONCE[code] : `${OFTEN[code]} (${times} in a row)`;
}

export function whyDoubted(doubt: Doubt, nowMs: number): string {
  const { untilMs } = doubt;
  const what = whySetAside(doubt);
  const forMs = Math.ceil(Math.max(0, untilMs - nowMs) / 1_000) * 1_000;
  if (forMs === 0) return `${what}: it is tried again`;
  if (!isPassedOver(doubt, nowMs)) return `${what}: others are tried first`;
  return `${what}: it is ${isSetAside(doubt, nowMs) ? 'set aside' : 'passed over'} for ${formatDuration(forMs)}`;
}

export interface Run {
  status: string;
  /** As in EgressInfo. */
  errorCode?: number | undefined;
  /** From the accepted start to the last report. */
  livedMs: number;
  /** Media flowed. */
  hasRecorded: boolean;
}

const FAILS_WITHIN_MS = 30_000;
const WORKS_AFTER_MS = 60_000;

/** What a run says of its worker. Codes below 500 are about the request, the room or the storage. Undefined: nothing. */
export function judgeRun({ status, errorCode = 500, livedMs, hasRecorded }: Run): 'works' | 'fails' | undefined {
  if (status === 'FAILED' && errorCode >= 500 && livedMs < FAILS_WITHIN_MS) return 'fails';
  return status === 'COMPLETE' || (hasRecorded && livedMs >= WORKS_AFTER_MS) ? 'works' : undefined;
}
