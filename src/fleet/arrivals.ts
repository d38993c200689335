// The recordings that this process is accepting, and those it accepted a moment ago. Temporal's index shows them later, by seconds when
// 200 come at once; the fleet would ask for a part of what a burst needs. Pure: a list with a clock of its caller.

export interface Arrival {
  id: string;
  fleet: string;
  costCores: number;
  tenant?: string;
}

export interface Arrivals {
  /** It was asked for, and is being accepted: counts until it is or is forgotten. */
  expect(arrival: Arrival): void;
  /** It was accepted. */
  accepted(id: string, atMs: number): void;
  /** The expected ones of a fleet, and those accepted less than `KEPT_MS` ago, oldest first. */
  recent(fleet: string, nowMs: number): readonly Arrival[];
  /** It was not accepted, or the index shows it: from now on the index knows better, also that it has ended. */
  forget(id: string): void;
}

/** What the index does not show by then has ended. */
const KEPT_MS = 5_000;

interface Kept extends Arrival {
  acceptedAtMs?: number;
}

export function createArrivals(): Arrivals {
  const kept = new Map<string, Kept>();
  const forgetOld = (nowMs: number) => {
    for (const [id, { acceptedAtMs = nowMs }] of kept) if (nowMs - acceptedAtMs >= KEPT_MS) kept.delete(id);
  };
  return {
    expect: (arrival) => void kept.set(arrival.id, arrival),
    accepted(id, atMs) {
      forgetOld(atMs);
      const arrival = kept.get(id);
      if (arrival) kept.set(id, { ...arrival, acceptedAtMs: atMs });
    },
    recent(fleet, nowMs) {
      forgetOld(nowMs);
      return [...kept.values()].filter((arrival) => arrival.fleet === fleet);
    },
    forget: (id) => void kept.delete(id),
  };
}
