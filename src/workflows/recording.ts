// One recording, from request to file: the order of steps and nothing else. What an answer means is decided in recording/,
// what is done in activities/. States and what leaves them:
//   scheduled  until startAt, or cancelled
//   starting   StartEgress is out, or a worker accepted and no media flows yet; seconds
//   waiting    for capacity or for the room; until admitted, startWithin ends (expired), the room ends (expired), cancelled
//   recording  until the egress ends, maxDuration, cancelled; a part that ends too early leads back to starting
//   stopping   StopEgress is out; until the egress has ended
import {
  ActivityFailure,
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  log,
  proxyActivities,
  setHandler,
  setWorkflowOptions,
  workflowInfo,
} from '@temporalio/workflow';
import type { RecordingActivities } from '../activities/contract.ts';
import {
  APPEARANCE_MS,
  MAX_SHORT_PARTS,
  nextPartDelayMs,
  queueRecheckMs,
  roomRecheckMs,
  SHORT_PART_MS,
  stopRecheckMs,
} from '../recording/delays.ts';
import type { EgressSnapshot, Marker } from '../recording/egress.ts';
import { classifyEnd } from '../recording/end-outcome.ts';
import { roomOf } from '../recording/request.ts';
import type { EndReason, EndStage, WaitingFor } from '../recording/stage.ts';
import type { StartOutcome } from '../recording/start-outcome.ts';
import type { RecordingView } from '../recording/view.ts';
import {
  admittedSignal,
  cancelSignal,
  cancelUpdate,
  egressSignal,
  extendSignal,
  extendUpdate,
  lookSignal,
  type RecordingInput,
  viewQuery,
} from './messages.ts';
import { RecordingState } from './recording-state.ts';

/** Short calls that may be repeated freely. */
const calls = proxyActivities<RecordingActivities>({
  startToCloseTimeout: '20s',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '15s' },
});
/** StartEgress: one try, because a second one would record twice. A dead Temporal worker is noticed by its heartbeat. */
const start = proxyActivities<RecordingActivities>({
  startToCloseTimeout: '40s',
  heartbeatTimeout: '8s',
  retry: { maximumAttempts: 1 },
});
const search = proxyActivities<RecordingActivities>({
  startToCloseTimeout: '30s',
  retry: { initialInterval: '1s', backoffCoefficient: 1.5, maximumInterval: '15s' },
});
/** A stop that fails is repeated after the next look, not in place: the egress may have ended by then. */
const stop = proxyActivities<RecordingActivities>({ startToCloseTimeout: '20s', retry: { maximumAttempts: 2 } });
const notify = proxyActivities<RecordingActivities>({
  startToCloseTimeout: '30s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '2m', maximumAttempts: 12 },
});

type End = { stage: EndStage; reason: EndReason; message: string };

export async function recording(input: RecordingInput): Promise<RecordingView> {
  const state = new RecordingState(input);
  listen(state);
  // Cancelling the workflow itself, as the Web UI offers, is a cancel like any other: the file is finished and kept.
  CancellationScope.current().cancelRequested.catch(() => {
    state.cancelled = true;
  });
  return CancellationScope.nonCancellable(async () => {
    state.show();
    const end = await record(state);
    state.finish(end.stage, end.reason, end.message);
    await tellUser(state);
    await condition(allHandlersFinished);
    return state.view;
  });
}
// A recording ends on the code it began with. Temporal refuses the option from a Temporal worker that is not versioned.
setWorkflowOptions(
  () => (workflowInfo().currentDeploymentVersion?.deploymentName ? { versioningBehavior: 'PINNED' } : {}),
  recording,
);

function listen(state: RecordingState): void {
  setHandler(viewQuery, () => state.view);
  setHandler(admittedSignal, () => {
    state.admitted = true;
  });
  setHandler(egressSignal, (egress) => state.heard(egress));
  setHandler(lookSignal, ({ why }) => {
    state.look = why;
  });
  setHandler(cancelSignal, () => {
    state.cancelled = true;
  });
  setHandler(extendSignal, (extension) => {
    if (!state.isEnded) state.extend(extension);
  });
  const mustBeOpen = () => {
    if (state.isEnded)
      throw ApplicationFailure.create({ type: 'RecordingEnded', message: `the recording is ${state.view.stage}` });
  };
  setHandler(
    cancelUpdate,
    (_by) => {
      state.cancelled = true;
      return state.view;
    },
    { validator: (_by) => mustBeOpen() },
  );
  setHandler(
    extendUpdate,
    (extension) => {
      const problem = state.extend(extension);
      if (problem) throw ApplicationFailure.create({ type: 'InvalidExtension', message: problem, nonRetryable: true });
      return state.view;
    },
    { validator: (_extension) => mustBeOpen() },
  );
}

async function record(state: RecordingState): Promise<End> {
  await untilDue(state);
  let shortParts = 0;
  while (true) {
    const notStarted = await startPart(state);
    if (notStarted) return notStarted;
    const result = await untilPartEnds(state);
    if (result.end) return result.end;
    shortParts = result.short ? shortParts + 1 : 0;
    if (shortParts >= MAX_SHORT_PARTS) return gaveUp(shortParts, result.message);
    state.noteProblem(result.message);
    state.view.startDeadlineMs = Date.now() + state.input.request.startWithin;
    const delayMs = nextPartDelayMs(shortParts);
    if (delayMs > 0) await condition(() => state.cancelled, delayMs, { summary: 'pause before the next part' });
  }
}

