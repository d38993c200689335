// How much capacity is needed and who may start now: packs what is in flight, what waits and what is due onto the workers there
// are and will be, in queue order. Pure.
import { defined } from '../common/defined.ts';
import { parseAttemptEgressId } from '../recording/attempt.ts';
import { type Bin, binOf, fill, openBinsOf, place } from './admission.ts';
import { isPassedOver } from './doubt.ts';
import { headroomAsks, withAsks } from './headroom.ts';
import type { FleetMemory, Observation, ObservedWorker, WaitingRecording } from './observation.ts';
import { EXPECTED_MS, type FleetPolicy, MISSED_PROBE_MS, MOST_LEASES } from './policy.ts';
import { inTurn, usageOf } from './queue.ts';
import { type Turns, takeTurns } from './turns.ts';

export interface Demand extends Turns {
  /** Ready and booting workers, and the ones to launch, filled with everything that needs them. */
  bins: Bin[];
  /** Fit no worker there is or can be. */
  setAside: WaitingRecording[];
  /** Already under way to a worker, and not shown by one: admitted ones, starts, and those whose egress was lost. Each once. */
  inFlight: InFlight[];
  /** The most cores one worker can have. */
  largestCores: number;
}

interface InFlight {
  id: string;
  costCores: number;
  tenant?: string;
  /** The only worker it may start on. */
  on?: string;
}

interface DemandFacts {
  /** How many workers can be launched now. */
  mayLaunch: number;
  /** Recordings whose egress is lost. */
  displaced: ReadonlySet<string>;
}

export function measureDemand(
  observation: Observation,
  memory: FleetMemory,
  policy: FleetPolicy,
  { mayLaunch, displaced }: DemandFacts,
): Demand {
  const newCores = coresOfNewWorker(observation);
  const largest = largestCores(observation, newCores);
  const bins = usableBins(observation, memory, policy);
  const open = openBinsOf(bins);
  const planned = new Map<string, number>();
  const put = (costCores: number) => {
    const found = open.place(costCores);
    if (found) return found;
    const launched = launchFor(bins, costCores, newCores);
    if (!launched) return undefined;
    open.add(launched);
    planned.set(launched.id, planned.size);
    return launched;
  };
  const underWay = inFlight(observation, memory, displaced);
  const moving = new Set(underWay.map(({ id }) => id));
  for (const { costCores, on } of underWay) {
    const chosen = on === undefined ? undefined : bins.find(({ id }) => id === on);
    if (chosen) fill(chosen, costCores);
    else if (costCores <= largest) put(costCores);
  }
  const settled = observation.running.filter(({ id }) => !moving.has(id));
  const waiting = inTurn(queue(observation, moving), usageOf([...settled, ...underWay]));
  const turns = takeTurns(
    waiting.filter(({ costCores }) => costCores <= largest),
    {
      nowMs: observation.nowMs,
      bins,
      open,
      mayAdmit: Math.max(0, MOST_LEASES - underWay.length),
      put,
      readyAt: (bin) => readyAt(bin, planned.get(bin.id) ?? Number.POSITIVE_INFINITY),
    },
  );
  for (const { costCores } of dueSoon(observation, policy)) if (costCores <= largest) put(costCores);
  keepSpare(bins, newCores, policy, observation.limits.minWorkers);
  const setAside = waiting.filter(({ costCores }) => costCores > largest);
  return { ...turns, bins, setAside, inFlight: underWay, largestCores: largest };

  function readyAt(bin: Bin, launchedAs: number): number | undefined | 'never' {
    if (bin.kind === 'ready') return undefined;
    if (bin.kind === 'planned' && launchedAs >= mayLaunch) return 'never';
    const { nowMs, workers } = observation;
    const listedMs = workers.find(({ id }) => id === bin.id)?.launchedAtMs;
    const launchedMs = bin.kind === 'planned' ? nowMs : (listedMs ?? memory.workers[bin.id]?.expectedSinceMs ?? nowMs);
    const readyMs = launchedMs + slowestBootMs(memory);
    return readyMs > nowMs ? readyMs : undefined;
  }
}

/** Of the last ones; NaN when none was seen. */
function slowestBootMs({ bootsMs = [] }: FleetMemory): number {
  return bootsMs.length === 0 ? Number.NaN : Math.max(...bootsMs);
}

function queue(observation: Observation, moving: ReadonlySet<string>): WaitingRecording[] {
  const busy = new Set([...moving, ...startedIds(observation)]);
  return observation.waiting.filter(({ id }) => !busy.has(id));
}

function inFlight(observation: Observation, memory: FleetMemory, displaced: ReadonlySet<string>): InFlight[] {
  const started = startedIds(observation);
  const found = new Map<string, InFlight>();
  const add = (one: InFlight) => {
    if (!started.has(one.id) && !found.has(one.id)) found.set(one.id, one);
  };
  const tenants = new Map(observation.waiting.map(({ id, tenant }) => [id, tenant]));
  for (const id of openIds(observation)) {
    const lease = memory.leases[id];
    if (!lease || lease.untilMs <= observation.nowMs) continue;
    const tenant = tenants.get(id);
    add({
      id,
      costCores: lease.costCores,
      ...defined({ tenant }),
      ...(lease.on === undefined ? {} : { on: lease.on }),
    });
  }
  for (const one of observation.starting) add(one);
  // Before they have looked themselves and stand in the queue: a worker takes a boot to come.
  for (const { id, stage, costCores, tenant } of observation.running)
    if (stage === 'recording' && costCores !== undefined && displaced.has(id))
      add({ id, costCores, ...defined({ tenant }) });
  return [...found.values()];
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

function usableBins(observation: Observation, memory: FleetMemory, { bootTimeoutMs }: FleetPolicy): Bin[] {
  const ends = new Map(observation.running.map(({ id, endsByMs }) => [id, endsByMs]));
  const endsByMs = (egressId: string) => ends.get(parseAttemptEgressId(egressId)?.recordingId ?? '');
  const listed = observation.workers.flatMap((worker) => {
    if (isOverdueStranger(worker)) return [];
    // One that is passed over for a moment takes nothing now, and is no reason to launch another.
    const isBooting = worker.state === 'booting' || isPassedOver(worker.doubt, observation.nowMs);
    if (worker.state === 'ready' || worker.state === 'booting')
      return [binOf(worker, isBooting ? 'booting' : 'ready', endsByMs)];
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
  function hasJustGoneSilent({ id, state, present, portClosed, cutOff }: ObservedWorker): boolean {
    // Off the bus, too: it has ended.
    if (present === false && (portClosed || cutOff)) return false;
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
  return { id, kind, cpuCores, usedCores: 0, requests: 0, loads: [], placed: 0 };
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
