// What one pass decides, case by case. The properties that hold for all cases are in plan.property.test.ts.
import { describe, expect, it } from 'vitest';
import type { FleetMemory } from '../../../src/fleet/observation.ts';
import { codes, egress, ids, LIMITS, MINUTE, many, NOW, plan, waiting, worker } from '../../support/fleet.ts';

const idleFor = (ms: number) => ({ wasReady: true, idleSinceMs: NOW - ms });

describe('launching', () => {
  it('asks for the whole need in one step', () => {
    const decision = plan({ waiting: many(6, (index) => waiting(`r${index}`)) });
    expect(decision.launch).toBe(6);
    expect(decision.line).toBe('6 waiting (24 cores), 0 workers: launching 6 of 4 cores each (max 10)');
  });

  it('packs small recordings as LiveKit would: an idle worker takes any, a busy one up to 80 %', () => {
    // 4 cores: 2, then 1 more (3 of 3.2); the next worker takes 2 + 1, the last one 1.
    const costs = [2, 1, 2, 1, 1];
    expect(
      plan({ waiting: costs.map((cost, index) => waiting(`r${index}`, cost, { sinceMs: NOW + index })) }).launch,
    ).toBe(3);
  });

  it('counts booting workers, and workers it launched that the platform does not list yet', () => {
    const decision = plan(
      { workers: [worker('a', { state: 'booting' })], waiting: [waiting('r1'), waiting('r2'), waiting('r3')] },
      { workers: { b: { expectedSinceMs: NOW - 1_000 } } },
    );
    expect(decision.launch).toBe(1);
  });

  it('counts neither draining nor unreachable workers as capacity, but both against the maximum', () => {
    const decision = plan({
      workers: [worker('a', { state: 'draining', egresses: [egress('EG_1')] }), worker('b', { state: 'unreachable' })],
      waiting: many(5, (index) => waiting(`r${index}`)),
      limits: { minWorkers: 0, maxWorkers: 4, coresPerWorker: 4 },
    });
    expect(decision.launch).toBe(2);
  });

  it('takes a worker that has just missed a probe for one to come, admits nothing to it, and gives it up after a while', () => {
    const seen = { workers: [worker('a', { state: 'unreachable' })], waiting: [waiting('r1')] };
    const silentFor = (ms: number) => ({ workers: { a: { wasReady: true, silentSinceMs: NOW - ms } } });
    for (const ms of [0, 9_000]) {
      const { launch, admit } = plan(seen, silentFor(ms));
      expect([launch, admit]).toEqual([0, []]);
    }
    expect(plan(seen, silentFor(11_000)).launch).toBe(1);
  });

  it('counts recordings that are about to start, so that a burst asks once', () => {
    const starting = many(4, (index) => ({ id: `s${index}`, costCores: 4 }));
    expect(plan({ waiting: [waiting('r1'), waiting('r2')], starting }).launch).toBe(6);
  });

  it('counts once what a worker shows and LiveKit does not list yet', () => {
    const leases = Object.fromEntries(['r1', 'r2', 'r3'].map((id) => [id, { costCores: 1, untilMs: NOW + MINUTE }]));
    const seen = {
      workers: [worker('w1', { egresses: [egress('EG_1', 1), egress('EG_2', 1), egress('EG_3', 1)] })],
      activeEgresses: [{ egressId: 'EG_1', recordingId: 'r1' }],
      waiting: ['r1', 'r2', 'r3'].map((id) => waiting(id, 1)),
    };
    expect(plan(seen, { leases }).launch).toBe(0);
    const others = { ...seen, activeEgresses: ['EG_1', 'EG_2', 'EG_3'].map((egressId) => ({ egressId })) };
    expect(plan(others, { leases }).launch).toBe(1);
  });

  it('is ready for scheduled recordings one boot time before they are due, and not earlier', () => {
    const due = (ms: number) => plan({ scheduled: [{ id: 's', costCores: 4, dueMs: NOW + ms }] });
    expect(due(9 * MINUTE).launch).toBe(1);
    expect(due(11 * MINUTE)).toMatchObject({ launch: 0, nextPassInMs: MINUTE });
  });

  it('keeps headroom beyond demand and never less than the minimum', () => {
    expect(plan({ waiting: [waiting('r')] }, {}, { headroomCores: 6 }).launch).toBe(3);
    expect(plan({ limits: { minWorkers: 2, maxWorkers: 5, coresPerWorker: 4 } }).launch).toBe(2);
  });

  it('says so once when the maximum holds it back', () => {
    const seen = {
      workers: [worker('a', { egresses: [egress('EG_1')] })],
      waiting: [waiting('r')],
      limits: { minWorkers: 0, maxWorkers: 1, coresPerWorker: 4 },
    };
    const first = plan(seen);
    expect(first.line).toBe('1 waiting (4 cores), 1 worker: at the maximum of 1');
    const second = plan(seen, first.memory);
    expect(second.line).toBeUndefined();
    expect(codes(second)).toEqual(['at_max']);
  });

  it('waits for the end of the back-off, and says why', () => {
    const decision = plan(
      { waiting: [waiting('r')] },
      { launchNotBeforeMs: NOW + 15_000, lastProblem: 'no capacity in eu-west-1a' },
    );
    expect(decision.launch).toBe(0);
    expect(decision.line).toContain('next launch in 15s: no capacity in eu-west-1a');
    expect(decision.nextPassInMs).toBe(2_000);
  });

  it('believes an idle worker about its cores rather than the configuration', () => {
    const decision = plan({ workers: [worker('a', { freeCores: 2 })], waiting: [waiting('r', 4)] });
    expect(decision.launch).toBe(0);
    expect(codes(decision)).not.toContain('admit');
  });
});

