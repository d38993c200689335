// The numbers a pass decides by: what an operator sets, and what follows from how LiveKit behaves.

export interface FleetPolicy {
  /** Free CPU cores kept ready beyond demand. */
  headroomCores: number;
  /** The dearest request: headroom is room for such ones. */
  largestRequestCores: number;
  /** A worker must be idle this long before it is retired. */
  cooldownMs: number;
  /** A worker that is not ready by then is replaced; scheduled recordings count as demand this long before they are due. */
  bootTimeoutMs: number;
  busyIntervalMs: number;
  watchIntervalMs: number;
  /** Lost and orphaned egresses are acted on when two looks this far apart agree. */
  confirmAfterMs: number;
}

/** From the `admitted` signal to an egress that a worker shows: one StartEgress, and a search for it when the answer was lost. */
export const LEASE_MS = 45_000;
/** A dispatch looks at the cordons and may take 10 s from there; what is idle after this stays idle. */
export const CORDON_SETTLE_MS = 12_000;
/** Each pass renews the cordons; those of a fleet that is no more end by themselves. */
export const CORDON_TTL_MS = 900_000;
/** An idle worker that was asked to drain ends within a second; after this long it is removed. */
export const DRAIN_LIMIT_MS = 30_000;
/** Of an egress that lives and does not record its recording is told again after twice the time, up to this. */
export const START_LOOK_MS = 300_000;
/** Recordings on a worker that has been silent this long look for themselves: LiveKit has missed a frozen recorder by then. */
export const SILENT_LOOK_MS = 25_000;
/** A worker that was ready and has been silent this long no longer protects its egresses from being called lost. */
export const SILENT_LIMIT_MS = 120_000;
/** A worker that was ready and has been silent for less still counts as capacity to come. */
export const MISSED_PROBE_MS = 10_000;
/** The same when the platform does not reach it either: two witnesses, so less patience. */
export const CUT_OFF_LIMIT_MS = 20_000;
/** Platforms list a new worker within seconds; until then it is remembered. */
export const EXPECTED_MS = 60_000;
/** Between passes of a fleet that keeps standby workers and has nothing to do. */
export const STANDBY_INTERVAL_MS = 300_000;
/** A kick that nothing explains is looked into once more, in case what it was about was not listed yet. */
export const UNEXPLAINED_KICK_MS = 15_000;
/** A search that found nothing new is repeated no faster than this. */
export const SLOWEST_BUSY_MS = 10_000;
/** Bounds of what is remembered from pass to pass: with all of them reached it stays within half of the 2 MB that Temporal takes. */
export const MOST_LEASES = 2_000;
export const MOST_SUSPECTS = 4_000;
export const MOST_STARTS = 2_000;
export const MOST_HOMES = 10_000;
