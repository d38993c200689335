// Which workers a pass retires, replaces, removes and protects, case by case. The rest of what it decides: plan.test.ts.
import { describe, expect, it } from 'vitest';
import type { FleetMemory } from '../../../src/fleet/observation.ts';
import { codes, egress, ids, LIMITS, MINUTE, NOW, plan, waiting, worker } from '../../support/fleet.ts';

const idleFor = (ms: number) => ({ wasReady: true, idleSinceMs: NOW - ms });

describe('retiring', () => {
  it('drains a worker that was idle for the cooldown, and says so', () => {
    const decision = plan({ workers: [worker('worker-3')] }, { workers: { 'worker-3': idleFor(5 * MINUTE) } });
    expect(ids(decision.retire)).toEqual(['worker-3']);
    expect(decision.line).toBe('worker-3 idle for 5m: draining');
    expect(decision.nextPassInMs).toBe(2_000);
  });

  it('waits exactly until the cooldown ends', () => {
    const decision = plan({ workers: [worker('a')] }, { workers: { a: idleFor(4 * MINUTE) } });
    expect(decision).toMatchObject({ retire: [], nextPassInMs: MINUTE });
  });

  it('keeps minimum and headroom, and the ones a recording waits for', () => {
    const workers = [worker('a'), worker('b'), worker('c')];
    const notes = { workers: { a: idleFor(9 * MINUTE), b: idleFor(8 * MINUTE), c: idleFor(7 * MINUTE) } };
    const limits = { minWorkers: 2, maxWorkers: 5, coresPerWorker: 4 };
    expect(ids(plan({ workers, limits }, notes).retire)).toEqual(['a']);
    expect(ids(plan({ workers }, notes, { headroomCores: 5 }).retire)).toEqual(['a']);
  });

  it('keeps the ready one when another only boots: that one may never come', () => {
    const workers = [worker('a'), worker('b', { state: 'booting', reason: 'no node yet' })];
    const idle = { workers: { a: idleFor(9 * MINUTE) } };
    const limits = { minWorkers: 1, maxWorkers: 5, coresPerWorker: 4 };
    expect(plan({ workers, limits }, idle).retire).toEqual([]);
    expect(plan({ workers }, idle, { headroomCores: 4 }).retire).toEqual([]);
    expect(ids(plan({ workers }, idle).retire)).toEqual(['a']);
  });

  it('retires no idle worker while a start is under way: LiveKit may have picked that very one', () => {
    const workers = [worker('a'), worker('b'), worker('c')];
    const idle = { workers: { a: idleFor(9 * MINUTE), b: idleFor(8 * MINUTE), c: idleFor(7 * MINUTE) } };
    expect(ids(plan({ workers, waiting: [waiting('r1')] }, idle).retire)).toEqual([]);
    expect(ids(plan({ workers, starting: [{ id: 'r1', costCores: 4 }] }, idle).retire)).toEqual([]);
    const started = { workers: [worker('a'), worker('b'), worker('c', { egresses: [egress('EG_1')] })] };
    const listed = { activeEgresses: [{ egressId: 'EG_1', recordingId: 'r1' }] };
    expect(ids(plan({ ...started, ...listed, starting: [{ id: 'r1', costCores: 4 }] }, idle).retire)).toEqual([
      'a',
      'b',
    ]);
  });

  it('does not retire a worker it does not own, nor any while LiveKit is silent', () => {
    const notes = { workers: { a: idleFor(9 * MINUTE) } };
    expect(plan({ workers: [worker('a', { owned: false })] }, notes).retire).toEqual([]);
    const { activeEgresses: _, ...blind } = { activeEgresses: [], workers: [worker('a')] };
    const decision = plan({ ...blind, activeEgresses: undefined as never }, notes);
    expect(decision.retire).toEqual([]);
    expect(codes(decision)).toEqual(['livekit_unknown']);
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
    const stray = [{ egressId: 'EG_1', recordingId: 'r', acceptedAtMs: NOW - MINUTE }];
    const believed = { workers: [silent], activeEgresses: stray, running: [{ id: 'r', stage: 'recording' as const }] };
    expect(plan(believed, drained).remove).toEqual([]);
    // Told that it is lost, and sure that it is not: it sees its egress in the room.
    const told = { ...drained, suspectSince: { EG_1: NOW - MINUTE }, actedMs: { EG_1: NOW - 1_000 } };
    expect(plan(believed, told).remove).toEqual([]);
    expect(ids(plan({ ...believed, running: [], waiting: [waiting('r')] }, told).remove)).toEqual(['a']);
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
  const busy = { egresses: [egress('EG_1')] };

  it('has its workers asked to take nothing new, busy or idle or booting, and replaced where they are needed', () => {
    const decision = plan({
      workers: [
        worker('busy', { ...busy, leaving: why }),
        worker('idle', { leaving: why }),
        worker('boots', { state: 'booting', leaving: why }),
        worker('by-hand', { owned: false, leaving: why }),
      ],
      activeEgresses: [{ egressId: 'EG_1', recordingId: 'r1' }],
      running: [{ id: 'r1', stage: 'recording' }],
      waiting: [waiting('r2'), waiting('r3')],
    });
    expect(ids(decision.retire)).toEqual(['busy', 'idle', 'boots']);
    expect(decision.line).toContain(`busy ${why}: draining`);
    expect(ids(decision.admit)).toEqual(['r2']);
    expect(decision.launch).toBe(1);
    expect([decision.remove, decision.lost]).toEqual([[], []]);
  });

  it('has a worker that is late or silent as well named once, for the first reason', () => {
    const late = worker('late', { state: 'booting', launchedAtMs: NOW - 11 * MINUTE, leaving: why });
    const silent = worker('silent', { state: 'unreachable', leaving: why });
    const memory = { workers: { silent: { wasReady: true, silentSinceMs: NOW - 3 * MINUTE } } };
    const { retire } = plan({ workers: [late, silent] }, memory);
    expect(retire).toEqual([
      { id: 'late', why: 'not ready after 10m' },
      { id: 'silent', why },
    ]);
  });

  it('has them asked once, and never removed while they record', () => {
    const seen = {
      workers: [worker('a', { ...busy, leaving: why })],
      activeEgresses: [{ egressId: 'EG_1', recordingId: 'r1' }],
      running: [{ id: 'r1', stage: 'recording' as const }],
    };
    const first = plan(seen);
    const later = plan({ ...seen, nowMs: NOW + 5 * MINUTE }, first.memory);
    expect([later.retire, later.remove, later.lost]).toEqual([[], [], []]);
    const idle = { workers: [worker('a', { leaving: why })], nowMs: NOW + 5 * MINUTE };
    expect(ids(plan(idle, first.memory).remove)).toEqual(['a']);
  });
});

describe('replacing', () => {
  const old = (id: string, parts: Partial<ReturnType<typeof worker>> = {}) => worker(id, { outdated: true, ...parts });
  const idleFor = (...list: string[]) => ({
    workers: Object.fromEntries(list.map((id) => [id, { wasReady: true, idleSinceMs: NOW - MINUTE }])),
  });

  it('drains idle workers that new ones would differ from at once, and never a busy one', () => {
    const seen = { workers: [old('w1'), old('w2', { egresses: [egress('EG_1')] })] };
    expect(ids(plan(seen, idleFor('w1')).retire)).toEqual(['w1']);
  });

  it('boots their successors first where the minimum or headroom needs them', () => {
    const limits = { ...LIMITS, minWorkers: 1 };
    const before = plan({ workers: [old('w1')], limits }, idleFor('w1'));
    expect([before.launch, ids(before.retire)]).toEqual([1, []]);
    const booting = plan({ workers: [old('w1'), worker('w2', { state: 'booting' })], limits }, idleFor('w1'));
    expect([booting.launch, ids(booting.retire)]).toEqual([0, []]);
    const after = plan({ workers: [old('w1'), worker('w2')], limits }, idleFor('w1', 'w2'));
    expect([after.launch, ids(after.retire)]).toEqual([0, ['w1']]);
  });

  it('goes one by one where the maximum has no room for both', () => {
    const limits = { ...LIMITS, minWorkers: 2, maxWorkers: 2 };
    const { launch, retire } = plan({ workers: [old('w1'), old('w2')], limits }, idleFor('w1', 'w2'));
    expect([launch, ids(retire)]).toEqual([0, ['w1']]);
  });

  it('still lets them serve who waits now', () => {
    const { admit, retire } = plan({ workers: [old('w1')], waiting: [waiting('r1')] }, idleFor('w1'));
    expect([ids(admit), ids(retire)]).toEqual([['r1'], []]);
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
