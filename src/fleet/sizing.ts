// From demand to a number of workers to launch now: the whole need in one step, inside the maximum and the back-off. Pure.
import { type Demand, expectedIds } from './demand.ts';
import type { FleetMemory, Observation } from './observation.ts';

export interface Sizing {
  launch: number;
  needed: number;
  /** All that count against the maximum: booting, draining and silent ones too. */
  existing: number;
  /** Would launch, but not before this. */
  heldUntilMs?: number;
}

/** How many workers may be launched now. @param notBeforeMs the end of a back-off */
export function mayLaunch(observation: Observation, memory: FleetMemory, notBeforeMs: number): number {
  if (notBeforeMs > observation.nowMs) return 0;
  return Math.max(0, observation.limits.maxWorkers - existingWorkers(observation, memory));
}

export function sizeFleet(observation: Observation, memory: FleetMemory, demand: Demand, notBeforeMs: number): Sizing {
  const existing = existingWorkers(observation, memory);
  const needed = demand.bins.filter(({ kind }) => kind === 'planned').length;
  const launch = Math.min(needed, Math.max(0, observation.limits.maxWorkers - existing));
  const held = launch > 0 && notBeforeMs > observation.nowMs;
  return { launch: held ? 0 : launch, needed, existing, ...(held ? { heldUntilMs: notBeforeMs } : {}) };
}

function existingWorkers(observation: Observation, memory: FleetMemory): number {
  const listed = observation.workers.filter(({ state }) => state !== 'gone').length;
  return listed + expectedIds(observation, memory).length;
}