describe('admitting', () => {
  it('admits what fits on ready workers, by priority, then first come, then id', () => {
    const decision = plan({
      workers: [worker('a'), worker('b'), worker('c')],
      waiting: [
        waiting('late', 4, { sinceMs: NOW - 1 }),
        waiting('b', 4, { sinceMs: NOW - 9 }),
        waiting('a', 4, { sinceMs: NOW - 9 }),
        waiting('urgent', 4, { priority: 1, sinceMs: NOW }),
      ],
    });
    expect(ids(decision.admit)).toEqual(['urgent', 'a', 'b']);
  });

  it('lets nobody overtake one that has to wait, however small', () => {
    const busy = worker('a', { cpuCores: 8, egresses: [egress('EG_1', 4)] });
    const decision = plan({
      workers: [busy],
      waiting: [waiting('big'), waiting('small', 1, { sinceMs: NOW })],
    });
    expect(decision.admit).toEqual([]);
    expect(decision.launch).toBe(1);
  });

  it('sets aside what fits no worker there can be, and goes on with the next', () => {
    const decision = plan({
      workers: [worker('a', { cpuCores: 2 })],
      waiting: [waiting('big'), waiting('small', 2, { sinceMs: NOW })],
      limits: { minWorkers: 0, maxWorkers: 3, coresPerWorker: 2 },
    });
    expect(ids(decision.admit)).toEqual(['small']);
    expect(decision.launch).toBe(0);
    expect(decision.line).toContain('big needs 4 cores, workers have 2: set aside');
  });

  it('holds an admitted recording to one lease, until its egress is seen or the lease ends', () => {
    const seen = { workers: [worker('a'), worker('b')], waiting: [waiting('r1'), waiting('r2', 4, { sinceMs: NOW })] };
    const first = plan({ ...seen, workers: [worker('a')] });
    expect(ids(first.admit)).toEqual(['r1']);
    const second = plan(seen, first.memory);
    expect(ids(second.admit)).toEqual(['r2']);
    const later = plan({ ...seen, nowMs: NOW + 46_000 }, second.memory);
    expect(ids(later.admit)).toEqual(['r1', 'r2']);
  });

  it('does not admit again what a worker already runs', () => {
    const decision = plan({
      workers: [worker('a', { egresses: [egress('EG_1')] }), worker('b')],
      activeEgresses: [{ egressId: 'EG_1', recordingId: 'r1' }],
      waiting: [waiting('r1')],
    });
    expect(decision.admit).toEqual([]);
    expect(decision.launch).toBe(0);
  });

  it('uses what a worker reports of itself when that is less than its declared costs leave', () => {
    const loaded = (freeCores: number) => worker('a', { cpuCores: 8, egresses: [egress('EG_1', 2)], freeCores });
    expect(ids(plan({ workers: [loaded(4.4)], waiting: [waiting('r')] }).admit)).toEqual(['r']);
    expect(ids(plan({ workers: [loaded(3)], waiting: [waiting('r')] }).admit)).toEqual([]);
  });

  it('uses workers it does not own', () => {
    const limits = { minWorkers: 1, maxWorkers: 1, coresPerWorker: 4 };
    const theirs = worker('theirs', { owned: false });
    expect(ids(plan({ workers: [theirs], waiting: [waiting('r')], limits }).admit)).toEqual(['r']);
    const full = plan({ workers: [{ ...theirs, egresses: [egress('EG_1')] }], waiting: [waiting('r')], limits });
    expect(full).toMatchObject({ launch: 0, admit: [] });
    expect(full.line).toContain('all are busy and no more can be launched');
  });
});

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

