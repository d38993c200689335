// Which workers a pass retires, replaces, removes and protects, case by case. The rest of what it decides: plan.test.ts.
import { describe, expect, it } from 'vitest';
import type { FleetMemory } from '../../../src/fleet/observation.ts';
import { codes, egress, ids, LIMITS, live, MINUTE, NOW, plan, rec, waiting, worker } from '../../support/fleet.ts';

const SETTLED_MS = 12_000;
const idleFor = (ms: number) => ({ wasReady: true, idleSinceMs: NOW - ms });
/** And nothing was sent to it for long enough. */
const closedFor = (ms: number) => ({ ...idleFor(ms), cordonedMs: NOW - SETTLED_MS });
const closed = (id: string, parts: Partial<ReturnType<typeof worker>> = {}) => worker(id, { cordoned: true, ...parts });

describe('a worker that is to go', () => {
  const seen = { workers: [worker('a')] };
  const cordoned = { workers: [closed('a')] };

  it('gets nothing sent to it first, and ends when it is still idle after the longest dispatch', () => {
    const first = plan(seen, { workers: { a: idleFor(5 * MINUTE) } });
    expect([ids(first.cordon), first.retire, first.nextPassInMs]).toEqual([['a'], [], SETTLED_MS]);
    expect(first.line).toBe('a idle for 5m: sending it nothing more');
    const soon = plan({ ...cordoned, nowMs: NOW + 5_000 }, first.memory);
    expect([ids(soon.cordon), soon.retire, soon.line]).toEqual([['a'], [], undefined]);
    expect(soon.nextPassInMs).toBe(SETTLED_MS - 5_000);
    const later = plan({ ...cordoned, nowMs: NOW + SETTLED_MS }, soon.memory);
    expect([later.cordon, ids(later.retire)]).toEqual([[], ['a']]);
    expect(later.line).toBe('a idle for 5m12s: draining');
  });

  it('is used again when something was sent to it before, or somebody needs it', () => {
    const busy = { workers: [closed('a', { egresses: [egress(rec('r1'))] })] };
    const sent = plan(busy, { workers: { a: closedFor(5 * MINUTE) } });
    expect([ids(sent.uncordon), sent.cordon, sent.retire]).toEqual([['a'], [], []]);
    const needed = plan({ ...cordoned, waiting: [waiting('r1')] }, { workers: { a: closedFor(5 * MINUTE) } });
    expect([ids(needed.uncordon), ids(needed.admit), needed.launch]).toEqual([['a'], ['r1'], 0]);
    expect(needed.memory.workers.a).not.toHaveProperty('cordonedMs');
  });

  it('is the last one that others are put on', () => {
    const workers = [closed('a'), worker('b')];
    const notes = { workers: { a: closedFor(9 * MINUTE), b: idleFor(MINUTE) } };
    const { admit, retire, uncordon } = plan({ workers, waiting: [waiting('r1')] }, notes);
    expect([ids(admit), ids(retire), ids(uncordon)]).toEqual([['r1'], ['a'], []]);
  });

  it('is closed anew when the mark was lost, and let go when nobody remembers why it was closed', () => {
    const lost = plan(seen, { workers: { a: closedFor(5 * MINUTE) } });
    expect([lost.cordon, lost.retire]).toMatchObject([[{ id: 'a', isNew: true }], []]);
    expect(lost.memory.workers.a?.cordonedMs).toBe(NOW);
    expect(ids(plan(cordoned).uncordon)).toEqual(['a']);
  });

  it('stays while an egress lives that no port shows', () => {
    const hidden = { activeEgresses: [live(rec('r1'))], running: [{ id: rec('r1'), stage: 'recording' as const }] };
    expect(plan({ ...cordoned, ...hidden }, { workers: { a: closedFor(5 * MINUTE) } }).retire).toEqual([]);
  });
});

