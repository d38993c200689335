// Who waits before a start? Starts of one moment share the count: a burst that finds room asks once.
import { aheadOf, type QueuePlace } from '../temporal/recording-index.ts';

interface Asker {
  place: QueuePlace;
  answer(ahead: number): void;
  fail(error: unknown): void;
}

/** Their ids are in the query. */
const MAX_ASKERS = 100;

/**
 * Askers of one count are left out of each other's: each of them holds room on a worker of its own, so that none takes another's.
 * @returns how many wait before it: none, or at least so many. Counted after it asked.
 */
export function createAhead(count: (query: string) => Promise<number>): (place: QueuePlace) => Promise<number> {
  const lines = new Map<string, Asker[]>();

  /** Whoever comes while a count is on its way is in the next one. */
  async function serve(line: string, waiting: Asker[]): Promise<void> {
    while (waiting.length > 0) {
      const together = waiting.splice(0, MAX_ASKERS).sort((a, b) => a.place.sinceMs - b.place.sinceMs);
      await answerAll(together).catch((error: unknown) => {
        for (const { fail } of together) fail(error);
      });
    }
    lines.delete(line);
  }

  /** Nobody waits before whoever is older than one with nobody before it. Mostly the youngest or the oldest tells for all. */
  async function answerAll(askers: readonly Asker[]): Promise<void> {
    const ids = askers.map(({ place }) => place.workflowId);
    let [from, to] = [0, askers.length];
    for (let looks = 0; from < to; looks++) {
      const probe = [to - 1, from][looks] ?? (from + to) >> 1;
      const asker = askers[probe];
      if (!asker) return;
      const ahead = await count(aheadOf(asker.place, ids));
      const told = ahead === 0 ? askers.slice(from, probe + 1) : askers.slice(probe, to);
      for (const { answer } of told) answer(ahead);
      if (ahead === 0) from = probe + 1;
      else to = probe;
    }
  }

  return (place) =>
    new Promise((answer, fail) => {
      const line = `${place.priority} ${place.fleet}`;
      const waiting = lines.get(line) ?? [];
      waiting.push({ place, answer, fail });
      if (lines.has(line)) return;
      lines.set(line, waiting);
      void serve(line, waiting);
    });
}