describe('booting', () => {
  it('gives up a worker that is not ready in time, replaces it and says so', () => {
    const late = worker('a', { state: 'booting', launchedAtMs: NOW - 11 * MINUTE, reason: 'image pull failed' });
    const decision = plan({ workers: [late], waiting: [waiting('r')] });
    expect(ids(decision.retire)).toEqual(['a']);
    expect(decision.launch).toBe(1);
    expect(decision.line).toContain('a not ready after 10m (image pull failed): given up and draining');
  });

  it('gives a worker that its platform starts again the time of a boot once more', () => {
    const restarted = worker('a', { state: 'booting', answered: false, launchedAtMs: NOW - 3 * 60 * MINUTE });
    const seen = { workers: [restarted], waiting: [waiting('r')] };
    const first = plan(seen, { workers: { a: { wasReady: true } } });
    expect([first.retire, first.launch, first.memory.bootFailures]).toEqual([[], 0, 0]);
    const second = plan({ ...seen, nowMs: NOW + 90_000 }, first.memory);
    expect(second.retire).toEqual([]);
    expect(ids(plan({ ...seen, nowMs: NOW + 121_000 }, second.memory).retire)).toEqual(['a']);
  });

  it('does not wait for ever for a worker that somebody else made, booting or silent', () => {
    const pending = (ms: number) => worker('by-hand', { owned: false, state: 'booting', launchedAtMs: NOW - ms });
    expect(plan({ workers: [pending(9 * MINUTE)], waiting: [waiting('r')] }).launch).toBe(0);
    expect(plan({ workers: [pending(11 * MINUTE)], waiting: [waiting('r')] }).launch).toBe(1);
    const silent = { workers: [worker('by-hand', { owned: false, state: 'unreachable' })], waiting: [waiting('r')] };
    const first = plan(silent);
    expect(first.launch).toBe(0);
    expect(plan({ ...silent, nowMs: NOW + 11_000 }, first.memory).launch).toBe(1);
  });

  it('replaces the first worker that dies before it was ready at once, and then waits longer each time', () => {
    const gone = (id: string) => worker(id, { state: 'gone', reason: 'exit 1' });
    const first = plan({ workers: [gone('a')], waiting: [waiting('r')] }, { workers: { a: {} } });
    expect(first.launch).toBe(1);
    expect(first.line).toContain('a ended before it was ready: exit 1');
    const second = plan({ workers: [gone('b')], waiting: [waiting('r')] }, { ...first.memory, workers: { b: {} } });
    expect(second.launch).toBe(0);
    expect(second.memory.launchNotBeforeMs).toBe(NOW + 10_000);
    const third = plan({ workers: [gone('c')], waiting: [waiting('r')] }, { ...second.memory, workers: { c: {} } });
    expect(third.memory.launchNotBeforeMs).toBe(NOW + 20_000);
    const ready = plan({ workers: [worker('d')] }, { ...third.memory, workers: { d: {} } });
    expect(ready.memory.bootFailures).toBe(0);
  });

  it('counts one death once, although the platform goes on listing it', () => {
    const seen = { workers: [worker('a', { state: 'gone' })] };
    const first = plan(seen, { workers: { a: {} } });
    expect(first.memory.bootFailures).toBe(1);
    expect(plan(seen, first.memory).memory.bootFailures).toBe(1);
  });

  it('looks less often the longer a boot takes', () => {
    const boot = (ms: number) =>
      plan({ workers: [worker('a', { state: 'booting', launchedAtMs: NOW - ms })] }).nextPassInMs;
    expect([boot(1_000), boot(50_000), boot(5 * MINUTE)]).toEqual([2_000, 5_000, 10_000]);
  });
});

describe('the time of the next pass', () => {
  it('is never, when nothing is open and no worker is kept', () => {
    expect(plan({}).nextPassInMs).toBeUndefined();
    expect(plan({ workers: [worker('a', { state: 'gone' })] }).nextPassInMs).toBeUndefined();
  });

  it('is slow while standby workers idle, and steady while recordings run', () => {
    const limits = { minWorkers: 1, maxWorkers: 2, coresPerWorker: 4 };
    expect(plan({ workers: [worker('a')], limits }).nextPassInMs).toBe(5 * MINUTE);
    const running = {
      workers: [worker('a', { egresses: [egress('EG_1')] })],
      activeEgresses: [{ egressId: 'EG_1', recordingId: 'r' }],
      running: [{ id: 'r', stage: 'recording' as const }],
    };
    expect(plan(running).nextPassInMs).toBe(30_000);
  });

  it('is slow for idle workers that headroom holds: a start may take one without a kick', () => {
    const workers = [worker('a'), worker('b')];
    const notes = { workers: { a: idleFor(9 * MINUTE), b: idleFor(9 * MINUTE) } };
    expect(plan({ workers }, notes, { headroomCores: 5 }).nextPassInMs).toBe(5 * MINUTE);
  });
});
