// When the fleet looks again. Nothing open and the minimum at zero: never, until it is kicked. Pure.
import type { Demand } from './demand.ts';
import type { FleetMemory, Observation } from './observation.ts';
import { type FleetPolicy, SLOWEST_BUSY_MS, STANDBY_INTERVAL_MS } from './policy.ts';
import { retirable } from './upkeep.ts';

export function nextPassInMs(
  observation: Observation,
  memory: FleetMemory,
  demand: Demand,
  policy: FleetPolicy,
  launching: boolean,
): number | undefined {
  const times = [
    launching || isBusy(observation, memory, demand) ? busyMs(observation, demand, policy) : undefined,
    ...backoffEnd(observation, memory, demand),
    ...cooldownEnds(observation, memory, demand, policy),
    ...watch(observation, policy),
    observation.limits.minWorkers > 0 ? STANDBY_INTERVAL_MS : undefined,
  ].filter((ms) => ms !== undefined);
  return times.length === 0 ? undefined : Math.max(0, Math.ceil(Math.min(...times)));
}

/** Something waits, boots, drains idle, or is suspect. */
function isBusy({ workers }: Observation, memory: FleetMemory, { admit, behind, inFlight }: Demand): boolean {
  if (admit.length + behind.length + inFlight.length > 0) return true;
  if (Object.keys(memory.suspectSince).some((key) => memory.actedMs[key] === undefined)) return true;
  if (Object.values(memory.workers).some(({ expectedSinceMs }) => expectedSinceMs !== undefined)) return true;
  return workers.some(({ state, egresses }) => state === 'booting' || (state === 'draining' && egresses.length === 0));
}

/**
 * The longer something has been going on, the less a look more matters: never later than a tenth of the wait so far, so that
 * boots of minutes do not cost a pass every other second.
 */
function busyMs({ nowMs, workers }: Observation, { behind }: Demand, policy: FleetPolicy): number {
  const began = [
    ...workers.filter(({ state }) => state === 'booting').map(({ launchedAtMs }) => launchedAtMs),
    ...behind.map(({ sinceMs }) => sinceMs),
  ];
  const forMs = began.length === 0 ? 0 : nowMs - Math.max(...began);
  const slowestMs = Math.max(policy.busyIntervalMs, SLOWEST_BUSY_MS);
  return Math.min(slowestMs, Math.max(policy.busyIntervalMs, forMs / 10));
}

/** The wait for the provider ends while somebody needs a launch. */
function backoffEnd({ nowMs }: Observation, { launchNotBeforeMs }: FleetMemory, { bins }: Demand): number[] {
  const needed = bins.some(({ kind }) => kind === 'planned');
  return needed && launchNotBeforeMs > nowMs ? [launchNotBeforeMs - nowMs] : [];
}

/** When the next idle worker that neither headroom nor minimum holds may be retired. */
function cooldownEnds(observation: Observation, memory: FleetMemory, { bins }: Demand, policy: FleetPolicy): number[] {
  const idle = retirable(observation, memory.workers, bins);
  const capacity = bins.filter(({ kind }) => kind !== 'planned').length;
  const spare = Math.min(idle.length, capacity - observation.limits.minWorkers);
  if (spare <= 0 || policy.headroomCores >= idle.reduce((sum, { bin }) => sum + bin.cpuCores, 0)) return [];
  return idle
    .filter(({ bin }) => memory.workers[bin.id]?.drainAskedMs === undefined)
    .map(({ idleSinceMs }) => Math.max(policy.busyIntervalMs, idleSinceMs + policy.cooldownMs - observation.nowMs))
    .slice(0, 1);
}

function watch({ nowMs, workers, waiting, running, starting, scheduled }: Observation, policy: FleetPolicy): number[] {
  const recording = running.length + starting.length + waiting.length > 0;
  const working = workers.some(({ egresses, state }) => egresses.length > 0 || state === 'unreachable');
  // A scheduled recording becomes demand one boot time before it is due; nothing is to be seen until then.
  const becomesDemandMs = Math.min(...scheduled.map(({ dueMs }) => dueMs - policy.bootTimeoutMs - nowMs));
  return [
    ...(recording || working ? [policy.watchIntervalMs] : []),
    ...(scheduled.length > 0 ? [becomesDemandMs > 0 ? becomesDemandMs : policy.watchIntervalMs] : []),
  ];
}
