// The recordings this process accepted a moment ago. Temporal's index shows them later, by seconds when 200 come at once; the
// fleet would ask for a part of what a burst needs. Pure: a list with a clock of its caller.

export interface Arrival {
  id: string;
  fleet: string;
  costCores: number;
  tenant?: string;
  atMs: number;
}

export interface Arrivals {
  add(arrival: Arrival): void;
  /** Those of a fleet that are younger than `KEPT_MS`, oldest first. */
  recent(fleet: string, nowMs: number): readonly Arrival[];
  /** The index shows it: from now on the index knows better, also that it has ended. */
  listed(id: string): void;
}

/** What the index does not show by then has ended. */
const KEPT_MS = 5_000;

export function createArrivals(): Arrivals {
  let kept: Arrival[] = [];
  const forgetOld = (nowMs: number) => {
    kept = kept.filter(({ atMs }) => nowMs - atMs < KEPT_MS);
  };
  return {
    recent(fleet, nowMs) {
      forgetOld(nowMs);
      return kept.filter((arrival) => arrival.fleet === fleet);
    },
    listed(id) {
      kept = kept.filter((arrival) => arrival.id !== id);
    },
    add(arrival) {
      forgetOld(arrival.atMs);
      kept.push(arrival);
    },
  };
}
