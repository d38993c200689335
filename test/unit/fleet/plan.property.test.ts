// What holds for every fleet, whatever comes: checked against a simulated world that boots, records and ends by itself.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_MEMORY, type Observation } from '../../../src/fleet/observation.ts';
import { planFleet } from '../../../src/fleet/plan.ts';
import { CORDON_SETTLE_MS } from '../../../src/fleet/policy.ts';
import { byTurn } from '../../../src/fleet/queue.ts';
import { egress, ids, live, NOW, observation, POLICY, rec, worker } from '../../support/fleet.ts';
import { type Arrival, FleetSimulator } from '../../support/fleet-simulator.ts';

const RUNS = { numRuns: 25 };
const LIMIT_MS = 30_000;
const cost = fc.constantFrom(0.5, 1, 2, 4);

const arrivals = fc
  .array(
    fc.record({
      atMs: fc.integer({ min: 0, max: 1_800_000 }),
      costCores: cost,
      priority: fc.integer({ min: 1, max: 5 }),
      durationMs: fc.integer({ min: 1_000, max: 1_200_000 }),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map((list): Arrival[] => list.map((arrival, index) => ({ ...arrival, id: rec(`r${index}`) })));

const world = fc.record({
  arrivals,
  limits: fc
    .record({
      minWorkers: fc.integer({ min: 0, max: 2 }),
      maxWorkers: fc.integer({ min: 2, max: 8 }),
      coresPerWorker: fc.constantFrom(4, 8),
    })
    .map((limits) => limits),
  headroomCores: fc.constantFrom(0, 0, 3, 8),
  cooldownMs: fc.constantFrom(10_000, 300_000),
  bootMs: fc.integer({ min: 0, max: 300_000 }),
});

type World = typeof world extends fc.Arbitrary<infer W> ? W : never;

function simulate({ arrivals: list, limits, headroomCores, cooldownMs, bootMs }: World) {
  const simulator = new FleetSimulator(limits, { ...POLICY, headroomCores, cooldownMs }, bootMs, list);
  return { simulator, passes: simulator.run() };
}

const holdsInEveryPass = (check: (pass: ReturnType<FleetSimulator['pass']>, cooldownMs: number) => void) =>
  fc.assert(
    fc.property(world, (given) => {
      for (const pass of simulate(given).passes) check(pass, given.cooldownMs);
    }),
    RUNS,
  );

describe('in every pass of every simulated fleet', { timeout: LIMIT_MS }, () => {
  it('no busy worker is retired or removed', () => {
    holdsInEveryPass(({ observation: { workers }, plan }) => {
      const busy = new Set(ids(workers.filter(({ egresses }) => egresses.length > 0)));
      for (const id of [...ids(plan.retire), ...ids(plan.remove)]) expect(busy).not.toContain(id);
    });
  });

  it('workers never exceed the maximum, draining ones included', () => {
    holdsInEveryPass(({ observation: { workers, limits }, plan }) => {
      expect(workers.length + plan.launch).toBeLessThanOrEqual(limits.maxWorkers);
    });
  });

  it('a worker is retired only after it was idle for a whole cooldown', () => {
    fc.assert(
      fc.property(world, (given) => {
        const { passes } = simulate(given);
        passes.forEach(({ plan, nowMs }) => {
          for (const { id } of plan.retire) {
            const recent = passes.filter((each) => each.nowMs > nowMs - given.cooldownMs && each.nowMs <= nowMs);
            const states = recent.map(({ observation: { workers } }) => workers.find((each) => each.id === id));
            expect(states.every((seen) => seen?.state === 'ready' && seen.egresses.length === 0)).toBe(true);
          }
        });
      }),
      RUNS,
    );
  });

  it('a worker is retired only after nothing was sent to it for longer than a dispatch takes', () => {
    fc.assert(
      fc.property(world, (given) => {
        const { passes } = simulate(given);
        passes.forEach(({ plan, nowMs }) => {
          for (const { id } of plan.retire) {
            const recent = passes.filter((each) => each.nowMs > nowMs - CORDON_SETTLE_MS && each.nowMs <= nowMs);
            const marks = recent.map(
              ({ observation: { workers } }) => workers.find((each) => each.id === id)?.cordoned,
            );
            expect(marks.every((cordoned) => cordoned === true)).toBe(true);
          }
        });
      }),
      RUNS,
    );
  });

  it('nothing is launched in a pass that retires, so the fleet does not flap', () => {
    holdsInEveryPass(({ plan }) => {
      expect(plan.launch > 0 && plan.retire.length > 0).toBe(false);
    });
  });

  it('whoever is admitted stands before everyone who still waits, or passes onto one worker alone', () => {
    holdsInEveryPass(({ plan }) => {
      const turns = [...plan.demand.admit.filter(({ on }) => on === undefined), ...plan.demand.behind];
      expect(turns).toEqual([...turns].sort(byTurn));
    });
  });

  it('the same pass again, right after it was applied, launches, admits and retires nothing', () => {
    fc.assert(
      fc.property(world, (given) => {
        const simulator = new FleetSimulator(given.limits, { ...POLICY, ...given }, given.bootMs, given.arrivals);
        for (const pass of simulator.run(60)) {
          const again = planFleet(afterwards(pass.observation, pass.plan.launch), pass.plan.memory, simulator.policy);
          expect(again.launch).toBe(0);
          expect(again.admit).toEqual([]);
          expect(again.retire).toEqual([]);
        }
      }),
      RUNS,
    );
  });
});

/** The same moment, with the launched workers on the platform's list. */
function afterwards(seen: Observation, launched: number): Observation {
  const booting = Array.from({ length: launched }, (_, index) =>
    worker(`new-${index}`, { state: 'booting', launchedAtMs: seen.nowMs, cpuCores: seen.limits.coresPerWorker }),
  );
  return { ...seen, workers: [...seen.workers, ...booting] };
}

describe('at the end of every simulated fleet', { timeout: LIMIT_MS }, () => {
  it('every recording that fits a worker has started, and the fleet is at its minimum', () => {
    fc.assert(
      fc.property(world, (given) => {
        const { simulator } = simulate({ ...given, headroomCores: 0 });
        expect([...simulator.started.keys()].sort()).toEqual(given.arrivals.map(({ id }) => id).sort());
        expect(simulator.workers).toHaveLength(given.limits.minWorkers);
      }),
      RUNS,
    );
  });

  it('within one priority and one cost nobody starts before somebody who came earlier', () => {
    fc.assert(
      fc.property(world, (given) => {
        const { simulator } = simulate(given);
        const startOf = (id: string) => simulator.started.get(id) ?? Number.POSITIVE_INFINITY;
        for (const early of given.arrivals) {
          for (const late of given.arrivals) {
            const peers = early.priority === late.priority && early.costCores === late.costCores;
            if (peers && early.atMs < late.atMs) expect(startOf(early.id)).toBeLessThanOrEqual(startOf(late.id));
          }
        }
      }),
      RUNS,
    );
  });
});

describe('demand', () => {
  const queue = fc.array(cost, { maxLength: 40 });
  const busyCores = fc.array(fc.array(fc.constantFrom(0.5, 1, 2), { maxLength: 2 }), { maxLength: 6 });
  const decide = (costs: number[], busy: number[][], headroomCores: number) =>
    planFleet(
      observation({
        workers: busy.map((each, index) =>
          worker(`w${index}`, { egresses: each.map((cores, slot) => egress(`EG_${index}_${slot}`, cores)) }),
        ),
        waiting: costs.map((costCores, index) => ({
          id: `r${String(index).padStart(3, '0')}`,
          costCores,
          priority: 3,
          sinceMs: NOW + index,
        })),
        limits: { minWorkers: 0, maxWorkers: 1_000, coresPerWorker: 4 },
      }),
      EMPTY_MEMORY,
      { ...POLICY, headroomCores },
    );

  it('is monotone: one more recording at the end of the queue never means fewer workers', () => {
    fc.assert(
      fc.property(queue, cost, busyCores, fc.constantFrom(0, 4, 10), (costs, one, busy, headroom) => {
        expect(decide([...costs, one], busy, headroom).launch).toBeGreaterThanOrEqual(
          decide(costs, busy, headroom).launch,
        );
      }),
    );
  });

  it('is met: never fewer workers than the cores that are in use and asked for', () => {
    fc.assert(
      fc.property(queue, busyCores, (costs, busy) => {
        const total = busy.length + decide(costs, busy, 0).launch;
        const cores = [...costs, ...busy.flat()].reduce((sum, each) => sum + each, 0);
        expect(total * 4).toBeGreaterThanOrEqual(cores - 1e-9);
      }),
    );
  });

  it('counts each recording once, wherever it is on its way', () => {
    const stages = ['waiting', 'starting', 'recording', 'stopping', 'scheduled'] as const;
    const known = fc.record({
      costCores: cost,
      stage: fc.constantFrom(...stages),
      leased: fc.boolean(),
      /** Shown by a worker that lives, by one that is gone, or by none. */
      on: fc.constantFrom('b', 'gone', undefined),
    });
    fc.assert(
      fc.property(fc.array(known, { maxLength: 12 }), (list) => {
        const all = list.map((one, index) => ({ ...one, id: rec(`r${index}`) }));
        const of = (stage: (typeof stages)[number]) => all.filter((one) => one.stage === stage);
        const shown = all.filter(({ on }) => on === 'b').map(({ id, costCores }) => egress(id, costCores));
        const decision = planFleet(
          observation({
            workers: [worker('b', { egresses: shown, cpuCores: 64 })],
            activeEgresses: shown.map(({ egressId }) => live(egressId)),
            waiting: of('waiting').map(({ id, costCores }) => ({ id, costCores, priority: 3, sinceMs: NOW })),
            starting: of('starting').map(({ id, costCores }) => ({ id, costCores })),
            running: all.flatMap(({ id, costCores, stage }) =>
              stage === 'recording' || stage === 'stopping' ? [{ id, costCores, stage }] : [],
            ),
            scheduled: of('scheduled').map(({ id, costCores }) => ({ id, costCores, dueMs: NOW })),
          }),
          {
            ...EMPTY_MEMORY,
            egresses: Object.fromEntries(all.flatMap(({ id, on }) => (on ? [[id, on]] : []))),
            leases: Object.fromEntries(
              all.flatMap(({ id, costCores, leased }) => (leased ? [[id, { costCores, untilMs: NOW + 1_000 }]] : [])),
            ),
          },
          POLICY,
        );
        const { inFlight, admit, behind, setAside } = decision.demand;
        const counted = [...ids(inFlight), ...ids(admit), ...ids(behind), ...ids(setAside)];
        expect(counted).toEqual([...new Set(counted)]);
        const running = new Set(shown.map(({ egressId }) => egressId));
        for (const { id, stage, on } of all) {
          if (stage === 'recording' && on === 'gone') expect(counted).toContain(id);
          if (running.has(id)) expect(counted).not.toContain(id);
        }
      }),
    );
  });

  it('does not depend on the order in which it is listed', () => {
    fc.assert(
      fc.property(arrivals, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (list, random) => {
        const waiting = list.map(({ id, costCores, priority, atMs }) => ({
          id,
          costCores,
          priority,
          sinceMs: NOW - atMs,
        }));
        const shuffled = waiting.map((each) => ({ each, key: random.next().value })).sort((a, b) => a.key - b.key);
        const workers = [worker('a'), worker('b', { egresses: [egress('EG_1', 2)] })];
        const first = planFleet(observation({ workers, waiting }), EMPTY_MEMORY, POLICY);
        const second = planFleet(
          observation({ workers, waiting: shuffled.map(({ each }) => each) }),
          EMPTY_MEMORY,
          POLICY,
        );
        expect(ids(second.admit)).toEqual(ids(first.admit));
        expect(second.launch).toBe(first.launch);
      }),
    );
  });
});
