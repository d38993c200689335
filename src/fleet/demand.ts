// How much capacity is needed and who may start now: packs what is in flight, what waits and what is due onto the workers there
// are and will be, in queue order. Pure.
import { parseAttemptEgressId } from '../recording/attempt.ts';
import { type Bin, binOf, fill, place } from './admission.ts';
import { headroomAsks, withAsks } from './headroom.ts';
import type { FleetMemory, Observation, ObservedWorker, WaitingRecording } from './observation.ts';
import { EXPECTED_MS, type FleetPolicy, MISSED_PROBE_MS, MOST_LEASES } from './policy.ts';

export interface Demand {
  /** Ready and booting workers, and the ones to launch, filled with everything that needs them. */
  bins: Bin[];
  /** May start now, in queue order. */
  admit: WaitingRecording[];
  /** Waiting behind them, in queue order. */
  behind: WaitingRecording[];
  /** Fit no worker there is or can be. */
  setAside: WaitingRecording[];
  /** Already under way to a worker, and not shown by one: admitted ones and starts. */
  inFlight: { id: string; costCores: number }[];
  /** The most cores one worker can have. */
  largestCores: number;
}

export function measureDemand(observation: Observation, memory: FleetMemory, policy: FleetPolicy): Demand {
  const newCores = coresOfNewWorker(observation);
  const underWay = inFlight(observation, memory);
  const demand: Demand = {
    bins: openBins(observation, memory, policy),
    admit: [],
    behind: [],
    setAside: [],
    inFlight: underWay,
    largestCores: largestCores(observation, newCores),
  };
  const put = (costCores: number) => place(demand.bins, costCores) ?? launchFor(demand.bins, costCores, newCores);
  for (const { costCores } of demand.inFlight) if (costCores <= demand.largestCores) put(costCores);
  admitInOrder(demand, queue(observation, underWay), put);
  for (const { costCores } of dueSoon(observation, policy)) if (costCores <= demand.largestCores) put(costCores);
  keepSpare(demand.bins, newCores, policy, observation.limits.minWorkers);
  return demand;
}

