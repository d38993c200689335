// Who waits before a start? Starts of one moment share the count: a burst that finds room asks once.
import { type Asked, together } from '../common/together.ts';
import { aheadOf, type QueuePlace } from '../temporal/recording-index.ts';

/** Their ids are in the query. */
const MAX_ASKERS = 100;

type Ask = (place: QueuePlace) => Promise<number>;

/**
 * Askers of one count are left out of each other's: each of them holds room on a worker of its own, so that none takes another's.
 * @returns how many wait before it: none, or at least so many. Counted after it asked.
 */
export function createAhead(count: (query: string) => Promise<number>): Ask {
  /** By fleet and priority. */
  const lines = new Map<string, Ask>();

  /** Nobody waits before whoever is older than one with nobody before it. Mostly the youngest or the oldest tells for all. */
  async function answerAll(asked: readonly Asked<QueuePlace, number>[]): Promise<void> {
    const askers = asked.toSorted((a, b) => a.what.sinceMs - b.what.sinceMs);
    const ids = askers.map(({ what }) => what.workflowId);
    let [from, to] = [0, askers.length];
    for (let looks = 0; from < to; looks++) {
      const probe = [to - 1, from][looks] ?? (from + to) >> 1;
      const asker = askers[probe];
      if (!asker) return;
      const ahead = await count(aheadOf(asker.what, ids));
      const told = ahead === 0 ? askers.slice(from, probe + 1) : askers.slice(probe, to);
      for (const { answer } of told) answer(ahead);
      if (ahead === 0) from = probe + 1;
      else to = probe;
    }
  }

  return (place) => {
    const line = `${place.priority} ${place.fleet}`;
    const ask = lines.get(line) ?? together(MAX_ASKERS, answerAll);
    lines.set(line, ask);
    return ask(place);
  };
}
