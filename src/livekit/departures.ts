// The ends of egresses that were just stopped: whoever stops one may wait a moment for its last report to be with its recording, so
// that the recording need not set a timer and look.

export interface Departures {
  /** Its recording has its last report. */
  told(egressId: string): void;
  /** They have left the bus; a last report that another process takes is on its way. */
  left(egressIds: readonly string[]): void;
  /** Stops one, and comes back when its end was told, at most `waitMs` after it was to be expected. */
  after<T>(egressId: string, waitMs: number, stop: () => Promise<T>, mayCome: (answer: T) => boolean): Promise<T>;
}

/** From the last report to Temporal, through another process. */
const REPORT_MS = 300;
/** Each waits in an activity's place: more stops at once than this are answered as soon as they are out. */
const WAITING_AT_ONCE = 50;

export function createDepartures(): Departures {
  const waiting = new Map<string, () => void>();
  return {
    told: (egressId) => waiting.get(egressId)?.(),
    left(egressIds) {
      for (const id of egressIds) {
        const done = waiting.get(id);
        if (done) setTimeout(done, REPORT_MS).unref();
      }
    },
    async after(egressId, waitMs, stop, mayCome) {
      if (waitMs <= 0 || waiting.size >= WAITING_AT_ONCE) return stop();
      // Listens before it asks: a short file is finished before the stop is answered.
      let done = () => {};
      const departed = new Promise<void>((resolve) => {
        done = resolve;
      });
      waiting.set(egressId, done);
      let limit: NodeJS.Timeout | undefined;
      try {
        const answer = await stop();
        limit = setTimeout(done, waitMs);
        if (mayCome(answer)) await departed;
        return answer;
      } finally {
        clearTimeout(limit);
        if (waiting.get(egressId) === done) waiting.delete(egressId);
      }
    },
  };
}
