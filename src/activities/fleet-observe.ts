// The observe step of a pass: reads workers, egresses and recordings, and changes nothing.
import type { FleetMemory, Observation, ObservedEgress } from '../fleet/observation.ts';
import type { EgressSnapshot } from '../recording/egress.ts';
import type { FleetDeps } from './fleet-deps.ts';
import { observeWorkers } from './fleet-workers.ts';
import type { OpenRecording } from './open-recordings.ts';

/** A burst is over when two looks at the queue this far apart agree, and the newest request in it is this old. */
const SETTLE_STEP_MS = 125;
const QUIET_MS = 400;
const SETTLE_LIMIT_MS = 1_500;
/** Temporal's index lags behind the kick, by 50-140 ms on an idle server and by seconds on a busy one. */
const NOTHING_YET_LIMIT_MS = 2_000;

/**
 * Recordings first, egresses last: an egress that starts in between is then seen as one that is in flight, never as one that
 * nobody wants.
 */
export async function observe(
  deps: FleetDeps,
  fleet: string,
  memory: FleetMemory,
  kicked: boolean,
): Promise<Observation> {
  const open = kicked ? await settledRecordings(deps, fleet) : await deps.recordings.list(fleet);
  const workers = await observeWorkers(deps, memory.workers);
  const activeEgresses = await listEgresses(deps);
  const running = await addBelievedEgress(deps, open, activeEgresses);
  return {
    nowMs: deps.now(),
    kicked,
    workers,
    ...(activeEgresses ? { activeEgresses } : {}),
    waiting: open.filter(({ stage, waitingFor }) => stage === 'waiting' && waitingFor === 'capacity').map(toWaiting),
    scheduled: open.flatMap(({ stage, id, costCores, startAtMs }) =>
      stage === 'scheduled' && startAtMs !== undefined ? [{ id, costCores, dueMs: startAtMs }] : [],
    ),
    running,
    starting: open.filter(({ stage }) => stage === 'starting').map(({ id, costCores }) => ({ id, costCores })),
    limits: deps.provider.limits,
  };
}

/** Lets a burst arrive, so that the fleet asks for its whole need in one step. Waiting here costs no Temporal action. */
async function settledRecordings(deps: FleetDeps, fleet: string): Promise<OpenRecording[]> {
  const sinceMs = deps.now();
  let open = await deps.recordings.list(fleet);
  let settled = false;
  // Also by the clock: on a busy server each look takes long, and a burst must not wait for all of them.
  for (
    let steps = 0;
    !settled && steps < limitOf(open) / SETTLE_STEP_MS && deps.now() - sinceMs < limitOf(open);
    steps += 1
  ) {
    await deps.sleep(SETTLE_STEP_MS);
    const again = await deps.recordings.list(fleet);
    settled = demandKey(again) === demandKey(open) && deps.now() - newestMs(again) >= QUIET_MS;
    open = again;
  }
  return open;
}

function limitOf(open: OpenRecording[]): number {
  return inQueue(open).length === 0 ? NOTHING_YET_LIMIT_MS : SETTLE_LIMIT_MS;
}

/** When the newest request in the queue was made; with an empty queue the burst has not even begun. */
function newestMs(open: OpenRecording[]): number {
  const queue = inQueue(open);
  return queue.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...queue.map(({ sinceMs }) => sinceMs));
}

function inQueue(open: OpenRecording[]): OpenRecording[] {
  return open.filter(({ stage }) => stage === 'waiting' || stage === 'starting');
}

/** Who asks, not how far each has come: starting or waiting, it is demand. */
function demandKey(open: OpenRecording[]): string {
  return inQueue(open)
    .map(({ id }) => id)
    .sort()
    .join('\n');
}

async function listEgresses({ livekit, log }: FleetDeps): Promise<ObservedEgress[] | undefined> {
  try {
    return (await livekit.listActiveEgresses()).map(toObserved);
  } catch (error) {
    log.warn({ error: String(error) }, 'LiveKit did not list its egresses; the pass goes on without them');
    return undefined;
  }
}

function toObserved({ egressId, marker, acceptedAtMs, startedAtMs }: EgressSnapshot): ObservedEgress {
  return {
    egressId,
    ...(marker ? { recordingId: marker.recordingId } : {}),
    ...(acceptedAtMs === undefined ? {} : { acceptedAtMs }),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
  };
}

function toWaiting({ id, costCores, priority, sinceMs }: OpenRecording) {
  return { id, costCores, priority, sinceMs };
}

async function addBelievedEgress(deps: FleetDeps, open: OpenRecording[], egresses: ObservedEgress[] = []) {
  const timesSeen = new Map<string, number>();
  for (const { recordingId = '' } of egresses) timesSeen.set(recordingId, (timesSeen.get(recordingId) ?? 0) + 1);
  const running: Observation['running'] = [];
  for (const { id, stage } of open) {
    if (stage !== 'recording' && stage !== 'stopping') continue;
    const egressId = (timesSeen.get(id) ?? 0) > 1 ? await believedEgress(deps, id) : undefined;
    running.push({ id, stage, ...(egressId === undefined ? {} : { egressId }) });
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