describe('retiring', () => {
  it('drains a worker that was idle for the cooldown, and says so', () => {
    const decision = plan({ workers: [closed('worker-3')] }, { workers: { 'worker-3': closedFor(5 * MINUTE) } });
    expect(ids(decision.retire)).toEqual(['worker-3']);
    expect(decision.line).toBe('worker-3 idle for 5m: draining');
    expect(decision.nextPassInMs).toBe(2_000);
  });

  it('waits exactly until the cooldown ends', () => {
    const decision = plan({ workers: [worker('a')] }, { workers: { a: idleFor(4 * MINUTE) } });
    expect(decision).toMatchObject({ retire: [], nextPassInMs: MINUTE });
  });

  it('keeps as many idle ones as starts are in flight, and closes the others although starts never stop', () => {
    const workers = Array.from({ length: 10 }, (_, index) => worker(`w${index}`));
    const notes = { workers: Object.fromEntries(workers.map(({ id }) => [id, idleFor(9 * MINUTE)])) };
    const starting = [1, 2].map((index) => ({ id: rec(`s${index}`), costCores: 4 }));
    expect(plan({ workers, starting }, notes).cordon).toHaveLength(8);
    const small = [1, 2].map((index) => ({ id: rec(`s${index}`), costCores: 0.5 }));
    expect(plan({ workers, starting: small }, notes).cordon).toHaveLength(9);
  });

  it('keeps for headroom the one that a request fits into, and lets go of what only has fragments to offer', () => {
    const big = { cpuCores: 8 };
    const workers = [
      worker('a', { ...big, egresses: [egress('EG_a', 4)] }),
      worker('b', { ...big, egresses: [egress('EG_b', 4)] }),
      worker('c', big),
      worker('d', big),
    ];
    const notes = { workers: { c: idleFor(9 * MINUTE), d: idleFor(8 * MINUTE) } };
    const limits = { minWorkers: 0, maxWorkers: 10, coresPerWorker: 8 };
    expect(ids(plan({ workers, limits }, notes, { headroomCores: 4 }).cordon)).toEqual(['c']);
    expect(ids(plan({ workers, limits }, notes, { headroomCores: 2 }).cordon)).toEqual(['c', 'd']);
    expect(ids(plan({ workers, limits }, notes, { headroomCores: 8 }).cordon)).toEqual([]);
  });

  it('keeps minimum and headroom, and the ones a recording waits for', () => {
    const workers = [worker('a'), worker('b'), worker('c')];
    const notes = { workers: { a: idleFor(9 * MINUTE), b: idleFor(8 * MINUTE), c: idleFor(7 * MINUTE) } };
    const limits = { minWorkers: 2, maxWorkers: 5, coresPerWorker: 4 };
    expect(ids(plan({ workers, limits }, notes).cordon)).toEqual(['a']);
    expect(ids(plan({ workers }, notes, { headroomCores: 5 }).cordon)).toEqual(['a']);
  });

  it('keeps the ready one when another only boots: that one may never come', () => {
    const workers = [worker('a'), worker('b', { state: 'booting', reason: 'no node yet' })];
    const idle = { workers: { a: idleFor(9 * MINUTE) } };
    const limits = { minWorkers: 1, maxWorkers: 5, coresPerWorker: 4 };
    expect(plan({ workers, limits }, idle).cordon).toEqual([]);
    expect(plan({ workers }, idle, { headroomCores: 4 }).cordon).toEqual([]);
    expect(ids(plan({ workers }, idle).cordon)).toEqual(['a']);
  });

  it('keeps as many as starts under way may need, whichever of them gets one', () => {
    const workers = [worker('a'), worker('b'), worker('c')];
    const idle = { workers: { a: idleFor(9 * MINUTE), b: idleFor(8 * MINUTE), c: idleFor(7 * MINUTE) } };
    expect(plan({ workers, waiting: [waiting('r1')] }, idle).cordon).toHaveLength(2);
    expect(plan({ workers, starting: [{ id: 'r1', costCores: 4 }] }, idle).cordon).toHaveLength(2);
  });

  it('does not retire a worker it does not own, nor any while the bus is silent', () => {
    const notes = { workers: { a: closedFor(9 * MINUTE) } };
    const theirs = plan({ workers: [closed('a', { owned: false })] }, notes);
    expect([theirs.cordon, theirs.retire]).toEqual([[], []]);
    const { present: _, cordoned: __, ...unseen } = worker('a');
    const decision = plan({ workers: [unseen], activeEgresses: undefined as never }, notes);
    expect([decision.cordon, decision.retire]).toEqual([[], []]);
    expect(codes(decision)).toContain('bus_unknown');
  });

  it('removes a drained worker that is still there and idle, never one that turned busy', () => {
    const drained = { workers: { a: { wasReady: true, drainAskedMs: NOW - 31_000 } } };
    expect(ids(plan({ workers: [worker('a', { state: 'draining' })] }, drained).remove)).toEqual(['a']);
    const busy = worker('a', { state: 'draining', egresses: [egress('EG_1')] });
    expect(plan({ workers: [busy] }, drained).remove).toEqual([]);
  });

  it('removes a silent drained worker only when every active egress is known elsewhere', () => {
    const silent = worker('a', { state: 'draining', answered: false });
    const drained = {
      workers: { a: { wasReady: true, drainAskedMs: NOW - 5 * MINUTE, silentSinceMs: NOW - 5 * MINUTE } },
    };
    expect(ids(plan({ workers: [silent] }, drained).remove)).toEqual(['a']);
    const id = rec('r');
    const running = [{ id, stage: 'recording' as const }];
    const believed = { workers: [silent], activeEgresses: [live(id)], running };
    expect(plan(believed, drained).remove).toEqual([]);
    // It has left the bus, and the worker on which it was seen last says nothing.
    const gone = { ...believed, activeEgresses: [] };
    const seenThere = { ...drained, egresses: { [id]: 'a' } };
    expect(plan(gone, seenThere).remove).toEqual([]);
    expect(ids(plan({ ...gone, running: [], waiting: [waiting(id)] }, seenThere).remove)).toEqual(['a']);
    // Of another fleet on the same Redis.
    expect(ids(plan({ ...believed, running: [] }, drained).remove)).toEqual(['a']);
  });

  it('removes one that never answered, was taken away by its platform and never ended, after a while', () => {
    const stuck = worker('a', { state: 'draining', answered: false });
    let memory: Partial<FleetMemory> = {};
    const removed = [0, 1, 9, 11, 12].map((minutes) => {
      const decision = plan({ nowMs: NOW + minutes * MINUTE, workers: [stuck] }, memory);
      memory = decision.memory;
      return ids(decision.remove);
    });
    expect(removed).toEqual([[], [], [], [], ['a']]);
  });
});

