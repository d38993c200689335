// What becomes of each worker: which ones failed to boot, which are idle too long, which may be removed. Pure.
// A worker is asked to end only while it is idle and nothing can be on its way to it: first nothing is sent to it any more (a
// cordon), then it is looked at again.
import { defined } from '../common/defined.ts';
import { formatDuration } from '../recording/duration.ts';
import type { Bin } from './admission.ts';
import { departureOf } from './departure.ts';
import { isSetAside, whySetAside } from './doubt.ts';
import { headroomAsks, withAsks } from './headroom.ts';
import { type FleetMemory, isOldList, type Observation, type ObservedWorker, type WorkerNotes } from './observation.ts';
import { CORDON_SETTLE_MS, DRAIN_LIMIT_MS, EXPECTED_MS, type FleetPolicy, SILENT_LIMIT_MS } from './policy.ts';

export interface WorkerFact {
  id: string;
  why: string;
}

export function noteWorkers({ workers, nowMs }: Observation, memory: FleetMemory): Record<string, WorkerNotes> {
  const notes: Record<string, WorkerNotes> = {};
  for (const worker of workers) notes[worker.id] = noteWorker(worker, memory.workers[worker.id] ?? {}, nowMs);
  for (const [id, old] of Object.entries(memory.workers)) {
    if (!(id in notes) && old.expectedSinceMs !== undefined && nowMs - old.expectedSinceMs < EXPECTED_MS)
      notes[id] = old;
  }
  return notes;
}

function noteWorker(worker: ObservedWorker, old: WorkerNotes, nowMs: number): WorkerNotes {
  const { state, answered, egresses } = worker;
  const wasReady = old.wasReady === true || state === 'ready';
  const idle = answered && egresses.length === 0 && state === 'ready';
  const isSilent = state === 'unreachable' || (!answered && state !== 'gone' && wasReady);
  // A mark that was lost has let something through; one that nobody remembers counts from now.
  const cordonedMs = worker.cordoned === false ? undefined : (old.cordonedMs ?? (worker.cordoned ? nowMs : undefined));
  const outOfService = state === 'draining' && old.drainAskedMs === undefined;
  return {
    ...(wasReady ? { wasReady } : {}),
    ...(idle ? { idleSinceMs: old.idleSinceMs ?? nowMs } : {}),
    ...(isSilent ? { silentSinceMs: old.silentSinceMs ?? nowMs } : {}),
    ...(outOfService ? { outOfServiceSinceMs: old.outOfServiceSinceMs ?? nowMs } : {}),
    ...defined({ cordonedMs }),
    ...(old.drainAskedMs === undefined ? {} : { drainAskedMs: old.drainAskedMs }),
    ...(worker.doubt && isSetAside(worker.doubt, nowMs) ? { setAside: true } : {}),
    ...(state === 'gone' ? { ended: true } : {}),
  };
}

/** Workers that ended without being asked to: before they were ever ready, or later. */
export function unexpectedEnds({ workers, nowMs, listedAtMs }: Observation, memory: FleetMemory) {
  const isOld = isOldList(listedAtMs, nowMs);
  const failedBoots: WorkerFact[] = [];
  const vanished: WorkerFact[] = [];
  const listed = new Map(workers.map((worker) => [worker.id, worker]));
  for (const [id, { wasReady, drainAskedMs, ended, expectedSinceMs }] of Object.entries(memory.workers)) {
    const worker = listed.get(id);
    const stillExpected = !worker && expectedSinceMs !== undefined && nowMs - expectedSinceMs < EXPECTED_MS;
    if (!worker && isOld) continue;
    if (ended || drainAskedMs !== undefined || stillExpected || (worker && worker.state !== 'gone')) continue;
    const why = worker?.reason ?? 'the platform no longer lists it';
    (wasReady ? vanished : failedBoots).push({ id, why });
  }
  return { failedBoots, vanished };
}

/**
 * Ours, and not ready in the time a boot may take; a worker that its platform starts again has that time once more. Asking it to
 * drain is safe even when only its health port is wrong.
 */
export function overdueBoots(
  { workers, nowMs }: Observation,
  memory: FleetMemory,
  { bootTimeoutMs }: FleetPolicy,
): WorkerFact[] {
  const bootsSinceMs = ({ id, launchedAtMs }: ObservedWorker) => {
    const { wasReady, silentSinceMs = nowMs } = memory.workers[id] ?? {};
    return wasReady ? silentSinceMs : launchedAtMs;
  };
  return workers
    .filter(({ owned, state, egresses }) => owned && state === 'booting' && egresses.length === 0)
    .filter((worker) => nowMs - bootsSinceMs(worker) > bootTimeoutMs)
    .map(({ id, reason }) => ({
      id,
      why: `not ready after ${formatDuration(bootTimeoutMs)}${reason ? ` (${reason})` : ''}`,
    }));
}

