// What an answer to a webhook means, and when it is tried again. Pure.

/** Stable codes; part of the API. */
export const DELIVERY_PROBLEMS = [
  'unavailable', // 5xx, 408, 425, 429: the receiver may take it later
  'timeout', // no answer in time
  'unreachable', // name, connection or TLS
  'interrupted', // the Temporal worker that sent it was gone before it knew
  'redirect', // 3xx: redirects are never followed
  'rejected', // another 4xx: it will never take it
  'gone', // 410: it wants nothing more of this recording
  'address_denied', // a private address that webhooks.allow does not list
  'receiver_unknown', // not in the configuration any more
  'key_unknown', // the API key that signs is not in the configuration any more
] as const;
export type DeliveryProblem = (typeof DELIVERY_PROBLEMS)[number];

export interface Failure {
  kind: 'failed';
  code: DeliveryProblem;
  message: string;
  /** HTTP. */
  status?: number;
  retryAfterMs?: number;
}
export type SendOutcome = { kind: 'delivered'; status: number } | Failure;

/** An event is tried until it is this old; then it has failed, and an operator may replay it. */
export const GIVE_UP_AFTER_MS = 24 * 3_600_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 10 * 60_000;
/** A receiver may ask for this much patience, and no more. */
export const LONGEST_RETRY_AFTER_MS = 3_600_000;

/** 4xx that say "later". */
const LATER = new Set([408, 425, 429]);
const FINAL: ReadonlySet<DeliveryProblem> = new Set([
  'rejected',
  'gone',
  'address_denied',
  'receiver_unknown',
  'key_unknown',
]);

/** Trying again would change nothing before somebody acts. */
export function isFinal(code: DeliveryProblem): boolean {
  return FINAL.has(code);
}

/** @param retryAfter the header, as it came */
export function judgeAnswer(status: number, retryAfter: string | undefined, nowMs: number): SendOutcome {
  if (status >= 200 && status < 300) return { kind: 'delivered', status };
  const waitMs = retryAfterMs(retryAfter, nowMs);
  const failure = { kind: 'failed' as const, status, message: `the receiver answered ${status}` };
  if (status >= 300 && status < 400)
    return {
      ...failure,
      code: 'redirect',
      message: `the receiver answered ${status}; redirects are not followed: give the address it leads to`,
    };
  if (status === 410) return { ...failure, code: 'gone' };
  if (status >= 400 && status < 500 && !LATER.has(status)) return { ...failure, code: 'rejected' };
  return { ...failure, code: 'unavailable', ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }) };
}

/** Seconds or a date. @returns undefined for what is neither */
function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS);
}

/**
 * Doubled from a second to ten minutes, of that between a half and the whole, so that receivers that come back are not met by everybody at
 * once.
 * @param tries so far, from 1
 * @param random from 0 to 1
 */
export function retryDelayMs(tries: number, random: number, retryAfter = 0): number {
  const fullMs = Math.min(FIRST_RETRY_MS * 2 ** (tries - 1), LONGEST_RETRY_MS);
  return Math.round(Math.max(fullMs * (0.5 + random / 2), retryAfter));
}