describe('a machine that is taken away', () => {
  const why = 'its node is being emptied (cordoned)';
  const id = rec('r1');
  const busy = { egresses: [egress(id)] };
  const records = { activeEgresses: [live(id)], running: [{ id, stage: 'recording' as const }] };

  it('has nothing sent to its workers any more, busy or idle, and what is needed replaced', () => {
    const decision = plan({
      workers: [
        worker('busy', { ...busy, leaving: why }),
        worker('idle', { leaving: why }),
        worker('boots', { state: 'booting', leaving: why }),
        worker('by-hand', { owned: false, leaving: why }),
      ],
      ...records,
      waiting: [waiting('r2'), waiting('r3')],
    });
    expect([ids(decision.cordon), ids(decision.retire)]).toEqual([['busy', 'idle'], ['boots']]);
    expect(decision.line).toContain(`busy ${why}: sending it nothing more`);
    expect(ids(decision.admit)).toEqual(['r2']);
    expect(decision.launch).toBe(1);
    expect([decision.remove, decision.lost]).toEqual([[], []]);
  });

  it('has a worker that is late or silent as well named once, for the first reason', () => {
    const late = worker('late', { state: 'booting', launchedAtMs: NOW - 11 * MINUTE, leaving: why });
    const silent = worker('silent', { state: 'unreachable', leaving: why });
    const memory = { workers: { silent: { wasReady: true, silentSinceMs: NOW - 3 * MINUTE } } };
    const { cordon, retire } = plan({ workers: [late, silent] }, memory);
    expect([cordon, retire]).toEqual([
      [],
      [
        { id: 'late', why: 'not ready after 10m' },
        { id: 'silent', why: 'silent for 3m' },
      ],
    ]);
  });

  it('has its workers left alone while they record, closed all the time, and ended when they are idle', () => {
    const seen = { workers: [worker('a', { ...busy, leaving: why })], ...records };
    const first = plan(seen);
    const later = plan(
      { ...seen, workers: [closed('a', { ...busy, leaving: why })], nowMs: NOW + 5 * MINUTE },
      first.memory,
    );
    expect([ids(later.cordon), later.retire, later.remove, later.lost]).toEqual([['a'], [], [], []]);
    expect(later.line).toBeUndefined();
    const idle = { workers: [closed('a', { leaving: why })], nowMs: NOW + 6 * MINUTE };
    expect(ids(plan(idle, later.memory).retire)).toEqual(['a']);
  });

  it('is believed when it stays after all', () => {
    const closedNow = { workers: { a: { wasReady: true, cordonedMs: NOW - MINUTE } } };
    expect(ids(plan({ workers: [closed('a', busy)], ...records }, closedNow).uncordon)).toEqual(['a']);
  });
});

