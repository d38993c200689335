// The rule of the queue, whatever waits and runs: nobody is delayed by who passes, no room is left for nothing, nobody starves, and no
// tenant keeps another waiting.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ObservedWorker, WaitingRecording } from '../../../src/fleet/observation.ts';
import { PASSED_MS } from '../../../src/fleet/passing.ts';
import { byTurn, inTurn } from '../../../src/fleet/queue.ts';
import { egress, NOW, POLICY, plan, rec, worker } from '../../support/fleet.ts';
import { type Arrival, FleetSimulator } from '../../support/fleet-simulator.ts';

const cost = fc.constantFrom(0.5, 1, 2, 4);
const tenant = fc.constantFrom(undefined, 'a', 'b');

const queue = fc
  .array(
    fc.record({
      costCores: cost,
      priority: fc.integer({ min: 1, max: 2 }),
      tenant,
      ageMs: fc.integer({ min: 0, max: 2 * PASSED_MS }),
    }),
    {
      maxLength: 12,
    },
  )
  .map((list): WaitingRecording[] =>
    list.map(({ tenant: of, ageMs, ...one }, index) => ({
      ...one,
      id: rec(`q${index}`),
      sinceMs: NOW - ageMs,
      ...(of === undefined ? {} : { tenant: of }),
    })),
  );
