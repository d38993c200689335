// Who lives on the workers' Redis, and what it takes until somebody is called gone.
import { describe, expect, it, vi } from 'vitest';
import type { BusTransport } from '../../../src/bus/transport.ts';
import {
  createPresence,
  NOTHING_SEEN,
  notice,
  type PresenceLook,
  watchPresence,
} from '../../../src/livekit/presence.ts';

function createBus(channels: string[]) {
  const keys = new Map<string, string>();
  const matches = (pattern: string, channel: string) => {
    const [before = '', after = ''] = pattern.split('*');
    return channel.startsWith(before) && channel.endsWith(after);
  };
  return {
    keys,
    channels: async (pattern: string) => channels.filter((channel) => matches(pattern, channel)),
    setKey: async (key: string, value: string) => void keys.set(key, value),
    getKeys: async (names: string[]) => names.map((name) => keys.get(name) ?? null),
    deleteKey: async (key: string) => void keys.delete(key),
    health: () => ({ ok: true, reconnects: 3 }),
  } as unknown as BusTransport & { keys: Map<string, string> };
}

describe('presence', () => {
  const bus = createBus([
    'EgressInternal|StartEgress|wu+002da|REQ',
    'EgressInternal|StartEgress|wu+002da|RCLAIM',
    'EgressInternal|StartEgress|pool_b|REQ',
    'EgressInternal|StartEgress|nodeu+002e1U+0001f3a5|REQ',
    'EgressInternal|StartEgress|REQ',
    'EgressInternal|ListActiveEgress|REQ',
    'EgressHandler|StopEgress|EG_abcdefgh_1|REQ',
    'EgressHandler|UpdateStream|EG_abcdefgh_1|REQ',
  ]);
  const presence = createPresence(bus);

  it('gives the topics on which workers take starts, as they were named', async () => {
    expect([...(await presence.workers())]).toEqual(['w-a', 'pool_b', 'node.1🎥']);
  });

  it('gives the egresses that can be stopped', async () => {
    expect([...(await presence.egresses())]).toEqual(['EG_abcdefgh_1']);
  });

  it('shares cordons, and asks nothing about nobody', async () => {
    await presence.cordon('w-a', 60_000);
    expect([...(await presence.cordoned(['w-a', 'pool_b']))]).toEqual(['w-a']);
    await presence.uncordon('w-a');
    expect([...(await presence.cordoned(['w-a'])), ...(await presence.cordoned([]))]).toEqual([]);
  });
});

describe('doubts', () => {
  function beginDoubting() {
    const clock = { nowMs: 1_000_000 };
    const bus = createBus([]);
    const presences = [createPresence(bus, () => clock.nowMs), createPresence(bus, () => clock.nowMs)] as const;
    return { clock, bus, presences };
  }

  it('are shared, grow with each start in a row that is not taken, and end with one that is', async () => {
    const { clock, presences } = beginDoubting();
    const [one, other] = presences;
    const doubt = async () => (await other.doubts(['w-a', 'w-b'])).get('w-a');
    expect(await doubt()).toBeUndefined();
    for (const [times, forMs] of [2_000, 4_000, 600_000, 600_000].map((ms, index) => [index + 1, ms] as const)) {
      await one.doubt('w-a', 'not_taken');
      expect(await doubt()).toEqual({ code: 'not_taken', times, untilMs: clock.nowMs + forMs });
      clock.nowMs += forMs;
    }
    await one.trust('w-a');
    expect(await doubt()).toBeUndefined();
  });

  it('count a burst that is not taken as one', async () => {
    const { presences } = beginDoubting();
    for (const presence of presences) await presence.doubt('w-a', 'not_taken');
    expect((await presences[0].doubts(['w-a'])).get('w-a')?.times).toBe(1);
  });

  it('come from recordings that fail as soon as they begin, and end with one that lasts', async () => {
    const { clock, presences } = beginDoubting();
    const [one, other] = presences;
    const run = async (id: string, status: string, livedMs: number, errorCode?: number, hasRecorded = true) => {
      await one.began(id, 'w-a');
      clock.nowMs += livedMs;
      await other.ended(id, { status, errorCode, hasRecorded });
    };
    const doubt = async () => (await one.doubts(['w-a'])).get('w-a');
    await run('EG_1', 'FAILED', 3_000, 500);
    expect(await doubt()).toEqual({ code: 'fails', times: 1, untilMs: clock.nowMs + 10_000 });
    clock.nowMs += 10_000;
    // A request that is wrong, a room that is gone, or one that nobody began here says nothing.
    await run('EG_2', 'FAILED', 3_000, 404);
    await run('EG_3', 'ABORTED', 3_000, 412);
    await other.ended('EG_unknown', { status: 'FAILED', errorCode: 500, hasRecorded: false });
    expect((await doubt())?.times).toBe(1);
    await run('EG_4', 'FAILED', 3_000);
    clock.nowMs += 20_000;
    await run('EG_5', 'FAILED', 3_000, 500);
    expect(await doubt()).toMatchObject({ code: 'fails', times: 3, untilMs: clock.nowMs + 600_000 });
    // Whoever only waits for somebody to publish shows nothing either.
    await run('EG_6', 'ABORTED', 61_000, 412, false);
    expect(await doubt()).toMatchObject({ times: 3 });
    await run('EG_7', 'FAILED', 61_000, 500);
    expect(await doubt()).toBeUndefined();
  });

  it('are none where the mark is nothing that can be read', async () => {
    const { bus, presences } = beginDoubting();
    bus.keys.set('reelkit:doubt:w-a', '7');
    bus.keys.set('reelkit:doubt:w-b', '{');
    expect([...(await presences[0].doubts(['w-a', 'w-b']))]).toEqual([]);
  });
});