/** Priority, then first come, then id: the same order on every machine. */
export function byTurn(a: WaitingRecording, b: WaitingRecording): number {
  return a.priority - b.priority || a.sinceMs - b.sinceMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/**
 * Strict order: once one has to wait, everyone behind it waits, so that a large request is not starved by small ones. What fits
 * no worker at all is set aside and blocks nobody.
 */
function admitInOrder(demand: Demand, waiting: WaitingRecording[], put: (costCores: number) => unknown): void {
  const mayAdmit = Math.max(0, MOST_LEASES - demand.inFlight.length);
  for (const recording of waiting) {
    if (recording.costCores > demand.largestCores) demand.setAside.push(recording);
    else if (
      demand.behind.length === 0 &&
      demand.admit.length < mayAdmit &&
      place(demand.bins, recording.costCores, ['ready'])
    )
      demand.admit.push(recording);
    else {
      demand.behind.push(recording);
      put(recording.costCores);
    }
  }
}

function queue(observation: Observation, inFlight: Demand['inFlight']): WaitingRecording[] {
  const busy = new Set([...inFlight.map(({ id }) => id), ...startedIds(observation)]);
  return observation.waiting.filter(({ id }) => !busy.has(id)).sort(byTurn);
}

function inFlight(observation: Observation, memory: FleetMemory): Demand['inFlight'] {
  const started = startedIds(observation);
  const leased = openIds(observation)
    .filter((id) => !started.has(id))
    .flatMap((id) => {
      const lease = memory.leases[id];
      return lease && lease.untilMs > observation.nowMs ? [{ id, costCores: lease.costCores }] : [];
    });
  const known = new Set([...leased.map(({ id }) => id), ...started]);
  return [...leased, ...observation.starting.filter(({ id }) => !known.has(id))];
}

/** Recordings that a worker already runs; one whose worker drains may need another. */
export function startedIds({ workers }: Observation): Set<string> {
  const lasting = workers.filter(({ state }) => state !== 'draining').flatMap(({ egresses }) => egresses);
  return new Set(lasting.flatMap(({ egressId }) => parseAttemptEgressId(egressId)?.recordingId ?? []));
}

export function openIds({ waiting, scheduled, running, starting }: Observation): string[] {
  return [...waiting, ...scheduled, ...running, ...starting].map(({ id }) => id);
}

function dueSoon({ scheduled, nowMs }: Observation, { bootTimeoutMs }: FleetPolicy) {
  return scheduled.filter(({ dueMs }) => dueMs - nowMs <= bootTimeoutMs).sort((a, b) => a.dueMs - b.dueMs);
}

function openBins(observation: Observation, memory: FleetMemory, { bootTimeoutMs }: FleetPolicy): Bin[] {
  const listed = observation.workers.flatMap((worker) => {
    if (isOverdueStranger(worker)) return [];
    if (worker.state === 'ready' || worker.state === 'booting') return [binOf(worker, worker.state)];
    return hasJustGoneSilent(worker) ? [binOf(worker, 'booting')] : [];
  });
  return [
    ...listed,
    ...expectedIds(observation, memory).map((id) => newBin(id, 'booting', observation.limits.coresPerWorker)),
  ];

  /** One of ours would be replaced; a stranger is only not waited for any longer. */
  function isOverdueStranger({ owned, state, launchedAtMs }: ObservedWorker): boolean {
    return !owned && state === 'booting' && observation.nowMs - launchedAtMs > bootTimeoutMs;
  }

  /** A busy machine misses a probe now and then; that is no reason to launch another worker, and none to admit to this one. */
  function hasJustGoneSilent({ id, state }: ObservedWorker): boolean {
    const sinceMs = memory.workers[id]?.silentSinceMs ?? observation.nowMs;
    return state === 'unreachable' && observation.nowMs - sinceMs < MISSED_PROBE_MS;
  }
}

/** Launched in an earlier pass and not listed by the platform yet. */
export function expectedIds({ workers, nowMs }: Observation, memory: FleetMemory): string[] {
  const listed = new Set(workers.map(({ id }) => id));
  return Object.entries(memory.workers).flatMap(([id, { expectedSinceMs }]) =>
    expectedSinceMs !== undefined && !listed.has(id) && nowMs - expectedSinceMs < EXPECTED_MS ? [id] : [],
  );
}

function newBin(id: string, kind: Bin['kind'], cpuCores: number): Bin {
  return { id, kind, cpuCores, usedCores: 0, requests: 0, placed: 0 };
}

function launchFor(bins: Bin[], costCores: number, cpuCores: number): Bin | undefined {
  if (costCores > cpuCores) return undefined;
  const bin = newBin(`planned-${bins.length}`, 'planned', cpuCores);
  bins.push(bin);
  fill(bin, costCores);
  return bin;
}

function keepSpare(bins: Bin[], cpuCores: number, policy: FleetPolicy, minWorkers: number): void {
  // What is about to be replaced is no spare: its successor boots before it goes.
  const lasting = bins.filter(({ outdated, requests }) => !outdated || requests > 0);
  const { filled, unmet } = withAsks(lasting, headroomAsks(policy, cpuCores));
  for (const costCores of unmet) if (!place(filled, costCores)) launchFor(filled, costCores, cpuCores);
  const missing = cpuCores > 0 ? Math.max(filled.length, minWorkers) - lasting.length : 0;
  for (let launched = 0; launched < missing; launched += 1)
    bins.push(newBin(`planned-${bins.length}`, 'planned', cpuCores));
}

/** What an idle worker of ours reports wins over what was configured, or the fleet would launch workers that serve nobody. */
function coresOfNewWorker({ workers, limits }: Observation): number {
  if (limits.maxWorkers <= workers.filter(({ owned, state }) => !owned && state !== 'gone').length) return 0;
  const reported = workers
    .filter(({ owned, state, egresses }) => owned && state === 'ready' && egresses.length === 0)
    .flatMap(({ freeCores }) => freeCores ?? []);
  return Math.min(limits.coresPerWorker, ...reported);
}

function largestCores({ workers }: Observation, newCores: number): number {
  const usable = workers.filter(({ state }) => state === 'ready' || state === 'booting' || state === 'unreachable');
  return Math.max(newCores, ...usable.map(({ cpuCores }) => cpuCores));
}