const busy = fc
  .array(fc.record({ cpuCores: fc.constantFrom(4, 8), loads: fc.array(cost, { maxLength: 4 }) }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((list) =>
    list.map(({ cpuCores, loads }, index) => {
      const fitting: number[] = [];
      for (const cores of loads) if (takes(cpuCores, fitting, cores)) fitting.push(cores);
      return worker(`w${index}`, {
        cpuCores,
        egresses: fitting.map((cores, slot) => egress(rec(`e${index}${slot}`), cores)),
      });
    }),
  );

/** Nothing can be launched. */
const atMaximum = (workers: ObservedWorker[], waiting: WaitingRecording[]) =>
  plan({ workers, waiting, limits: { minWorkers: 0, maxWorkers: workers.length, coresPerWorker: 8 } });

function subsets<T>(items: readonly T[]): T[][] {
  return items.reduce<T[][]>((all, item) => all.flatMap((each) => [each, [...each, item]]), [[]]);
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);
const takes = (cpuCores: number, loads: readonly number[], costCores: number) =>
  loads.length === 0 ? costCores <= cpuCores : sum(loads) + costCores <= cpuCores * 0.8 + 1e-9;

describe('whoever passes', () => {
  it('takes nothing from one who has waited for long, in whatever order the others end', () => {
    fc.assert(
      fc.property(busy, queue, (workers, waiting) => {
        const { demand } = atMaximum(workers, waiting);
        const turn = new Map(inTurn(waiting, new Map()).map(({ id }, index) => [id, index]));
        for (const { id, cpuCores, egresses } of workers) {
          const passers = demand.admit.filter(({ on }) => on === id);
          for (const passer of passers) {
            const before = demand.behind.filter((one) => (turn.get(one.id) ?? 0) < (turn.get(passer.id) ?? 0));
            const aged = before.filter(({ sinceMs }) => NOW - sinceMs >= PASSED_MS);
            const others = [...egresses, ...demand.admit.filter((one) => one.on === id && one !== passer)];
            for (const { costCores } of aged) {
              for (const left of subsets(others.map((one) => one.costCores))) {
                const could = takes(cpuCores, left, costCores);
                expect(!could || takes(cpuCores, [...left, passer.costCores], costCores)).toBe(true);
              }
            }
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('changes neither place nor expected time of those before it', () => {
    fc.assert(
      fc.property(busy, queue, (workers, waiting) => {
        const ends = workers.flatMap(({ egresses }) => egresses);
        const running = ends.map(({ egressId, costCores }, index) => ({
          id: egressId,
          stage: 'recording' as const,
          costCores,
          endsByMs: NOW + 60_000 * (index + 1),
        }));
        const limits = { minWorkers: 0, maxWorkers: workers.length, coresPerWorker: 8 };
        const { demand } = plan({ workers, waiting, running, limits });
        const passers = new Set(demand.admit.filter(({ on }) => on !== undefined).map(({ id }) => id));
        const last = demand.admit.findIndex(({ on }) => on !== undefined);
        if (last < 0) return;
        const alone = plan({ workers, waiting: waiting.filter(({ id }) => !passers.has(id)), running, limits }).demand;
        const first = demand.places[0];
        expect(alone.places[0]).toEqual(first);
        expect(alone.behind.map(({ id }) => id).slice(0, 1)).toEqual(demand.behind.map(({ id }) => id).slice(0, 1));
      }),
      { numRuns: 60 },
    );
  });

  it('is not held up by more than one worker for each who stands before it and waits for a whole one', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 60 }),
        (rooms, used, tracks) => {
          const workers = Array.from({ length: used }, (_, index) =>
            worker(`w${index}`, { egresses: [egress(rec(`e${index}`), 0.5)] }),
          );
          const waiting = [
            ...Array.from({ length: rooms }, (_, index) => ({
              id: rec(`r${index}`),
              costCores: 4,
              priority: 3,
              sinceMs: NOW - 9_000,
            })),
            ...Array.from({ length: tracks }, (_, index) => ({
              id: rec(`t${index}`),
              costCores: 0.5,
              priority: 3,
              sinceMs: NOW - 1_000 + index,
            })),
          ];
          const { admit } = atMaximum(workers, waiting).demand;
          expect(admit).toHaveLength(Math.min(tracks, Math.max(0, used - rooms) * 5));
        },
      ),
    );
  });
});

describe('a room that waits at the maximum, with 50 tracks behind it and 27 cores free in fragments', () => {
  const workers = Array.from({ length: 10 }, (_, index) =>
    worker(`w${index}`, { egresses: [egress(rec(`e${index}`), 0.5)] }),
  );
  const waitingFor = (ms: number) => [
    { id: rec('room'), costCores: 4, priority: 3, sinceMs: NOW - ms },
    ...Array.from({ length: 50 }, (_, index) => ({
      id: rec(`t${index}`),
      costCores: 0.5,
      priority: 3,
      sinceMs: NOW - 500 + index,
    })),
  ];

  it('has one worker kept for it, and the tracks start on the others', () => {
    const { admit, demand } = atMaximum(workers, waitingFor(1_000));
    expect(admit).toHaveLength(45);
    expect(new Set(admit.map(({ onto }) => onto)).size).toBe(9);
    expect(demand.places.slice(0, 2)).toEqual([
      { id: rec('room'), position: 1 },
      expect.objectContaining({ position: 2 }),
    ]);
    expect(atMaximum(workers, waitingFor(1_000)).line).toContain(
      '45 of them on room that none of the 6 who wait can use',
    );
  });

  it('is passed no more once it has waited for long', () => {
    expect(atMaximum(workers, waitingFor(PASSED_MS)).admit).toEqual([]);
  });

  it('is passed however long it waits where it can be put afterwards, too', () => {
    const large = [worker('big', { cpuCores: 8, egresses: [egress(rec('e'), 4)] })];
    // 6.4 cores: with four tracks there is room for it once the other has ended, with a fifth there is not.
    expect(atMaximum(large, waitingFor(PASSED_MS)).admit).toHaveLength(4);
  });

  it('is told when the first worker is free, by the ends that are known', () => {
    const running = workers.map((_, index) => ({
      id: rec(`e${index}`),
      stage: 'recording' as const,
      costCores: 0.5,
      endsByMs: NOW + (index === 7 ? 60_000 : 600_000),
    }));
    const limits = { minWorkers: 0, maxWorkers: 10, coresPerWorker: 4 };
    const { demand } = plan({ workers, waiting: waitingFor(1_000), running, limits });
    expect(demand.places[0]).toEqual({ id: rec('room'), position: 1, expectedAtMs: NOW + 60_000 });
    expect(demand.admit.map(({ on }) => on)).not.toContain('w7');
  });

  it('is told how long a boot takes when a worker is on its way, and keeps none of the others', () => {
    const limits = { minWorkers: 0, maxWorkers: 11, coresPerWorker: 4 };
    const { demand, launch } = plan({ workers, waiting: waitingFor(1_000), limits }, { bootsMs: [30_000, 50_000] });
    expect([launch, demand.places[0], demand.admit.length]).toEqual([
      1,
      { id: rec('room'), position: 1, expectedAtMs: NOW + 50_000 },
      50,
    ]);
  });
});

describe('turns between tenants', () => {
  it('go to the one with the fewest cores, within one priority', () => {
    fc.assert(
      fc.property(queue, fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 20 }), (waiting, a, b) => {
        const used = new Map<string | undefined, number>([
          ['a', a],
          ['b', b],
        ]);
        const order = inTurn(waiting, used);
        const byPriority = new Map<number, Map<string | undefined, number>>();
        let last = { priority: 0, cores: 0 };
        for (const one of order) {
          const mine = byPriority.get(one.priority) ?? new Map(used);
          byPriority.set(one.priority, mine);
          const cores = mine.get(one.tenant) ?? 0;
          if (one.priority === last.priority) expect(cores).toBeGreaterThanOrEqual(last.cores);
          expect(one.priority).toBeGreaterThanOrEqual(last.priority);
          mine.set(one.tenant, cores + one.costCores);
          last = { priority: one.priority, cores };
        }
        for (const of of [undefined, 'a', 'b']) {
          const own = order.filter((one) => one.tenant === of);
          expect(own).toEqual([...own].sort(byTurn));
        }
      }),
    );
  });

  it('let the one request of a tenant start before the hundred of another that came first', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => ({
      id: rec(`h${index}`),
      costCores: 4,
      priority: 3,
      sinceMs: NOW - 600_000,
      tenant: 'a',
    }));
    const one = { id: rec('one'), costCores: 4, priority: 3, sinceMs: NOW - 1_000, tenant: 'b' };
    const running = [{ id: rec('e'), stage: 'recording' as const, costCores: 4, tenant: 'a' }];
    const workers = [worker('w0', { egresses: [egress(rec('e'))] }), worker('w1')];
    const limits = { minWorkers: 0, maxWorkers: 2, coresPerWorker: 4 };
    expect(plan({ workers, waiting: [...hundred, one], running, limits }).admit).toEqual([{ id: one.id }]);
  });
});

