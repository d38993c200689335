// Cases other autoscalers publish in their own tests, re-typed as inputs and outputs. What a slot is there is a worker, or a
// share of one, here. Sources are named at each table; no code was copied.
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import type { ObservedWorker } from '../../../src/fleet/observation.ts';
import { codes, egress, many, NOW, plan, waiting, worker } from '../../support/fleet.ts';

interface Case {
  /** Slots in use, waiting for one, on workers that are still booting, and free on ready workers. */
  active?: number;
  pending?: number;
  bootingWorkers?: number;
  idleWorkers?: number;
  slotsPerWorker?: number;
  headroomSlots?: number;
  min?: number;
  max?: number;
  idleForMs?: number;
}

/** A worker of `slots` slots: 80 % of its cores is what LiveKit fills, and each request costs one. */
const coresFor = (slots: number) => slots / 0.8;

function decide(input: Case) {
  const {
    active = 0,
    pending = 0,
    bootingWorkers = 0,
    idleWorkers = 0,
    slotsPerWorker = 1,
    idleForMs = 3_600_000,
  } = input;
  const cpuCores = coresFor(slotsPerWorker);
  const busy = many(Math.ceil(active / slotsPerWorker), (index): ObservedWorker => {
    const here = Math.min(slotsPerWorker, active - index * slotsPerWorker);
    return worker(`busy-${index}`, { cpuCores, egresses: many(here, (slot) => egress(`EG_${index}_${slot}`, 1)) });
  });
  const booting = many(bootingWorkers, (index) => worker(`boot-${index}`, { cpuCores, state: 'booting' }));
  const idle = many(idleWorkers, (index) => worker(`idle-${index}`, { cpuCores }));
  const workers = [...busy, ...booting, ...idle];
  const notes = Object.fromEntries(idle.map(({ id }) => [id, { wasReady: true, idleSinceMs: NOW - idleForMs }]));
  const limits = { minWorkers: input.min ?? 0, maxWorkers: input.max ?? 1_000_000, coresPerWorker: cpuCores };
  const policy = { headroomCores: (input.headroomSlots ?? 0) * coresFor(1) };
  const requests = many(pending, (index) => waiting(`r-${index}`, 1));
  const decision = plan({ workers, waiting: requests, limits }, { workers: notes }, policy);
  return { launch: decision.launch, total: workers.length + decision.launch - decision.cordon.length, decision };
}

describe('KEDA, accurate strategy (kedacore/keda pkg/scaling/executor/scale_jobs_test.go, TestAccurateScalingStrategy)', () => {
  it.each([
    // queue length, running jobs, of these still pending, max -> jobs to create
    [3, 2, 0, 5, 3],
    [5, 2, 0, 5, 3],
    [3, 4, 2, 10, 1],
    [5, 4, 2, 5, 1],
    [3, 3, 3, 5, 0],
    [15, 15, 15, 20, 0],
    [10, 10, 10, 15, 0],
    [20, 15, 10, 20, 5],
  ])('queue %i, running %i, pending %i, max %i creates %i', (queue, running, pendingJobs, max, create) => {
    const { launch } = decide({ active: running - pendingJobs, bootingWorkers: pendingJobs, pending: queue, max });
    expect(launch).toBe(create);
  });
});

describe('ARC scale set (actions/actions-runner-controller cmd/ghalistener/scaler/scaler_test.go, TestSetDesiredWorkerState_*)', () => {
  // `min` there means idle runners kept beside the busy ones: our headroom.
  it.each([
    // min, max, assigned jobs -> runners
    [0, 2_147_483_647, 0, 0],
    [0, 2_147_483_647, 1, 1],
    [1, 2_147_483_647, 0, 1],
    [1, 2_147_483_647, 2, 3],
    [1, 2_147_483_647, 3, 4],
    [0, 5, 0, 0],
    [0, 5, 1, 1],
    [0, 5, 2, 2],
    [0, 5, 3, 3],
    [0, 5, 5, 5],
    [0, 5, 6, 5],
    [1, 3, 0, 1],
    [1, 3, 2, 3],
    [1, 3, 3, 3],
    [1, 3, 4, 3],
  ])('min %i, max %i, %i jobs want %i runners', (headroomSlots, max, pending, runners) => {
    expect(decide({ headroomSlots, max, pending }).total).toBe(runners);
  });
});

describe('Agones, buffer policy (googleforgames/agones pkg/fleetautoscalers/fleetautoscalers_test.go, TestApplyBufferPolicy)', () => {
  it.each([
    // allocated, idle, buffer, min, max -> replicas, limited by the maximum
    ['an absolute buffer', 40, 10, 20, 0, 100, 60, false],
    ['a minimum above the buffer', 40, 10, 20, 65, 100, 65, false],
    ['a maximum below the buffer', 40, 10, 20, 0, 55, 55, true],
    // A buffer of p per cent is ceil(allocated * 100 / (100 - p)) - allocated slots.
    ['20 per cent of 50', 50, 0, 13, 0, 100, 63, false],
    ['10 per cent of 1', 1, 0, 1, 0, 10, 2, false],
  ])('%s', (_, active, idleWorkers, headroomSlots, min, max, replicas, limited) => {
    const { total, decision } = decide({ active, idleWorkers, headroomSlots, min, max, idleForMs: 0 });
    expect(total).toBe(replicas);
    expect(decision.demand.bins.length > total).toBe(limited);
  });

  it('a buffer that is no number is refused', () => {
    expect(() => parseConfig({ fleet: { headroomCores: 'asd' } })).toThrow(/fleet\.headroomCores is "asd"/);
  });
});

describe('Buildkite (buildkite/buildkite-agent-scaler scaler/scaler_test.go, the rows without factors and waiting jobs)', () => {
  it.each<[string, Case, number]>([
    ['scales out', { pending: 10, active: 2 }, 12],
    ['scales out once a cooldown is over', { pending: 10, active: 2, idleWorkers: 2 }, 12],
    ['keeps an instance buffer', { pending: 10, active: 2, bootingWorkers: 10, headroomSlots: 10 }, 22],
    ['four agents an instance', { pending: 10, active: 2, slotsPerWorker: 4 }, 3],
    ['two agents an instance', { pending: 10, active: 2, slotsPerWorker: 2 }, 6],
    ['five agents an instance, not evenly', { pending: 10, active: 2, slotsPerWorker: 5 }, 3],
    ['twenty agents an instance', { pending: 10, active: 2, slotsPerWorker: 20 }, 1],
    ['scales in to what is needed and the buffer', { pending: 10, active: 5, idleWorkers: 25, headroomSlots: 10 }, 25],
    ['holds inside the cooldown', { idleWorkers: 10, idleForMs: 0 }, 10],
    ['does not scale in right after it scaled out', { idleWorkers: 3, idleForMs: 60_000 }, 3],
  ])('%s', (_, input, instances) => {
    expect(decide({ max: 100, ...input }).total).toBe(instances);
  });

  it('never does what its scale-in factor of 5 does: go to zero with ten jobs scheduled', () => {
    expect(decide({ pending: 10, idleWorkers: 20, max: 100 }).total).toBe(10);
  });
});

describe('jitsi-autoscaler, launcher (src/test/instance_launcher.ts)', () => {
  it('counts workers that nobody launched: one of ours and one of theirs against a need of two launches nothing', () => {
    const decision = plan({
      workers: [worker('ours'), worker('theirs', { owned: false })],
      waiting: [waiting('a'), waiting('b')],
    });
    expect(decision.launch).toBe(0);
    expect(codes(decision)).toEqual(['admit']);
  });
});