/** Its machine goes, or its end is announced: it gets nothing new from now on, and what it records it finishes if it can. */
export function leavingWorkers({ workers }: Observation, memory: FleetMemory): WorkerFact[] {
  return workers.flatMap((worker): WorkerFact[] => {
    const { id, state } = worker;
    const asked = memory.workers[id]?.drainAskedMs !== undefined;
    const departure = departureOf(worker);
    if (asked || state === 'gone' || state === 'draining' || !departure) return [];
    return [{ id, why: departure.code === 'worker_ends' ? `its platform ends it at ${departure.at}` : departure.why }];
  });
}

/** Set aside, where the maximum leaves no room for another that somebody waits for. */
export function spoiltWorkers({ workers, nowMs }: Observation): WorkerFact[] {
  return workers.flatMap(({ id, owned, doubt, egresses }): WorkerFact[] => {
    if (!owned || !doubt || !isSetAside(doubt, nowMs) || egresses.length > 0) return [];
    return [{ id, why: `set aside, because ${whySetAside(doubt)}` }];
  });
}

/** Silent or out of service for long: of no use, and asked to end once nothing runs on it. */
export function uselessWorkers(
  observation: Observation,
  notes: Record<string, WorkerNotes>,
  policy: FleetPolicy,
  mayRun: (workerId: string) => boolean,
) {
  return observation.workers.flatMap(({ id, owned, state, answered, egresses }): WorkerFact[] => {
    const { drainAskedMs, silentSinceMs, outOfServiceSinceMs } = notes[id] ?? {};
    if (!owned || drainAskedMs !== undefined || state === 'gone' || egresses.length > 0) return [];
    if (!answered && mayRun(id)) return [];
    const silentMs = observation.nowMs - (silentSinceMs ?? observation.nowMs);
    if (silentMs >= SILENT_LIMIT_MS) return [{ id, why: `silent for ${formatDuration(silentMs)}` }];
    const outMs = observation.nowMs - (outOfServiceSinceMs ?? observation.nowMs);
    return outMs >= policy.bootTimeoutMs ? [{ id, why: `out of service for ${formatDuration(outMs)}` }] : [];
  });
}

/** Idle for the cooldown and beyond demand, headroom and minimum; longest idle first. */
export function surplusWorkers(
  observation: Observation,
  notes: Record<string, WorkerNotes>,
  bins: readonly Bin[],
  policy: FleetPolicy,
): WorkerFact[] {
  // What boots may never be ready, so it replaces nothing.
  const ready = bins.filter(({ kind }) => kind === 'ready');
  let workers = ready.length;
  const idle = retirable(observation, notes, bins);
  const kept = heldByHeadroom(ready, idle, policy, observation.limits.coresPerWorker);
  const surplus: WorkerFact[] = [];
  for (const { bin, idleSinceMs } of idle) {
    if (bin.outdated || kept.has(bin.id)) continue;
    const idleMs = observation.nowMs - idleSinceMs;
    if (idleMs < policy.cooldownMs) continue;
    if (workers <= observation.limits.minWorkers) continue;
    workers -= 1;
    surplus.push({ id: bin.id, why: `idle for ${formatDuration(idleMs)}` });
  }
  return surplus;
}

/** Those whose room headroom needs; of idle ones the last to become so. */
function heldByHeadroom(
  ready: readonly Bin[],
  idle: readonly { bin: Bin }[],
  policy: FleetPolicy,
  workerCores: number,
): Set<string> {
  const longestIdleFirst = idle.map(({ bin }) => bin);
  const others = ready.filter((bin) => !longestIdleFirst.includes(bin));
  const { filled } = withAsks([...others, ...longestIdleFirst.toReversed()], headroomAsks(policy, workerCores));
  const before = new Map(ready.map(({ id, placed }) => [id, placed]));
  return new Set(filled.filter(({ id, placed }) => placed > (before.get(id) ?? 0)).map(({ id }) => id));
}

/**
 * Idle and made from an older template: replaced at once where nothing needs them, else as soon as as many new ones are ready, or
 * one by one where the maximum leaves no room for both.
 */
export function replacedWorkers(
  observation: Observation,
  notes: Record<string, WorkerNotes>,
  bins: readonly Bin[],
  policy: FleetPolicy,
): WorkerFact[] {
  const old = retirable(observation, notes, bins).filter(({ bin }) => bin.outdated);
  const lasting = bins.filter(({ kind, outdated, requests }) => kind === 'ready' && (!outdated || requests > 0));
  const { unmet } = withAsks(lasting, headroomAsks(policy, observation.limits.coresPerWorker));
  const enough = lasting.length >= observation.limits.minWorkers && unmet.length === 0;
  const living = observation.workers.filter(({ state }) => state !== 'gone').length;
  const replaced = enough ? old : living >= observation.limits.maxWorkers ? old.slice(0, 1) : [];
  return replaced.map(({ bin }) => ({ id: bin.id, why: 'idle, and new workers are made differently' }));
}