describe('in a simulated fleet whose recordings end when they should', { timeout: 60_000 }, () => {
  const arrivals = fc
    .array(
      fc.record({
        atMs: fc.integer({ min: 0, max: 600_000 }),
        costCores: cost,
        priority: fc.constant(3),
        durationMs: fc.integer({ min: 10_000, max: 600_000 }),
      }),
      { minLength: 5, maxLength: 30 },
    )
    .map((list): Arrival[] => list.map((arrival, index) => ({ ...arrival, id: rec(`r${index}`) })));

  it('whoever is next starts by the time it was told', () => {
    fc.assert(
      fc.property(
        arrivals,
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom(4, 8),
        (list, maxWorkers, coresPerWorker) => {
          const limits = { minWorkers: 0, maxWorkers, coresPerWorker };
          const simulator = new FleetSimulator(limits, { ...POLICY, cooldownMs: 600_000 }, 20_000, list);
          simulator.knowsEnds = true;
          for (const { nowMs, plan: decided } of simulator.run()) {
            const [first] = decided.demand.places;
            if (first?.expectedAtMs === undefined) continue;
            promised.push({ id: first.id, byMs: first.expectedAtMs, nowMs });
          }
          for (const { id, byMs } of promised.splice(0))
            expect(simulator.started.get(id)).toBeLessThanOrEqual(byMs + SLACK_MS);
        },
      ),
      { numRuns: 12 },
    );
  });
});

const promised: { id: string; byMs: number; nowMs: number }[] = [];
/** Between two passes. */
const SLACK_MS = 30_000;
