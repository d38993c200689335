// The end of a recording in time, and how extending moves it. Pure.

/** The longest a recording may become by extending it, counted from its start. */
export const LONGEST_RECORDING_MS = 24 * 3_600_000;

export type Extension = { byMs: number } | { untilMs: number };

export interface RecordingClock {
  /** Became ACTIVE, or was accepted by a worker, or (before that) when it may start at the latest. */
  startsAtMs: number;
  /** Where the deadline stands now. */
  endDeadlineMs: number;
  nowMs: number;
}

/** @returns what is wrong with the extension and what to send instead, or undefined. Signals may carry anything: nothing here throws. */
export function checkExtension(extension: Extension, clock: RecordingClock): string | undefined {
  const amount = amountOf(extension);
  if (amount === undefined || !Number.isFinite(amount)) {
    return 'send {byMs} or {untilMs}, a finite number of milliseconds';
  }
  if ('byMs' in extension && amount <= 0) return `by must be positive, got ${amount} ms`;
  const untilMs = extendedDeadline(extension, clock);
  if (untilMs <= clock.nowMs)
    return `until ${written(untilMs)} is not after now, ${written(clock.nowMs)}; name a later time, or cancel the recording`;
  if (untilMs <= clock.startsAtMs)
    return `until ${written(untilMs)} is not after its start, ${written(clock.startsAtMs)}; name a later time, or cancel the recording`;
  const latestMs = clock.startsAtMs + LONGEST_RECORDING_MS;
  if (untilMs > latestMs) return `a recording may last 24h at most; extend to ${written(latestMs)} or earlier`;
  return undefined;
}

export function extendedDeadline(extension: Extension, clock: Pick<RecordingClock, 'endDeadlineMs'>): number {
  return 'byMs' in extension ? clock.endDeadlineMs + extension.byMs : extension.untilMs;
}

function amountOf(extension: unknown): number | undefined {
  if (typeof extension !== 'object' || extension === null) return undefined;
  const { byMs, untilMs } = extension as { byMs?: unknown; untilMs?: unknown };
  const amount = 'byMs' in extension ? byMs : untilMs;
  return typeof amount === 'number' ? amount : undefined;
}

/** Dates end in the year 275760; what lies beyond is written as the number it is. */
function written(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`;
}
