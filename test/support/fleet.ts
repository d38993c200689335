// Plain values for tests of the fleet: observations, workers and a policy with round numbers.
import {
  EMPTY_MEMORY,
  type FleetMemory,
  type Observation,
  type ObservedEgress,
  type ObservedWorker,
} from '../../src/fleet/observation.ts';
import { type FleetPlan, planFleet } from '../../src/fleet/plan.ts';
import type { FleetPolicy } from '../../src/fleet/policy.ts';
import { parseAttemptEgressId } from '../../src/recording/attempt.ts';

export const NOW = 1_750_000_000_000;
export const MINUTE = 60_000;

export const POLICY: FleetPolicy = {
  headroomCores: 0,
  largestRequestCores: 4,
  cooldownMs: 5 * MINUTE,
  bootTimeoutMs: 10 * MINUTE,
  busyIntervalMs: 2_000,
  watchIntervalMs: 30_000,
  confirmAfterMs: 10_000,
};

export const LIMITS = { minWorkers: 0, maxWorkers: 10, coresPerWorker: 4 };

export function observation(parts: Partial<Observation> = {}): Observation {
  return {
    nowMs: NOW,
    workers: [],
    activeEgresses: [],
    waiting: [],
    scheduled: [],
    running: [],
    starting: [],
    limits: LIMITS,
    ...parts,
  };
}

export function worker(id: string, parts: Partial<ObservedWorker> = {}): ObservedWorker {
  const state = parts.state ?? 'ready';
  return {
    id,
    state,
    owned: true,
    launchedAtMs: NOW - MINUTE,
    cpuCores: 4,
    answered: state === 'ready' || state === 'draining',
    topic: id,
    present: state === 'ready',
    cordoned: false,
    egresses: [],
    ...parts,
  };
}

/** A recording id as LiveKit makes them, which is its first egress' id, too: `EG_r1xxxxxx`. */
export const rec = (name: string) => `EG_${name.padEnd(8, 'x')}`;

/** As the bus shows it. */
export function live(egressId: string, onBus = true): ObservedEgress {
  return { egressId, ...parseAttemptEgressId(egressId), onBus };
}

export const egress = (egressId: string, costCores = 4) => ({ egressId, costCores });

export function waiting(id: string, costCores = 4, parts: { priority?: number; sinceMs?: number } = {}) {
  return { id, costCores, priority: 3, sinceMs: NOW - 1_000, ...parts };
}

export function many<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

export function memory(parts: Partial<FleetMemory> = {}): FleetMemory {
  return { ...EMPTY_MEMORY, ...parts };
}

export function plan(
  seen: Partial<Observation>,
  remembered: Partial<FleetMemory> = {},
  policy: Partial<FleetPolicy> = {},
) {
  return planFleet(observation(seen), memory(remembered), { ...POLICY, ...policy });
}

export function ids(items: readonly { id: string }[]): string[] {
  return items.map(({ id }) => id);
}

export function codes({ reasons }: FleetPlan): string[] {
  return reasons.map(({ code }) => code);
}
