// What one pass decides, case by case; of workers that go in upkeep.test.ts. The properties that hold for all are in plan.property.test.ts.
import { describe, expect, it } from 'vitest';
import { EMPTY_MEMORY } from '../../../src/fleet/observation.ts';
import { planFleet } from '../../../src/fleet/plan.ts';
import {
  codes,
  egress,
  ids,
  live,
  MINUTE,
  many,
  NOW,
  observation,
  POLICY,
  plan,
  rec,
  waiting,
  worker,
} from '../../support/fleet.ts';

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

  it('counts once what a worker shows and the index still has waiting', () => {
    const all = ['r1', 'r2', 'r3'].map(rec);
    const leases = Object.fromEntries(all.map((id) => [id, { costCores: 1, untilMs: NOW + MINUTE }]));
    const shown = (ids: string[]) => [worker('w1', { egresses: ids.map((id) => egress(id, 1)) })];
    const queue = all.map((id) => waiting(id, 1));
    expect(plan({ workers: shown(all), waiting: queue }, { leases }).launch).toBe(0);
    expect(plan({ workers: shown(['x1', 'x2', 'x3'].map(rec)), waiting: queue }, { leases }).launch).toBe(1);
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

  it('takes for headroom only what a request fits into, not the sum of fragments', () => {
    const fragments = ['a', 'b'].map((id) => worker(id, { cpuCores: 8, egresses: [egress(`EG_${id}`, 4)] }));
    const limits = { minWorkers: 0, maxWorkers: 10, coresPerWorker: 8 };
    expect(plan({ workers: fragments, limits }, {}, { headroomCores: 4 }).launch).toBe(1);
    expect(
      plan({ workers: [...fragments, worker('c', { cpuCores: 8 })], limits }, {}, { headroomCores: 4 }).launch,
    ).toBe(0);
    expect(plan({ workers: fragments, limits }, {}, { headroomCores: 2 }).launch).toBe(0);
    // A worker that has one room takes no second one: 6.4 - 4.
    expect(plan({ limits }, {}, { headroomCores: 8 }).launch).toBe(2);
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

  it('lets a small one pass a large one that a launch is under way for, and no more once that has waited for long', () => {
    const busy = worker('a', { cpuCores: 8, egresses: [egress('EG_1', 4)] });
    const behind = (sinceMs: number) => [
      waiting('big', 4, { sinceMs }),
      ...many(5, (index) => waiting(`small${index}`, 0.5, { sinceMs: NOW })),
    ];
    const decision = plan({ workers: [busy], waiting: behind(NOW - 1_000) }, {}, {});
    // The fifth has no room left there.
    expect(decision.launch).toBe(2);
    expect(decision.admit).toEqual(many(4, (index) => ({ id: `small${index}`, onto: 'a' })));
    const full = worker('a', { egresses: [egress('EG_1', 2)] });
    expect(ids(plan({ workers: [full], waiting: behind(NOW - 1_000) }).admit)).toEqual(['small0', 'small1']);
    expect(plan({ workers: [full], waiting: behind(NOW - 120_000) }).admit).toEqual([]);
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
      workers: [worker('a', { egresses: [egress(rec('r1'))] }), worker('b')],
      activeEgresses: [live(rec('r1'))],
      waiting: [waiting(rec('r1'))],
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
      workers: [worker('a', { egresses: [egress(rec('r'))] })],
      activeEgresses: [live(rec('r'))],
      running: [{ id: rec('r'), stage: 'recording' as const }],
    };
    expect(plan(running).nextPassInMs).toBe(30_000);
  });

  it('is slow for idle workers that headroom holds: a start may take one without a kick', () => {
    const workers = [worker('a'), worker('b')];
    const notes = { workers: { a: idleFor(9 * MINUTE), b: idleFor(9 * MINUTE) } };
    expect(plan({ workers }, notes, { headroomCores: 5 }).nextPassInMs).toBe(5 * MINUTE);
  });
});

describe('what is remembered', () => {
  it('is read from an older Reelkit, which knew less, and what a newer one knew is passed on', () => {
    const older = { leases: {}, workers: { a: { wasReady: true, idleSinceMs: NOW - 9 * MINUTE } } };
    const decision = planFleet(observation({ workers: [worker('a')] }), older, POLICY);
    expect(ids(decision.cordon)).toEqual(['a']);
    expect(planFleet(observation(), {}, POLICY).memory).toEqual({ ...EMPTY_MEMORY, egresses: {}, startingSince: {} });
    expect(planFleet(observation({ workers: [worker('a')] }), { workers: { a: {} } }, POLICY).launch).toBe(0);
    const newer = { ...EMPTY_MEMORY, later: { a: 1 } };
    expect(planFleet(observation(), newer, POLICY).memory).toMatchObject({ later: { a: 1 } });
  });
});