describe('replacing', () => {
  const old = (id: string, parts: Partial<ReturnType<typeof worker>> = {}) => worker(id, { outdated: true, ...parts });
  const idleFor = (...list: string[]) => ({
    workers: Object.fromEntries(list.map((id) => [id, { wasReady: true, idleSinceMs: NOW - MINUTE }])),
  });

  it('closes idle workers that new ones would differ from at once, and never a busy one', () => {
    const seen = { workers: [old('w1'), old('w2', { egresses: [egress(rec('r9'))] })] };
    expect(ids(plan(seen, idleFor('w1')).cordon)).toEqual(['w1']);
  });

  it('boots their successors first where the minimum or headroom needs them', () => {
    const limits = { ...LIMITS, minWorkers: 1 };
    const before = plan({ workers: [old('w1')], limits }, idleFor('w1'));
    expect([before.launch, ids(before.cordon)]).toEqual([1, []]);
    const booting = plan({ workers: [old('w1'), worker('w2', { state: 'booting' })], limits }, idleFor('w1'));
    expect([booting.launch, ids(booting.cordon)]).toEqual([0, []]);
    const after = plan({ workers: [old('w1'), worker('w2')], limits }, idleFor('w1', 'w2'));
    expect([after.launch, ids(after.cordon)]).toEqual([0, ['w1']]);
  });

  it('goes one by one where the maximum has no room for both', () => {
    const limits = { ...LIMITS, minWorkers: 2, maxWorkers: 2 };
    const { launch, cordon } = plan({ workers: [old('w1'), old('w2')], limits }, idleFor('w1', 'w2'));
    expect([launch, ids(cordon)]).toEqual([0, ['w1']]);
  });

  it('still lets them serve who waits now', () => {
    const { admit, cordon } = plan({ workers: [old('w1')], waiting: [waiting('r1')] }, idleFor('w1'));
    expect([ids(admit), ids(cordon)]).toEqual([['r1'], []]);
  });
});

describe('protecting', () => {
  const idle = { workers: { w1: { wasReady: true, idleSinceMs: NOW - 1_000 } } };

  it('asks the platform to leave a busy worker alone, once', () => {
    const busy = { egresses: [egress('EG_1')] };
    expect(plan({ workers: [worker('w1', busy)] }).protect).toEqual([{ id: 'w1', busy: true }]);
    expect(plan({ workers: [worker('w1', { ...busy, protected: true })] }).protect).toEqual([]);
    expect(plan({ workers: [worker('w1', { ...busy, state: 'draining' })] }).protect).toEqual([
      { id: 'w1', busy: true },
    ]);
  });

  it('releases an idle one when two looks agree and nothing is on its way to it', () => {
    const guarded = { workers: [worker('w1', { protected: true })] };
    expect(plan(guarded).protect).toEqual([]);
    expect(plan(guarded, idle).protect).toEqual([{ id: 'w1', busy: false }]);
    expect(plan({ ...guarded, waiting: [waiting('r1')] }, idle).protect).toEqual([]);
    expect(plan({ workers: [worker('w1', { protected: false })] }, idle).protect).toEqual([]);
  });

  it('leaves alone what does not answer, and what is not its own', () => {
    const silent = worker('w1', { state: 'unreachable', answered: false, protected: true });
    expect(plan({ workers: [silent] }, idle).protect).toEqual([]);
    expect(plan({ workers: [worker('w1', { owned: false, egresses: [egress('EG_1')] })] }).protect).toEqual([]);
  });
});

