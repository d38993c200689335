// The observe step of a pass: reads workers, egresses and recordings, and changes nothing.
import { defined } from '../common/defined.ts';
import type { Arrival } from '../fleet/arrivals.ts';
import type { FleetMemory, Observation, ObservedEgress, Sight } from '../fleet/observation.ts';
import type { Attended } from '../livekit/attendance.ts';
import { parseAttemptEgressId } from '../recording/attempt.ts';
import { isEnded } from '../recording/stage.ts';
import type { FleetDeps } from './fleet-deps.ts';
import { observeWorkers } from './fleet-workers.ts';
import type { OpenRecording } from './open-recordings.ts';

/** Requests have stopped coming when this many looks in a row count the same. Counting is cheap; listing 200 costs a Temporal server 0.1 s. */
const SETTLED_LOOKS = 2;
const SETTLE_STEP_MS = 100;
/** However long they keep coming: what comes later is launched for by the next pass, and takes a boot from its own moment. */
const SETTLE_LIMIT_MS = 300;
/** A quiet Temporal lists within this; one that is busy with accepting a burst takes a second. */
const LIST_PATIENCE_MS = 200;
/** Temporal's index lags behind the kick, by 50-140 ms on an idle server and by seconds on a busy one. */
const UNSEEN_LIMIT_MS = 3_000;

/**
 * Recordings first, workers and egresses last: an egress that starts in between is then seen as one that is in flight, never as
 * one that nobody wants.
 */
export async function observe(
  deps: FleetDeps,
  fleet: string,
  memory: FleetMemory,
  kicked: boolean,
): Promise<Observation> {
  if (kicked) await untilRequestsAreIn(deps, fleet);
  const listed = await list(deps, fleet, kicked && (await beginsFromNothing(deps, fleet, memory)));
  for (const { id } of listed) deps.arrivals?.forget(id);
  const open = listed.filter(({ stage }) => !isEnded(stage));
  deps.attendance?.follow(fleet, open.flatMap(recordedIn));
  const notListed = arrivals(deps, fleet);
  const onBusProblem = (problem: string) =>
    deps.log.warn({ problem }, "the workers' Redis did not answer; the pass goes on without it");
  const sight = await withoutOthers(
    deps,
    fleet,
    listed,
    await observeWorkers({ ...deps, onBusProblem, notBeforeMs: deps.now() }, memory.workers),
  );
  const running = await addBelievedEgress(deps, open, knownEgresses(sight, memory));
  return {
    nowMs: deps.now(),
    kicked,
    ...sight,
    waiting: open.filter(({ stage, waitingFor }) => stage === 'waiting' && waitingFor === 'capacity').map(toWaiting),
    scheduled: open.flatMap(({ stage, id, costCores, startAtMs }) =>
      stage === 'scheduled' && startAtMs !== undefined ? [{ id, costCores, dueMs: startAtMs }] : [],
    ),
    running,
    starting: [...open.filter(({ stage }) => stage === 'starting').map(toStarting), ...notListed.map(toStarting)],
    limits: limitsOf(deps),
  };
}

/** @param hurried what is not listed soon is left to the next pass */
function list({ recordings, sleep }: FleetDeps, fleet: string, hurried: boolean): Promise<OpenRecording[]> {
  const listed = recordings.list(fleet);
  if (!hurried) return listed;
  const left = sleep(LIST_PATIENCE_MS).then(() => []);
  return Promise.race([listed, left]);
}

/** A burst that meets no worker: all there is to decide is how many to launch, and for whom this process knows. */
async function beginsFromNothing(deps: FleetDeps, fleet: string, memory: FleetMemory): Promise<boolean> {
  const remembered = [memory.workers, memory.leases, memory.egresses ?? {}];
  if (arrivals(deps, fleet).length === 0 || remembered.some((known) => Object.keys(known).length > 0)) return false;
  const [{ workers }, egresses] = await Promise.all([
    deps.provider.list(),
    deps.presence.egresses().catch(() => undefined),
  ]);
  return workers.length === 0 && egresses?.size === 0;
}

/** How many the fleet wants at most, and what its platform has. */
function limitsOf({ size, provider }: FleetDeps): Observation['limits'] {
  const { coresPerWorker, fixedWorkers } = provider.limits;
  if (fixedWorkers === undefined) return { ...size, coresPerWorker };
  return { minWorkers: fixedWorkers, maxWorkers: fixedWorkers, coresPerWorker };
}