export interface Protection {
  id: string;
  busy: boolean;
}

/** Busy workers the platform may still take away, and idle ones it is still kept from. Idle in two looks, and nothing on its way. */
export function protections({ workers }: Observation, memory: FleetMemory, bins: readonly Bin[]): Protection[] {
  const free = new Set(bins.filter(({ kind, requests }) => kind === 'ready' && requests === 0).map(({ id }) => id));
  return workers.flatMap(({ id, owned, answered, egresses, protected: isProtected }): Protection[] => {
    if (!owned || !answered) return [];
    if (egresses.length > 0) return isProtected === true ? [] : [{ id, busy: true }];
    const idle = free.has(id) && memory.workers[id]?.idleSinceMs !== undefined;
    return idle && isProtected !== false ? [{ id, busy: false }] : [];
  });
}

export interface Cordons {
  /** Send nothing to these; each pass says it again. `isNew`: from now on. */
  cordon: (WorkerFact & { topic: string; isNew: boolean })[];
  /** They are needed after all, or busy. */
  uncordon: { id: string; topic: string }[];
  /** Long enough without anything sent to them, and idle: they may end. */
  retire: WorkerFact[];
}

/**
 * @param unwanted the workers that are to go once they are idle, with the reason
 * @param mayRun whether an egress may be on it that its port does not show
 */
export function cordonWorkers(
  { workers, nowMs }: Observation,
  notes: Record<string, WorkerNotes>,
  unwanted: readonly WorkerFact[],
  mayRun: (workerId: string) => boolean,
): Cordons {
  const cordons: Cordons = { cordon: [], uncordon: [], retire: [] };
  const reasons = new Map(unwanted.map(({ id, why }) => [id, why]));
  for (const worker of workers) {
    const { id, topic, owned, state } = worker;
    const { cordonedMs, drainAskedMs } = notes[id] ?? {};
    if (!owned || state === 'gone' || drainAskedMs !== undefined) continue;
    const why = reasons.get(id);
    if (why === undefined) {
      if (cordonedMs !== undefined && topic !== undefined) cordons.uncordon.push({ id, topic });
    } else if (isQuiet(worker, cordonedMs, nowMs) && !mayRun(id)) cordons.retire.push({ id, why });
    else if (topic !== undefined) cordons.cordon.push({ id, why, topic, isNew: cordonedMs === undefined });
  }
  return cordons;
}

/** Idle, and nothing can be on its way to it. */
function isQuiet(
  { answered, egresses, topic, present, runs }: ObservedWorker,
  cordonedMs: number | undefined,
  nowMs: number,
) {
  const neverBegan = !answered && !runs;
  const isIdle = (answered && egresses.length === 0) || neverBegan;
  const isClosed = topic === undefined || (cordonedMs !== undefined && nowMs - cordonedMs >= CORDON_SETTLE_MS);
  return isIdle && (isClosed || (neverBegan && !present));
}

/** Owned workers that are idle and that this pass put nothing on, longest idle first. */
function retirable(observation: Observation, notes: Record<string, WorkerNotes>, bins: readonly Bin[]) {
  // Without the bus the fleet does not know its demand well enough to shrink.
  if (!observation.activeEgresses) return [];
  const owned = new Set(observation.workers.filter((worker) => worker.owned).map(({ id }) => id));
  return bins
    .flatMap((bin) => {
      const idleSinceMs = notes[bin.id]?.idleSinceMs;
      return bin.kind === 'ready' && bin.requests === 0 && owned.has(bin.id) && idleSinceMs !== undefined
        ? [{ bin, idleSinceMs }]
        : [];
    })
    .sort((a, b) => a.idleSinceMs - b.idleSinceMs || (a.bin.id < b.bin.id ? -1 : 1));
}

/** Drained, idle, and still there. One that does not answer is removed only when no egress can be on it. */
export function removableWorkers(
  observation: Observation,
  notes: Record<string, WorkerNotes>,
  mayRun: (workerId: string) => boolean,
): WorkerFact[] {
  const { nowMs } = observation;
  return observation.workers.flatMap(({ id, owned, state, answered, egresses }): WorkerFact[] => {
    const { drainAskedMs, silentSinceMs } = notes[id] ?? {};
    if (!owned || state === 'gone' || drainAskedMs === undefined || nowMs - drainAskedMs < DRAIN_LIMIT_MS) return [];
    const why = `asked to drain ${formatDuration(nowMs - drainAskedMs)} ago`;
    if (answered) return egresses.length === 0 ? [{ id, why: `${why} and idle` }] : [];
    const silentLongEnough = silentSinceMs === undefined || nowMs - silentSinceMs >= SILENT_LIMIT_MS;
    return silentLongEnough && !mayRun(id) ? [{ id, why: `${why} and silent; no egress can be on it` }] : [];
  });
}