interface Step {
  atMs: number;
  /** Undefined: Redis did not answer. */
  worker?: string[];
  egress?: string[];
  epoch?: number;
}

/** @returns who was called gone at which look */
function told(steps: Step[]): string[][] {
  let seen = NOTHING_SEEN;
  return steps.map(({ atMs, worker, egress = [], epoch = 0 }) => {
    const look: PresenceLook | undefined = worker && {
      worker: new Set(worker),
      egress: new Set(egress),
      epochBefore: epoch,
      epochAfter: epoch,
    };
    const { gone, ...next } = notice(seen, look, atMs);
    seen = next;
    return gone.map(({ id }) => id);
  });
}

describe('who came', () => {
  it('is who was not there in the look before; nobody in a first look, nor in the one after an outage', () => {
    const look = (...worker: string[]) => ({
      worker: new Set(worker),
      egress: new Set<string>(),
      epochBefore: 0,
      epochAfter: 0,
    });
    let seen = NOTHING_SEEN;
    const came = [look('a'), look('a', 'b'), look('a', 'b'), undefined, look('a', 'b', 'c'), look('d')].map((next) => {
      const noticed = notice(seen, next, 0);
      seen = noticed;
      return noticed.came;
    });
    expect(came).toEqual([[], ['b'], [], [], [], ['d']]);
  });
});

describe('who is gone', () => {
  it('is who was there in the look before, told once', () => {
    expect(
      told([
        { atMs: 0, worker: ['a', 'b'], egress: ['EG_1'] },
        { atMs: 250, worker: ['b'] },
        { atMs: 500, worker: ['b'] },
      ]),
    ).toEqual([[], ['a', 'EG_1'], []]);
  });

  it('is the only worker at once: nothing speaks for a restart of Redis', () => {
    expect(
      told([
        { atMs: 0, worker: ['a'], egress: ['EG_1'] },
        { atMs: 250, worker: [] },
      ]),
    ).toEqual([[], ['a', 'EG_1']]);
  });

  it('is nobody while Redis does not answer, nor in the first look after it', () => {
    expect(
      told([
        { atMs: 0, worker: ['a', 'b'] },
        { atMs: 250 },
        { atMs: 500, worker: [] },
        { atMs: 750, worker: ['a'] },
        { atMs: 1_400, worker: ['a'] },
        { atMs: 1_500, worker: ['a'] },
      ]),
    ).toEqual([[], [], [], [], [], ['b']]);
  });

  it('is nobody when the connection was made anew and everybody comes back within a second', () => {
    expect(
      told([
        { atMs: 0, worker: ['a'], egress: ['EG_1'] },
        { atMs: 250, worker: [], epoch: 1 },
        { atMs: 500, worker: [], epoch: 1 },
        { atMs: 900, worker: ['a'], egress: ['EG_1'], epoch: 1 },
        { atMs: 2_000, worker: ['a'], egress: ['EG_1'], epoch: 1 },
      ]).flat(),
    ).toEqual([]);
  });

  it('waits when all of several workers vanish together', () => {
    expect(
      told([
        { atMs: 0, worker: ['a', 'b'] },
        { atMs: 250, worker: [] },
        { atMs: 1_000, worker: [] },
        { atMs: 1_250, worker: [] },
      ]),
    ).toEqual([[], [], [], ['a', 'b']]);
  });

  it('waits anew after a second outage', () => {
    expect(
      told([
        { atMs: 0, worker: ['a'] },
        { atMs: 250 },
        { atMs: 500, worker: [] },
        { atMs: 750 },
        { atMs: 1_600, worker: [] },
        { atMs: 2_600, worker: [] },
      ]),
    ).toEqual([[], [], [], [], [], ['a']]);
  });

  it('is not told of by a look that spans a new connection, nor by the one after it', () => {
    const look = (worker: string[], epochBefore: number, epochAfter: number) => ({
      worker: new Set(worker),
      egress: new Set<string>(),
      epochBefore,
      epochAfter,
    });
    const first = notice(NOTHING_SEEN, look(['a'], 0, 0), 0);
    const spanning = notice(first, look(['a'], 0, 1), 250);
    const after = notice(spanning, look([], 1, 1), 500);
    expect([spanning.gone, after.gone, notice(after, look([], 1, 1), 1_500).gone.length]).toEqual([[], [], 1]);
  });
});

describe('the watch', () => {
  it('looks until it is stopped, and survives a Redis that fails', async () => {
    const answers = [['a', 'b'], new Error('down'), ['a'], ['a'], ['a']];
    const onGone = vi.fn();
    let nowMs = 0;
    const workers = vi.fn(async () => {
      nowMs += 1_000;
      const answer = answers.shift() ?? ['a'];
      if (answer instanceof Error) throw answer;
      return new Set(answer as string[]);
    });
    const watch = watchPresence({
      presence: { workers, egresses: async () => new Set<string>(), epoch: () => 0 },
      everyMs: 1,
      onGone,
      now: () => nowMs,
    });
    await vi.waitFor(() => expect(onGone).toHaveBeenCalledExactlyOnceWith({ workers: ['b'], egresses: [] }), 10_000);
    watch.stop();
    const looks = workers.mock.calls.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(workers.mock.calls.length).toBeLessThanOrEqual(looks + 1);
  });
});