/** Nobody has left before media flowed. */
function recordedIn({ id, stage, attended }: OpenRecording): Attended[] {
  return stage === 'recording' && attended ? [{ id, ...attended }] : [];
}

/** Lets requests of one moment arrive, so that they are one launch. Waiting here costs no Temporal action. */
async function untilRequestsAreIn(deps: FleetDeps, fleet: string): Promise<void> {
  const sinceMs = deps.now();
  let queued = 0;
  let same = 0;
  // Also by the clock: on a busy server each look takes long.
  for (let spentMs = 0; spentMs < limitMs(queued); spentMs += SETTLE_STEP_MS) {
    if (deps.now() - sinceMs >= limitMs(queued)) return;
    const before = queued;
    // While requests come in here, Temporal is not asked to count them: it is busy with them.
    queued = arrivals(deps, fleet).length || (await deps.recordings.countQueue(fleet));
    same = queued > 0 && queued === before ? same + 1 : 0;
    if (same === SETTLED_LOOKS) return;
    await deps.sleep(SETTLE_STEP_MS);
  }
}

function limitMs(queued: number): number {
  return queued > 0 ? SETTLE_LIMIT_MS : UNSEEN_LIMIT_MS;
}

function arrivals(deps: FleetDeps, fleet: string): readonly Arrival[] {
  return deps.arrivals?.recent(fleet, deps.now()) ?? [];
}

/**
 * The bus shows the egresses of all fleets. Each fleet judges those of its own recordings; what no fleet's recording wants is judged by
 * the fleet whose worker shows it, and by the first one.
 */
async function withoutOthers(deps: FleetDeps, fleet: string, listed: OpenRecording[], sight: Sight): Promise<Sight> {
  const { fleets } = deps;
  if (fleets.length < 2 || !sight.activeEgresses) return sight;
  const mine = new Set(listed.map(({ id }) => id));
  const shown = new Set(sight.workers.flatMap(({ egresses }) => egresses.map(({ egressId }) => egressId)));
  const isMine = async ({ egressId, recordingId }: ObservedEgress) => {
    if (recordingId !== undefined && mine.has(recordingId)) return true;
    const owner = recordingId === undefined ? undefined : await deps.recordings.fleetOf(recordingId);
    return owner !== undefined && fleets.includes(owner) ? owner === fleet : shown.has(egressId) || fleet === fleets[0];
  };
  const verdicts = await Promise.all(sight.activeEgresses.map(isMine));
  return { ...sight, activeEgresses: sight.activeEgresses.filter((_, index) => verdicts[index]) };
}

/** Those that live, and those that lived and may still be believed in. */
function knownEgresses({ activeEgresses = [] }: Sight, { egresses = {} }: FleetMemory): Set<string> {
  return new Set([...activeEgresses.map(({ egressId }) => egressId), ...Object.keys(egresses)]);
}

function toWaiting({ id, costCores, priority, sinceMs, tenant }: OpenRecording) {
  return { id, costCores, priority, sinceMs, ...defined({ tenant }) };
}

function toStarting({ id, costCores, tenant }: Pick<OpenRecording, 'id' | 'costCores' | 'tenant'>) {
  return { id, costCores, ...defined({ tenant }) };
}

async function addBelievedEgress(deps: FleetDeps, open: OpenRecording[], egressIds: ReadonlySet<string>) {
  const timesSeen = new Map<string, number>();
  for (const egressId of egressIds) {
    const recordingId = parseAttemptEgressId(egressId)?.recordingId ?? '';
    timesSeen.set(recordingId, (timesSeen.get(recordingId) ?? 0) + 1);
  }
  const running: Observation['running'] = [];
  for (const { id, stage, costCores, tenant, endsByMs, stays } of open) {
    if (stage !== 'recording' && stage !== 'stopping') continue;
    const egressId = (timesSeen.get(id) ?? 0) > 1 ? await believedEgress(deps, id) : undefined;
    running.push({
      id,
      stage,
      costCores,
      ...defined({ egressId, tenant, endsByMs, stays }),
    });
  }
  return running;
}

async function believedEgress({ recordings, log }: FleetDeps, id: string): Promise<string | undefined> {
  try {
    return await recordings.currentEgress(id);
  } catch (error) {
    log.warn({ recording: id, error: String(error) }, 'a recording with two egresses did not say which one is its own');
    return undefined;
  }
}