describe('a worker that is set aside', () => {
  const doubt = (times = 3) => ({ code: 'fails' as const, times, untilMs: NOW + 10 * MINUTE });
  const aside = (id: string, parts: Partial<ReturnType<typeof worker>> = {}) =>
    worker(id, { state: 'draining', present: true, doubt: doubt(), ...parts });
  const one = { minWorkers: 0, maxWorkers: 1, coresPerWorker: 4 };

  it('is replaced while it stays, named with its reason and the way back', () => {
    const decision = plan({ workers: [aside('a')], waiting: [waiting('r')] });
    expect([decision.launch, decision.admit, decision.cordon, decision.retire]).toEqual([1, [], [], []]);
    expect(codes(decision)).toContain('worker_set_aside');
    expect(decision.line).toContain(
      'a is set aside: recordings fail there within seconds of their start (3 in a row); `reelkit fleet forgive a` takes it back',
    );
  });

  it('makes room for another at the maximum, once nothing runs on it and nothing is sent to it', () => {
    const seen = { waiting: [waiting('r')], limits: one };
    const first = plan({ ...seen, workers: [aside('a')] });
    expect([ids(first.cordon), first.retire]).toEqual([['a'], []]);
    const later = { ...seen, workers: [aside('a', { cordoned: true })], nowMs: NOW + SETTLED_MS };
    expect(ids(plan(later, first.memory).retire)).toEqual(['a']);
    const busy = aside('a', { egresses: [egress(rec('x'))] });
    const { cordon, retire } = plan({ ...seen, workers: [busy] });
    expect([cordon, retire]).toEqual([[], []]);
  });

  it('is never ended for it while nobody waits', () => {
    const { cordon, retire } = plan({ workers: [aside('a')], limits: one });
    expect([cordon, retire]).toEqual([[], []]);
  });

  it('is replaced at once the first time; of more within an hour each launch waits longer', () => {
    const first = plan({ workers: [aside('a')], waiting: [waiting('r')] }, { workers: { a: { wasReady: true } } });
    expect(first.launch).toBe(1);
    const workers = [aside('a'), aside('b')];
    const second = plan({ workers, waiting: [waiting('r')] }, first.memory);
    expect([second.launch, second.memory.launchNotBeforeMs]).toEqual([0, NOW + 10_000]);
    const third = plan({ workers: [...workers, aside('c')], waiting: [waiting('r')] }, second.memory);
    expect(third.memory.launchNotBeforeMs).toBe(NOW + 20_000);
    // The same ones are counted once.
    expect(plan({ workers, waiting: [waiting('r')], nowMs: NOW + 11_000 }, second.memory).launch).toBe(1);
  });

  it('that is only passed over for a moment takes nothing now, and no other is launched for it', () => {
    const passedOver = worker('a', { doubt: { code: 'not_taken', times: 1, untilMs: NOW + 5_000 } });
    const decision = plan({ workers: [passedOver], waiting: [waiting('r')] });
    expect([decision.launch, decision.admit]).toEqual([0, []]);
    expect(ids(plan({ workers: [passedOver], waiting: [waiting('r')], nowMs: NOW + 5_000 }).admit)).toEqual(['r']);
  });

  it('is not what failed once: it takes what no other has room for', () => {
    const failed = worker('a', { doubt: { code: 'fails', times: 1, untilMs: NOW + 5_000 } });
    const alone = plan({ workers: [failed], waiting: [waiting('r')] });
    expect([alone.launch, ids(alone.admit)]).toEqual([0, ['r']]);
    const seen = { workers: [failed, worker('b')], waiting: [waiting('r')] };
    expect(ids(plan(seen).demand.bins.filter(({ placed }) => placed > 0))).toEqual(['b']);
  });
});
