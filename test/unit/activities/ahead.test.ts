// Who waits before a start, counted once for many that ask together.
import { describe, expect, it } from 'vitest';
import { createAhead } from '../../../src/activities/ahead.ts';
import type { QueuePlace } from '../../../src/temporal/recording-index.ts';

const place = (id: number, sinceMs = 1_000 + id, priority = 3): QueuePlace => ({
  workflowId: `EG_${id}`,
  fleet: 'default',
  priority,
  sinceMs,
});

/** An index in which recordings wait since these times, none of them an asker. */
function index(waitSinceMs: readonly number[] = []) {
  const queries: string[] = [];
  const count = async (query: string) => {
    queries.push(query);
    const since = Date.parse(/StartTime < '([^']+)'/.exec(query)?.[1] ?? '');
    await new Promise((resolve) => setImmediate(resolve));
    return waitSinceMs.filter((ms) => ms < since).length;
  };
  return { queries, ahead: createAhead(count) };
}

const ask = (ahead: (place: QueuePlace) => Promise<number>, places: readonly QueuePlace[]) =>
  Promise.all(places.map((one) => ahead(one)));

const hundred = Array.from({ length: 100 }, (_, id) => place(id));

describe('who waits before a start', () => {
  it('is asked at once, and by whoever comes meanwhile together', async () => {
    const { queries, ahead } = index();
    expect(await ask(ahead, hundred)).toEqual(hundred.map(() => 0));
    expect(queries).toHaveLength(2);
    expect(queries[0]).toContain("WorkflowId NOT IN ('EG_0')");
    expect(queries[1]).toContain("'EG_1', 'EG_2',");
  });

  it('leaves each with its own answer: behind whoever waits longer, and nobody else', async () => {
    const { queries, ahead } = index([1_040, 1_070]);
    const answers = await ask(ahead, hundred.toReversed());
    const isBehind = answers.toReversed().map((count) => count > 0);
    expect(isBehind).toEqual(hundred.map(({ sinceMs }) => sinceMs > 1_040));
    expect(queries.length).toBeLessThanOrEqual(10); // the first one, the youngest, the oldest, and seven halvings
  });

  it('is asked twice of those who ask together when somebody waits before all of them', async () => {
    const { queries, ahead } = index([1]);
    expect(await ask(ahead, hundred)).toEqual(hundred.map(() => 1));
    expect(queries).toHaveLength(3);
  });

  it('is asked for each priority and fleet by itself', async () => {
    const { queries, ahead } = index();
    await ask(ahead, [place(1), place(2, 1_000, 1), { ...place(3), fleet: 'gpu' }]);
    expect(queries).toHaveLength(3);
  });

  it('has at most a hundred askers in a count', async () => {
    const { queries, ahead } = index();
    await ask(ahead, [...hundred, ...hundred.map((one, id) => ({ ...one, workflowId: `EG_${id + 100}` }))]);
    expect(queries.map((query) => query.match(/EG_/g)?.length)).toEqual([1, 100, 99]);
  });

  it('fails for those who asked together, and for nobody after them', async () => {
    let fails = true;
    const ahead = createAhead(async () => {
      if (fails) throw new Error('visibility is down');
      return 0;
    });
    const asked = await Promise.allSettled([ahead(place(1)), ahead(place(2))]);
    expect(asked.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    fails = false;
    expect(await ahead(place(3))).toBe(0);
  });
});
