// When the fleet looks again. Nothing open and the minimum at zero: never, until it is kicked. Pure.
import type { Demand } from './demand.ts';
import type { FleetMemory, Observation } from './observation.ts';
import {
  CORDON_SETTLE_MS,
  type FleetPolicy,
  SLOWEST_BUSY_MS,
  STANDBY_INTERVAL_MS,
  UNEXPLAINED_KICK_MS,
} from './policy.ts';
import { surplusWorkers } from './upkeep.ts';

export function nextPassInMs(
  observation: Observation,
  memory: FleetMemory,
  demand: Demand,
  policy: FleetPolicy,
  launching: boolean,
): number | undefined {
  const times = [
    launching || isBusy(observation, memory, demand) ? busyMs(observation, memory, demand, policy) : undefined,
    ...backoffEnd(observation, memory, demand),
    ...cordonEnds(observation, memory, policy),
    ...cooldownEnds(observation, memory, demand, policy),
    ...watch(observation, policy),
    observation.kicked ? UNEXPLAINED_KICK_MS : undefined,
    // A free worker may be taken at any time without a kick.
    keepsWorkers(observation) ? STANDBY_INTERVAL_MS : undefined,
  ].filter((ms) => ms !== undefined);
  return times.length === 0 ? undefined : Math.max(0, Math.ceil(Math.min(...times)));
}

function keepsWorkers({ limits, workers }: Observation): boolean {
  return limits.minWorkers > 0 || workers.some(({ state }) => state === 'ready');
}

/** Something waits, boots, drains idle, or is suspect. */
function isBusy(observation: Observation, memory: FleetMemory, { admit, behind, inFlight }: Demand): boolean {
  if (admit.length + behind.length + inFlight.length > 0) return true;
  if (Object.keys(memory.suspectSince).some((key) => memory.actedMs[key] === undefined)) return true;
  return changingSince(observation, memory).length > 0;
}

/** When each worker that boots, or drains and is idle, began to. */
function changingSince({ workers, nowMs }: Observation, memory: FleetMemory): number[] {
  const expected = Object.values(memory.workers).flatMap(({ expectedSinceMs }) => expectedSinceMs ?? []);
  const listed = workers.flatMap(({ id, state, egresses, launchedAtMs }) => {
    const { drainAskedMs, outOfServiceSinceMs } = memory.workers[id] ?? {};
    if (state === 'gone' || egresses.length > 0) return [];
    if (drainAskedMs !== undefined) return [drainAskedMs];
    if (state === 'draining') return [outOfServiceSinceMs ?? nowMs];
    return state === 'booting' ? [launchedAtMs] : [];
  });
  return [...expected, ...listed];
}

/**
 * The longer something has been going on, the less a look more matters: never later than a tenth of the wait so far, so that
 * boots of minutes do not cost a pass every other second.
 */
function busyMs(observation: Observation, memory: FleetMemory, { behind }: Demand, policy: FleetPolicy): number {
  const began = [...changingSince(observation, memory), ...behind.map(({ sinceMs }) => sinceMs)];
  const forMs = began.length === 0 ? 0 : observation.nowMs - Math.max(...began);
  const slowestMs = Math.max(policy.busyIntervalMs, SLOWEST_BUSY_MS);
  return Math.min(slowestMs, Math.max(policy.busyIntervalMs, forMs / 10));
}

/** The wait for the provider ends while somebody needs a launch. */
function backoffEnd({ nowMs }: Observation, { launchNotBeforeMs }: FleetMemory, { bins }: Demand): number[] {
  const needed = bins.some(({ kind }) => kind === 'planned');
  return needed && launchNotBeforeMs > nowMs ? [launchNotBeforeMs - nowMs] : [];
}

/** When an idle worker to which nothing was sent for long enough may end. */
function cordonEnds({ workers, nowMs }: Observation, memory: FleetMemory, policy: FleetPolicy): number[] {
  return workers.flatMap(({ id, state, answered, egresses }) => {
    const { cordonedMs, drainAskedMs } = memory.workers[id] ?? {};
    const mayEnd = state !== 'gone' && answered && egresses.length === 0 && drainAskedMs === undefined;
    return mayEnd && cordonedMs !== undefined
      ? [Math.max(policy.busyIntervalMs, cordonedMs + CORDON_SETTLE_MS - nowMs)]
      : [];
  });
}

/** When the next worker that neither demand, headroom nor minimum holds has been idle long enough. */
function cooldownEnds(observation: Observation, memory: FleetMemory, { bins }: Demand, policy: FleetPolicy): number[] {
  const surplus = surplusWorkers(observation, memory.workers, bins, { ...policy, cooldownMs: 0 });
  return surplus.flatMap(({ id }) => {
    const { idleSinceMs, cordonedMs, drainAskedMs } = memory.workers[id] ?? {};
    if (idleSinceMs === undefined || cordonedMs !== undefined || drainAskedMs !== undefined) return [];
    return [Math.max(policy.busyIntervalMs, idleSinceMs + policy.cooldownMs - observation.nowMs)];
  });
}

function watch(observation: Observation, policy: FleetPolicy): number[] {
  const { nowMs, workers, waiting, running, starting, scheduled, activeEgresses } = observation;
  const recording = running.length + starting.length + waiting.length > 0;
  // Nothing shrinks while the bus is silent, so idle workers are worth another look.
  const working = workers.some(({ egresses, state, owned }) => {
    return egresses.length > 0 || state === 'unreachable' || (state === 'ready' && owned && !activeEgresses);
  });
  // A scheduled recording becomes demand one boot time before it is due; nothing is to be seen until then.
  const becomesDemandMs = Math.min(...scheduled.map(({ dueMs }) => dueMs - policy.bootTimeoutMs - nowMs));
  return [
    ...(recording || working ? [policy.watchIntervalMs] : []),
    ...(scheduled.length > 0 ? [becomesDemandMs > 0 ? becomesDemandMs : policy.watchIntervalMs] : []),
  ];
}
