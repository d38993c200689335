// Whatever happens to however many, what a pass writes down stays small: the line, the state, and the memory of the next pass.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeFleet } from '../../../src/fleet/explain.ts';
import { afterLaunch } from '../../../src/fleet/launch-again.ts';
import type { Observation } from '../../../src/fleet/observation.ts';
import type { FleetPlan } from '../../../src/fleet/plan.ts';
import { egress, live, many, NOW, plan, rec, waiting, worker } from '../../support/fleet.ts';

const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value) ?? '');
/** Of one line, of the state for the Web UI, and of all reasons in the log. */
const SMALL = 10_000;
/** Temporal takes 2 MB. */
const HISTORY = 1_500_000;

function expectBounded(decision: FleetPlan, seen: Partial<Observation>) {
  expect(bytes(decision.line ?? '')).toBeLessThan(SMALL);
  expect(bytes(decision.reasons)).toBeLessThan(2 * SMALL);
  expect(bytes(decision.memory.lastHold ?? '')).toBeLessThan(SMALL);
  const state = { nowMs: NOW, ...plan({}).demand, workers: [], running: [], scheduled: [], ...seen };
  const limits = { minWorkers: 0, maxWorkers: 10, coresPerWorker: 4 };
  expect(bytes(describeFleet({ ...state, limits } as never, decision.memory, decision.demand))).toBeLessThan(SMALL);
  expect(bytes(decision.memory)).toBeLessThan(HISTORY);
}

const LOG = '{"level":"error","msg":"could not start Chrome 👎"}\n'.repeat(400);

describe('what a pass writes down is small', () => {
  it.each<[what: string, seen: Partial<Observation>, remembered?: Parameters<typeof plan>[1]]>([
    ['430 recordings fit no worker', { waiting: many(430, (index) => waiting(rec(`w${index}`), 64)) }],
    [
      '12,000 egresses are lost',
      { running: many(12_000, (index) => ({ id: rec(`r${index}`), stage: 'recording' as const })) },
      { egresses: Object.fromEntries(many(12_000, (index) => [rec(`r${index}`), 'reelkit-default-12345678-90-12'])) },
    ],
    ['12,000 recordings start', { starting: many(12_000, (index) => ({ id: rec(`s${index}`), costCores: 4 })) }],
    [
      '12,000 egresses never begin to record',
      {
        starting: many(12_000, (index) => ({ id: rec(`s${index}`), costCores: 4 })),
        activeEgresses: many(12_000, (index) => live(rec(`s${index}`))),
      },
    ],
    [
      '12,000 live egresses of nobody',
      { activeEgresses: many(12_000, (index) => live(rec(`x${index}`))) },
      { suspectSince: Object.fromEntries(many(4_000, (index) => [rec(`x${index}`), NOW - 60_000])) },
    ],
    [
      'strangers',
      { activeEgresses: many(12_000, (index) => ({ egressId: `other-${index}`.repeat(20), onBus: true })) },
    ],
    [
      '200 workers died with long logs',
      { workers: many(200, (index) => worker(`w${index}`, { state: 'gone', reason: LOG })), waiting: [waiting('r')] },
      { workers: Object.fromEntries(many(200, (index) => [`w${index}`, { wasReady: index % 2 === 0 }])) },
    ],
    [
      '200 workers boot and say a lot',
      { workers: many(200, (index) => worker(`w${index}`, { state: 'booting', reason: LOG })) },
    ],
    [
      'a queue of 5,000',
      {
        waiting: many(5_000, (index) => waiting(rec(`q${index}`))),
        workers: many(3_000, (index) => worker(`w${index}`)),
      },
    ],
    [
      '12,000 egresses on 300 workers',
      {
        workers: many(300, (index) =>
          worker(`reelkit-default-12345678-90-${index}`, {
            cpuCores: 64,
            egresses: many(40, (slot) => egress(rec(`e${index * 40 + slot}`), 0.5)),
          }),
        ),
        activeEgresses: many(12_000, (index) => live(rec(`e${index}`))),
        running: many(12_000, (index) => ({ id: rec(`e${index}`), stage: 'recording' as const })),
      },
    ],
  ])('when %s', (_, seen, remembered = {}) => {
    const first = plan(seen, remembered);
    expectBounded(first, seen);
    expectBounded(plan({ ...seen, nowMs: NOW + 31_000 }, first.memory), seen);
  });

  it('however long the words of a platform are, and in whatever script', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 400 }), (text) => {
        const reason = text.repeat(50);
        const workers = [worker('a', { state: 'gone', reason })];
        const decision = plan({ workers, waiting: [waiting('r')] }, { workers: { a: {} } });
        expectBounded(decision, { workers });
        const refused = { launched: [], refusal: { kind: 'no_capacity' as const, message: reason } };
        expect(bytes(afterLaunch(decision.memory, refused, NOW))).toBeLessThan(SMALL);
      }),
      { numRuns: 50 },
    );
  });

  it('what was not acted on for its number is acted on later', () => {
    const running = many(6_000, (index) => ({ id: rec(`r${index}`), stage: 'recording' as const }));
    const egresses = Object.fromEntries(running.map(({ id }) => [id, 'w1']));
    const first = plan({ running }, { egresses });
    expect(first.lost).toHaveLength(4_000);
    const told = new Set(first.lost.map(({ recordingId }) => recordingId));
    const second = plan(
      { running: running.filter(({ id }) => !told.has(id)), nowMs: NOW + 2_000 },
      { ...first.memory, egresses },
    );
    expect(second.lost.length).toBe(0);
    const third = plan(
      { running: running.filter(({ id }) => !told.has(id)), nowMs: NOW + 4_000 },
      { ...second.memory, egresses },
    );
    expect(third.lost).toHaveLength(2_000);
  });
});
