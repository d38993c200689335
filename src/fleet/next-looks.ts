// When each fleet looks next, as far as this process knows from the passes that it ran itself: a start need not wake a fleet that is
// about to look anyway. Pure: a table with a clock of its caller.

export interface NextLooks {
  /** A pass has ended. @param inMs absent: the fleet sleeps until it is woken */
  passed(fleet: string, nowMs: number, inMs: number | undefined): void;
  /** It looks within `limitMs`, and late enough to see what starts now. False also when nobody here knows. */
  comes(fleet: string, nowMs: number, limitMs: number): boolean;
}

/** A worker shows what it was just sent. */
const SHOWN_MS = 1_000;

export function createNextLooks(): NextLooks {
  const atMs = new Map<string, number>();
  return {
    passed(fleet, nowMs, inMs) {
      if (inMs === undefined) atMs.delete(fleet);
      else atMs.set(fleet, nowMs + inMs);
    },
    comes(fleet, nowMs, limitMs) {
      const leftMs = (atMs.get(fleet) ?? 0) - nowMs;
      return leftMs >= SHOWN_MS && leftMs <= limitMs;
    },
  };
}