function gaveUp(shortParts: number, message: string): End {
  return {
    stage: 'failed',
    reason: 'egress_failed',
    message: `${shortParts} parts in a row failed soon after their start; the last: ${message}`,
  };
}

async function untilDue(state: RecordingState): Promise<void> {
  if (state.view.stage !== 'scheduled') return;
  await calls.requestCapacity({ fleet: state.input.fleet, why: 'a recording was scheduled' });
  await condition(() => state.cancelled, Math.max(0, state.dueAtMs - Date.now()), { summary: 'until startAt' });
  if (!state.cancelled) state.enter('starting');
}

/** Gets the next part accepted by a worker. @returns the end of the recording when that cannot be */
async function startPart(state: RecordingState): Promise<End | undefined> {
  const part = state.startNextPart();
  for (let round = 1; ; round += 1) {
    if (state.appeared) return adopt(state, state.appeared);
    if (state.cancelled) return endUnstarted(state, 'cancelled', 'cancelled', 'cancelled before it started');
    if (Date.now() >= state.view.startDeadlineMs) return deadlinePassed(state);
    part.attempts += 1;
    const outcome = await tryStart(state, { recordingId: state.view.id, part: part.number, attempt: part.attempts });
    switch (outcome.kind) {
      case 'started':
        return accept(state, outcome.egressId, outcome.acceptedAtMs);
      case 'refused':
        return endUnstarted(state, 'failed', 'refused', outcome.message);
      case 'no_capacity':
        if (!outcome.sent) part.attempts -= 1;
    }
    if (state.appeared) continue;
    const end = await waitForTurn(state, outcome, round);
    if (end) return end;
  }
}

/** One StartEgress; and when its answer was lost or proves nothing, a search for what it may have started. */
async function tryStart(state: RecordingState, marker: Marker): Promise<StartOutcome> {
  const { fleet, request, costCores } = state.input;
  const { admitted } = state;
  state.admitted = false;
  const outcome = await start
    .startPart({ marker, fleet, request, costCores, admitted, queuedSinceMs: state.dueAtMs })
    .catch(interrupted);
  const mayRun = outcome.kind === 'ambiguous' || (outcome.kind === 'no_capacity' && outcome.sent);
  if (!mayRun || state.appeared) return outcome;
  state.noteProblem(`${outcome.message}; looking for what it may have started`);
  const found = await search.findPart({ marker, request, untilMs: Date.now() + APPEARANCE_MS });
  if (found) state.appeared ??= found;
  return outcome;
}

function interrupted(error: unknown): StartOutcome {
  if (!(error instanceof ActivityFailure)) throw error;
  return { kind: 'ambiguous', message: `the start was interrupted: ${error.cause?.message ?? error.message}` };
}

async function adopt(state: RecordingState, egress: EgressSnapshot): Promise<undefined> {
  return accept(state, egress.egressId, egress.startedAtMs ?? Date.now());
}

async function accept(state: RecordingState, egressId: string, atMs: number): Promise<undefined> {
  const stranger = state.accepted(egressId, atMs);
  if (stranger) await calls.stopPart({ egressId: stranger.egressId });
}

/** Stands in the queue until it is worth trying again. @returns the end when the room ended meanwhile */
async function waitForTurn(state: RecordingState, outcome: Unstarted, round: number): Promise<End | undefined> {
  const waitsFor: WaitingFor = outcome.kind === 'room_missing' ? 'room' : 'capacity';
  if (outcome.kind === 'no_capacity' && !outcome.sent) state.roomSeen = true;
  if (waitsFor === 'room' && (await roomEnded(state))) return endWithRoom(state);
  state.wait(waitsFor, outcome.message);
  if (waitsFor === 'capacity') await calls.requestCapacity({ fleet: state.input.fleet, why: 'a recording waits' });
  const recheckMs = waitsFor === 'room' ? roomRecheckMs(round) : queueRecheckMs(round);
  await condition(
    () => state.admitted || state.cancelled || state.look !== undefined || state.appeared !== undefined,
    Math.max(0, Math.min(recheckMs, state.view.startDeadlineMs - Date.now())),
    { summary: `waiting for ${waitsFor}` },
  );
  if (state.look === undefined) return undefined;
  state.look = undefined;
  return (await roomEnded(state)) ? endWithRoom(state) : undefined;
}
type Unstarted = Exclude<StartOutcome, { kind: 'started' | 'refused' }>;

/** A room_finished event or one 404 proves nothing: the room must have been there and be missing from the room list. */
async function roomEnded(state: RecordingState): Promise<boolean> {
  if (!state.roomSeen || roomOf(state.input.request.source) === undefined) return false;
  return (await calls.inspectRoom({ request: state.input.request })).room === 'gone';
}

