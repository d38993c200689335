// One decision of the fleet: what to launch, retire, remove, admit and repair, and why. A pure function of what is seen and
// what is remembered; doing it twice, or missing it once, does no harm.
import { defined } from '../common/defined.ts';
import { type Demand, measureDemand, openIds, startedIds } from './demand.ts';
import { holdKey, type Reason, renderLine, renderReasons } from './explain.ts';
import { bootBackoffMs } from './launch-again.ts';
import { EMPTY_MEMORY, type FleetMemory, type Observation, type WorkerNotes } from './observation.ts';
import { type FleetPolicy, LEASE_MS } from './policy.ts';
import { withPresentNames } from './renamed.ts';
import { nextPassInMs } from './rhythm.ts';
import { mayLaunch, sizeFleet } from './sizing.ts';
import { findStrays, type Look, type LostEgress, type OrphanEgress, type Strays } from './strays.ts';
import {
  type Cordons,
  cordonWorkers,
  leavingWorkers,
  noteWorkers,
  overdueBoots,
  type Protection,
  protections,
  removableWorkers,
  replacedWorkers,
  spoiltWorkers,
  surplusWorkers,
  unexpectedEnds,
  uselessWorkers,
  type WorkerFact,
} from './upkeep.ts';

export interface Admission {
  id: string;
  /** Topic of the only worker it may start on. */
  onto?: string;
}

export interface FleetPlan {
  /** Workers to launch, in one step. */
  launch: number;
  /** Send nothing to these; said again in every pass. */
  cordon: Cordons['cordon'];
  uncordon: Cordons['uncordon'];
  /** Ask each to end. */
  retire: WorkerFact[];
  remove: WorkerFact[];
  /** For the platform: leave these busy ones alone, and these idle ones no longer. */
  protect: Protection[];
  admit: Admission[];
  lost: LostEgress[];
  orphans: OrphanEgress[];
  look: Look[];
  reasons: Reason[];
  /** Present when something was decided. */
  line?: string;
  /** Absent: sleep until kicked. */
  nextPassInMs?: number;
  memory: FleetMemory;
  demand: Demand;
}

/** @param remembered may come from another version of Reelkit */
export function planFleet(seen: Observation, remembered: Partial<FleetMemory>, policy: FleetPolicy): FleetPlan {
  const memory = withPresentNames(seen.workers, { ...EMPTY_MEMORY, ...remembered });
  const overdue = overdueBoots(seen, memory, policy);
  const leaving = leavingWorkers(seen, memory);
  const observation = withoutLeaving(seen, memory, [...overdue, ...leaving]);
  const ends = unexpectedEnds(seen, memory);
  const notes = noteWorkers(observation, memory);
  const boots = judgeBoots(observation, memory, notes, ends.failedBoots.length + overdue.length);
  const strays = findStrays(observation, memory, notes, policy);
  const launchable = mayLaunch(observation, memory, boots.launchNotBeforeMs);
  const demand = measureDemand(observation, memory, policy, { mayLaunch: launchable, displaced: strays.displaced });
  const sizing = sizeFleet(observation, memory, demand, boots.launchNotBeforeMs);
  const useless = uselessWorkers(observation, notes, policy, strays.mayRun);
  const goNow = eachOnce([...overdue, ...useless]);
  const cordons = cordonWorkers(
    withoutWorkers(observation, goNow),
    notes,
    eachOnce([
      ...leaving,
      ...(sizing.needed > 0 && sizing.existing >= observation.limits.maxWorkers ? spoiltWorkers(observation) : []),
      ...replacedWorkers(observation, notes, demand.bins, policy),
      ...surplusWorkers(observation, notes, demand.bins, policy),
    ]),
    strays.mayRun,
  );
  const retire = [...goNow, ...cordons.retire];
  const remove = removableWorkers(observation, notes, strays.mayRun);
  const decided = { ...sizing, demand, ...cordons, retire, remove, overdue, ends, strays };
  const reasons = renderReasons(observation, memory, decided);
  const line = renderLine(reasons, memory);
  const next = withHold(
    { ...remember(observation, memory, withCordons(observation, notes, cordons), demand, strays, retire), ...boots },
    reasons,
    sizing.needed > 0,
  );
  const nextPass = nextPassInMs(observation, next, demand, policy, sizing.launch > 0);
  return {
    launch: sizing.launch,
    cordon: cordons.cordon,
    uncordon: cordons.uncordon,
    retire,
    remove,
    protect: protections(observation, memory, demand.bins),
    admit: admissions(observation, demand),
    lost: strays.lost,
    orphans: strays.orphans,
    look: strays.look,
    reasons,
    ...defined({ line }),
    ...(nextPass === undefined ? {} : { nextPassInMs: nextPass }),
    memory: next,
    demand,
  };
}

function admissions({ workers }: Observation, { admit }: Demand): Admission[] {
  const topics = new Map(workers.map(({ id, topic }) => [id, topic]));
  return admit.map(({ id, on }) => {
    const onto = topics.get(on ?? '');
    return { id, ...defined({ onto }) };
  });
}

