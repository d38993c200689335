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

/** @returns what is wrong with the extension and what to send instead, or undefined */
export function checkExtension(extension: Extension, clock: RecordingClock): string | undefined {
  const amount = 'byMs' in extension ? extension.byMs : extension.untilMs;
  if (!Number.isFinite(amount)) return 'the extension must be a finite number of milliseconds';
  if ('byMs' in extension && extension.byMs <= 0) return `by must be positive, got ${extension.byMs} ms`;
  const untilMs = extendedDeadline(extension, clock);
  if (untilMs <= clock.nowMs) return `until ${new Date(untilMs).toISOString()} is in the past`;
  const latestMs = clock.startsAtMs + LONGEST_RECORDING_MS;
  if (untilMs > latestMs)
    return `a recording may last 24h at most; extend to ${new Date(latestMs).toISOString()} or earlier`;
  return undefined;
}

export function extendedDeadline(extension: Extension, clock: Pick<RecordingClock, 'endDeadlineMs'>): number {
  return 'byMs' in extension ? clock.endDeadlineMs + extension.byMs : extension.untilMs;
}