function endWithRoom(state: RecordingState): End {
  if (state.part?.number === 1)
    return endUnstarted(state, 'expired', 'room_ended', 'the room ended while the recording waited');
  if (state.hasFiles)
    return endUnstarted(state, 'completed', 'finished', 'the room ended before the next part could start');
  return endUnstarted(
    state,
    'failed',
    'worker_lost',
    'the worker was lost, and the room ended before another could take over',
  );
}

function deadlinePassed(state: RecordingState): End {
  const { waiting } = state.view;
  if (waiting?.for === 'room')
    return endUnstarted(state, 'expired', 'room_never_appeared', 'the room did not exist within startWithin');
  const stage = state.part?.number === 1 ? 'expired' : 'failed';
  return endUnstarted(
    state,
    stage,
    'start_deadline',
    `no capacity within startWithin: ${waiting?.detail ?? 'not tried'}`,
  );
}

function endUnstarted(state: RecordingState, stage: EndStage, reason: EndReason, message: string): End {
  state.dropUnstartedPart();
  return { stage, reason, message };
}

interface PartResult {
  /** Absent: the recording goes on with a next part. */
  end?: End;
  message: string;
  /** It failed soon after its start. */
  short: boolean;
}

async function untilPartEnds(state: RecordingState): Promise<PartResult> {
  const { stopping, lost } = await supervise(state);
  const egress = state.ended ?? null;
  state.closePart(egress, lost);
  const { request } = state.input;
  const room = stopping ? 'gone' : (await calls.inspectRoom({ request })).room;
  const outcome = classifyEnd({ source: request.source, egress, room, ...(stopping ? { stopping } : {}) });
  const { acceptedAtMs = 0, endedAtMs = 0 } = state.part ?? {};
  const short = endedAtMs - acceptedAtMs < SHORT_PART_MS;
  if (outcome.kind === 'next_part') return { message: outcome.message, short };
  if (outcome.kind === 'completed') {
    const stage = stopping === 'cancelled' ? 'cancelled' : 'completed';
    return { end: { stage, reason: outcome.reason, message: outcome.message }, message: outcome.message, short };
  }
  const keptEarlier = state.hasFiles && room === 'gone' && !stopping;
  const end: End = keptEarlier
    ? {
        stage: 'completed',
        reason: 'finished',
        message: `the room ended; the last part has no file: ${outcome.message}`,
      }
    : { stage: 'failed', reason: outcome.reason, message: outcome.message };
  return { end, message: outcome.message, short };
}

/** Waits for the end of the part: by itself, by cancel, by maxDuration, or because its worker died. */
async function supervise(state: RecordingState): Promise<{ stopping?: 'cancelled' | 'max_duration'; lost?: string }> {
  let stopping: 'cancelled' | 'max_duration' | undefined;
  for (let round = 1; ; ) {
    stopping ??= stopReason(state);
    if (stopping) await stopEgress(state);
    if (state.ended) break;
    await condition(
      () => state.ended !== undefined || state.look !== undefined || (state.cancelled && !stopping),
      stopping ? stopRecheckMs(round) : Math.max(0, state.endDeadlineMs() - Date.now()),
      { summary: stopping ? 'until the egress has ended' : 'until maxDuration' },
    );
    if (state.ended) break;
    if (state.look === undefined && !stopping) continue;
    const lost = await lookAtPart(state);
    if (lost) return stopping ? { stopping, lost } : { lost };
    if (stopping) round += 1;
  }
  return stopping ? { stopping } : {};
}

function stopReason(state: RecordingState): 'cancelled' | 'max_duration' | undefined {
  if (state.cancelled) return 'cancelled';
  return Date.now() >= state.endDeadlineMs() ? 'max_duration' : undefined;
}

async function stopEgress(state: RecordingState): Promise<void> {
  state.enter('stopping');
  try {
    await stop.stopPart({ egressId: state.part?.egressId ?? '' });
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    state.noteProblem(`the stop was not confirmed: ${error.cause?.message ?? error.message}`);
  }
}

/** @returns the evidence that the worker died; undefined when it lives, has ended, or nobody can tell yet */
async function lookAtPart(state: RecordingState): Promise<string | undefined> {
  state.look = undefined;
  const { part } = state;
  if (!part?.egressId) return undefined;
  const marker = { recordingId: state.view.id, part: part.number, attempt: part.attempts };
  const seen = await calls.inspectPart({ marker, egressId: part.egressId, request: state.input.request });
  if (seen.egress) state.heard(seen.egress);
  const young = Date.now() - (part.acceptedAtMs ?? 0) < APPEARANCE_MS;
  if (state.ended || young || seen.inRoom || seen.onWorker !== 'no') return undefined;
  const record = seen.egress ? `LiveKit still lists it as ${seen.egress.status}` : 'LiveKit has no record of it';
  return `${part.egressId} is on no worker and not in the room; ${record}`;
}

async function tellUser(state: RecordingState): Promise<void> {
  const url = state.input.request.webhookUrl;
  if (!url) return;
  try {
    await notify.notifyUser({ url, view: state.view });
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    log.warn('the webhook of the user was not delivered', {
      recordingId: state.view.id,
      problem: error.cause?.message,
    });
  }
}