function withCordons(
  { nowMs }: Observation,
  notes: Record<string, WorkerNotes>,
  { cordon, uncordon }: Cordons,
): Record<string, WorkerNotes> {
  const next = { ...notes };
  for (const { id } of cordon) next[id] = { cordonedMs: nowMs, ...next[id] };
  for (const { id } of uncordon) {
    const { cordonedMs: _, ...rest } = next[id] ?? {};
    next[id] = rest;
  }
  return next;
}

/** A worker that is about to be asked to drain, or was, is no capacity any more, whatever its platform still says. */
function withoutLeaving(observation: Observation, memory: FleetMemory, leaving: WorkerFact[]): Observation {
  const goes = new Set(leaving.map(({ id }) => id));
  const workers = observation.workers.map((worker) => {
    const drains = goes.has(worker.id) || memory.workers[worker.id]?.drainAskedMs !== undefined;
    return drains && worker.state !== 'gone' ? { ...worker, state: 'draining' as const } : worker;
  });
  return { ...observation, workers };
}

function withoutWorkers(observation: Observation, facts: readonly WorkerFact[]): Observation {
  const ids = new Set(facts.map(({ id }) => id));
  return { ...observation, workers: observation.workers.filter(({ id }) => !ids.has(id)) };
}

/** For the first of its reasons. */
function eachOnce(facts: readonly WorkerFact[]): WorkerFact[] {
  return facts.filter((fact, index) => facts.findIndex(({ id }) => id === fact.id) === index);
}

const KEPT_BOOTS = 5;
/** Workers that were set aside within this are a row: their image, their keys or their storage may be wrong for all. */
const SET_ASIDE_ROW_MS = 3_600_000;
const KEPT_SET_ASIDE = 10;

/** The first death before ready is replaced at once; more in a row wait longer and longer. A worker that gets ready ends the row. */
function judgeBoots(
  { nowMs, workers }: Observation,
  memory: FleetMemory,
  notes: Record<string, WorkerNotes>,
  failed: number,
): Pick<FleetMemory, 'bootFailures' | 'launchNotBeforeMs' | 'bootsMs' | 'setAsideMs'> {
  const becameReady = Object.entries(notes).some(([id, { wasReady }]) => wasReady && !memory.workers[id]?.wasReady);
  const bootFailures = (becameReady ? 0 : memory.bootFailures) + (failed > 0 ? 1 : 0);
  const spoilt = Object.entries(notes).filter(([id, { setAside }]) => setAside && !memory.workers[id]?.setAside);
  const setAsideMs = [...spoilt.map(() => nowMs), ...(memory.setAsideMs ?? [])]
    .filter((atMs) => nowMs - atMs < SET_ASIDE_ROW_MS)
    .slice(0, KEPT_SET_ASIDE);
  const backoffMs = Math.max(
    failed > 0 ? bootBackoffMs(bootFailures) : 0,
    spoilt.length > 0 ? bootBackoffMs(setAsideMs.length) : 0,
  );
  const seen = workers.filter(
    ({ id, owned }) => owned && notes[id]?.wasReady && memory.workers[id]?.wasReady === undefined,
  );
  const bootsMs = seen.filter(({ id }) => id in memory.workers).map(({ launchedAtMs }) => nowMs - launchedAtMs);
  return {
    bootFailures,
    ...(setAsideMs.length > 0 ? { setAsideMs } : {}),
    ...(bootsMs.length > 0 ? { bootsMs: [...bootsMs, ...(memory.bootsMs ?? [])].slice(0, KEPT_BOOTS) } : {}),
    launchNotBeforeMs: backoffMs > 0 ? Math.max(memory.launchNotBeforeMs, nowMs + backoffMs) : memory.launchNotBeforeMs,
  };
}

function remember(
  observation: Observation,
  memory: FleetMemory,
  notes: Record<string, WorkerNotes>,
  demand: Demand,
  { suspectSince, startingSince, actedMs, egresses }: Strays,
  retire: WorkerFact[],
): FleetMemory {
  const drained = retire.map(({ id }) => [id, { ...notes[id], drainAskedMs: observation.nowMs }] as const);
  const workers = { ...notes, ...Object.fromEntries(drained) };
  return {
    ...memory,
    leases: leasesAfter(observation, memory, demand),
    workers,
    suspectSince,
    startingSince,
    actedMs,
    egresses,
  };
}

function leasesAfter(observation: Observation, memory: FleetMemory, demand: Demand): FleetMemory['leases'] {
  const { nowMs } = observation;
  const open = new Set(openIds(observation));
  const started = startedIds(observation);
  const kept = Object.entries(memory.leases).filter(
    ([id, { untilMs }]) => open.has(id) && !started.has(id) && untilMs > nowMs,
  );
  const granted = demand.admit.map(({ id, costCores, on }) => {
    return [id, { costCores, untilMs: nowMs + LEASE_MS, ...defined({ on }) }] as const;
  });
  return Object.fromEntries([...kept, ...granted]);
}

/** What holds the fleet back is told once; a problem is forgotten when nothing needs a launch any more. */
function withHold(memory: FleetMemory, reasons: Reason[], launchNeeded: boolean): FleetMemory {
  const { lastHold: _, lastProblem, ...rest } = memory;
  const lastHold = holdKey(reasons);
  return {
    ...rest,
    ...(lastHold === '' ? {} : { lastHold }),
    ...(launchNeeded && lastProblem !== undefined ? { lastProblem } : {}),
  };
}
