// A small world for the plan: workers that boot, recordings that come, wait, record and end, and dispatchers that send to the fullest
// worker that is not cordoned. Time jumps from event to event; nothing here is random.
import { EMPTY_MEMORY, type FleetMemory, type Observation, type ObservedWorker } from '../../src/fleet/observation.ts';
import { type FleetPlan, planFleet } from '../../src/fleet/plan.ts';
import { type FleetPolicy, STANDBY_INTERVAL_MS } from '../../src/fleet/policy.ts';
import { live } from './fleet.ts';

export interface Arrival {
  id: string;
  atMs: number;
  costCores: number;
  priority: number;
  durationMs: number;
}

const QUIET_PASSES = 3;

interface SimulatedWorker {
  id: string;
  launchedAtMs: number;
  readyAtMs: number;
  cordoned: boolean;
  draining: boolean;
  egresses: { recordingId: string; costCores: number; endsAtMs: number }[];
}

export interface Pass {
  nowMs: number;
  observation: Observation;
  plan: FleetPlan;
}

export class FleetSimulator {
  nowMs = 0;
  memory: FleetMemory = EMPTY_MEMORY;
  workers: SimulatedWorker[] = [];
  readonly started = new Map<string, number>();
  private launches = 0;
  private quietPasses = 0;
  readonly limits: Observation['limits'];
  readonly policy: FleetPolicy;
  readonly bootMs: number;
  /** Recordings end when their maximum duration is over, not before. */
  knowsEnds = false;
  private readonly arrivals: Arrival[];

  constructor(limits: Observation['limits'], policy: FleetPolicy, bootMs: number, arrivals: Arrival[]) {
    this.limits = limits;
    this.policy = policy;
    this.bootMs = bootMs;
    this.arrivals = [...arrivals].sort((a, b) => a.atMs - b.atMs);
  }

  /** Runs until nothing is to be done any more. Returns every pass. */
  run(maxPasses = 2_000): Pass[] {
    const passes: Pass[] = [];
    for (let next: number | undefined = 0; next !== undefined && passes.length < maxPasses; ) {
      this.advanceTo(next);
      const pass = this.pass();
      passes.push(pass);
      next = this.nextPassAt(pass.plan);
    }
    return passes;
  }

  pass(): Pass {
    const observation = this.observe();
    const plan = planFleet(observation, this.memory, this.policy);
    this.memory = plan.memory;
    this.apply(plan);
    return { nowMs: this.nowMs, observation, plan };
  }

  observe(): Observation {
    const open = this.arrivals.filter(({ id, atMs }) => atMs <= this.nowMs && !this.started.has(id));
    const active = this.workers.flatMap(({ egresses }) => egresses);
    return {
      nowMs: this.nowMs,
      workers: this.workers.map((worker) => this.observeWorker(worker)),
      activeEgresses: active.map(({ recordingId }) => live(recordingId)),
      waiting: open.map(({ id, costCores, priority, atMs }) => ({ id, costCores, priority, sinceMs: atMs })),
      scheduled: [],
      running: active.map(({ recordingId, costCores, endsAtMs }) => ({
        id: recordingId,
        stage: 'recording',
        costCores,
        ...(this.knowsEnds ? { endsByMs: endsAtMs } : {}),
      })),
      starting: [],
      limits: this.limits,
    };
  }

  private observeWorker({
    id,
    launchedAtMs,
    readyAtMs,
    cordoned,
    draining,
    egresses,
  }: SimulatedWorker): ObservedWorker {
    const ready = readyAtMs <= this.nowMs;
    return {
      id,
      state: draining ? 'draining' : ready ? 'ready' : 'booting',
      owned: true,
      launchedAtMs,
      cpuCores: this.limits.coresPerWorker,
      answered: ready,
      topic: id,
      present: ready && !draining,
      cordoned,
      egresses: egresses.map(({ recordingId, costCores }) => ({ egressId: recordingId, costCores })),
    };
  }

  private apply(plan: FleetPlan): void {
    for (let count = 0; count < plan.launch; count += 1) {
      this.launches += 1;
      const launchedAtMs = this.nowMs;
      const readyAtMs = launchedAtMs + this.bootMs;
      const marks = { cordoned: false, draining: false };
      this.workers.push({ id: `w${this.launches}`, launchedAtMs, readyAtMs, ...marks, egresses: [] });
    }
    this.mark(plan.uncordon, false);
    for (const { id } of plan.retire) for (const worker of this.workers) if (worker.id === id) worker.draining = true;
    this.workers = this.workers.filter(({ id }) => !plan.remove.some((removed) => removed.id === id));
    for (const { id, onto } of plan.admit) this.start(id, onto);
    // Last: a dispatch may have looked just before.
    this.mark(plan.cordon, true);
  }

  private mark(marked: readonly { id: string }[], cordoned: boolean): void {
    for (const worker of this.workers) if (marked.some(({ id }) => id === worker.id)) worker.cordoned = cordoned;
  }

  /** Any busy worker with room, else any idle one; the worker's own admission. */
  private start(id: string, onto?: string): void {
    const arrival = this.arrivals.find((each) => each.id === id);
    if (!arrival) throw new Error(`${id} was admitted and never asked for`);
    const cores = this.limits.coresPerWorker;
    const takes = (worker: SimulatedWorker) => {
      const used = worker.egresses.reduce((sum, { costCores }) => sum + costCores, 0);
      const room = worker.egresses.length === 0 ? cores : cores * 0.8 - used;
      return !worker.draining && !worker.cordoned && worker.readyAtMs <= this.nowMs && room >= arrival.costCores - 1e-9;
    };
    const able = this.workers.filter((worker) => (onto ?? worker.id) === worker.id && takes(worker));
    const chosen = able.find(({ egresses }) => egresses.length > 0) ?? able[0];
    if (!chosen) return;
    const { costCores, durationMs } = arrival;
    chosen.egresses.push({ recordingId: id, costCores, endsAtMs: this.nowMs + durationMs });
    this.started.set(id, this.nowMs);
  }

  private advanceTo(atMs: number): void {
    this.nowMs = Math.max(this.nowMs, atMs);
    for (const worker of this.workers)
      worker.egresses = worker.egresses.filter(({ endsAtMs }) => endsAtMs > this.nowMs);
    // A drained worker ends by itself as soon as it is idle.
    this.workers = this.workers.filter(({ draining, egresses }) => !draining || egresses.length > 0);
  }

  /** Standby passes go on for ever; the world ends when nothing comes any more and some of them decided nothing. */
  private nextPassAt({ line, nextPassInMs }: FleetPlan): number | undefined {
    const kick = this.arrivals.find(({ atMs }) => atMs > this.nowMs)?.atMs;
    const standby = nextPassInMs === STANDBY_INTERVAL_MS && line === undefined && kick === undefined;
    this.quietPasses = standby ? this.quietPasses + 1 : 0;
    const timer =
      nextPassInMs === undefined || this.quietPasses > QUIET_PASSES
        ? undefined
        : this.nowMs + Math.max(1, nextPassInMs);
    const times = [timer, kick].filter((time) => time !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }
}
