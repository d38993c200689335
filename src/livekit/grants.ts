// The grants of this process: attempts whose start is under way here. A worker creates its record while it starts, and only the
// process that granted the start may let it: an attempt that was given up finds nobody, or a no, and ends itself.

export interface Grants {
  /** Holds while `run` runs; afterwards the attempt has started, or has no right to. */
  during<T>(egressId: string, run: () => Promise<T>): Promise<T>;
  /** `none`: not of this process, so somebody else may know. */
  rightOf(egressId: string): 'granted' | 'given_up' | 'none';
  /** Its start was not answered: from now on it is refused. */
  giveUp(egressId: string): void;
}

/** Attempts given up that are remembered; a late CreateEgress comes within its start's deadline. */
const REMEMBERED = 1_000;

export function createGrants(): Grants {
  const granted = new Set<string>();
  const givenUp = new Set<string>();
  return {
    async during(egressId, run) {
      granted.add(egressId);
      try {
        return await run();
      } finally {
        granted.delete(egressId);
      }
    },
    rightOf(egressId) {
      if (granted.has(egressId)) return 'granted';
      return givenUp.has(egressId) ? 'given_up' : 'none';
    },
    giveUp(egressId) {
      givenUp.add(egressId);
      const [oldest] = givenUp;
      if (givenUp.size > REMEMBERED && oldest !== undefined) givenUp.delete(oldest);
    },
  };
}
