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
  MAX_PARTS,
  MAX_SHORT_PARTS,
  nextPartDelayMs,
  queueRecheckMs,
  roomRecheckMs,
  SHORT_PART_MS,
  STOP_LIMIT_MS,
  stopRecheckMs,
} from '../recording/delays.ts';
import { type EgressSnapshot, isTerminal, type Marker } from '../recording/egress.ts';
import { classifyEnd } from '../recording/end-outcome.ts';
import { doubtRecheckMs, judgeSighting, type Verdict } from '../recording/loss.ts';
import { roomOf } from '../recording/source.ts';
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
  // Heartbeats are sent every 80 % of this: on a starved machine the rest must do for one to arrive.
  heartbeatTimeout: '12s',
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
    await stopStrangers(state);
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

/** Signals may come late, twice, or by hand with anything in them: none of them is ever an error. */
function listen(state: RecordingState): void {
  setHandler(viewQuery, () => state.view);
  setHandler(admittedSignal, () => {
    state.admitted = true;
  });
  setHandler(egressSignal, (egress) => state.heard(egress));
  setHandler(lookSignal, (request) => {
    state.look = request?.why ?? 'somebody asked';
  });
  setHandler(cancelSignal, (request) => state.cancel(request?.by));
  setHandler(extendSignal, (extension) => {
    if (!state.whyNotExtend(extension)) state.extend(extension);
  });
  setHandler(
    cancelUpdate,
    async (request) => {
      const { stage } = state.view;
      state.cancel(request?.by);
      // A recording that only waits moves on at once; one that awaits LiveKit's word is answered as it is.
      if (state.resting && stage !== 'stopping') await condition(() => !state.resting || state.view.stage !== stage);
      return state.view;
    },
    {
      validator: (_request) => {
        if (state.isEnded) throw refusal({ type: 'RecordingEnded', message: `the recording is ${state.view.stage}` });
      },
    },
  );
  setHandler(
    extendUpdate,
    (extension) => {
      state.extend(extension);
      return state.view;
    },
    {
      validator: (extension) => {
        const objection = state.whyNotExtend(extension);
        if (objection) throw refusal(objection);
      },
    },
  );
}

function refusal(why: { type: string; message: string }): ApplicationFailure {
  return ApplicationFailure.create({ ...why, nonRetryable: true });
}

/**
 * Waits until `done`, at most to `atMs`. A time that is past starts no timer: `condition` with 0 would write a patch marker,
 * and a timer is a billed action.
 */
async function until(state: RecordingState, done: () => boolean, atMs: number, summary: string): Promise<void> {
  const leftMs = Math.ceil(atMs - Date.now());
  if (leftMs <= 0 || done()) return;
  state.resting = true;
  await condition(done, leftMs, { summary });
  state.resting = false;
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
    if (shortParts >= MAX_SHORT_PARTS || state.view.parts.length >= MAX_PARTS) return gaveUp(state, result.message);
    state.noteProblem(result.message);
    state.view.startDeadlineMs = Date.now() + state.input.request.startWithin;
    await until(state, () => state.cancelled, Date.now() + nextPartDelayMs(shortParts), 'pause before the next part');
  }
}

function gaveUp(state: RecordingState, message: string): End {
  const parts = state.view.parts.length;
  const what =
    parts >= MAX_PARTS
      ? `${parts} parts ended early`
      : `${MAX_SHORT_PARTS} parts in a row ended soon after their start`;
  return { stage: 'failed', reason: 'egress_failed', message: `${what}; the last: ${message}` };
}

async function untilDue(state: RecordingState): Promise<void> {
  if (state.view.stage !== 'scheduled') return;
  await calls.requestCapacity({ fleet: state.input.fleet, why: 'a recording was scheduled' });
  await until(state, () => state.cancelled, state.dueAtMs, 'until startAt');
  if (!state.cancelled) state.enter('starting');
}

/** Gets the next part accepted by a worker. @returns the end of the recording when that cannot be */
async function startPart(state: RecordingState): Promise<End | undefined> {
  const part = state.startNextPart();
  const rounds: Record<WaitingFor, number> = { capacity: 0, room: 0 };
  while (true) {
    const found = state.foundEgress;
    if (found) return void state.accepted(found.egressId, found.startedAtMs ?? Date.now());
    if (state.cancelled) return endUnstarted(state, 'cancelled', 'cancelled', 'cancelled before it started');
    if (Date.now() >= state.startDeadlineMs()) return deadlinePassed(state);
    part.attempts += 1;
    const outcome = await tryStart(state, { recordingId: state.view.id, part: part.number, attempt: part.attempts });
    if (outcome.kind === 'started') return void state.accepted(outcome.egressId, outcome.acceptedAtMs);
    if (state.foundEgress) continue;
    if (outcome.kind === 'refused') return endUnstarted(state, 'failed', 'refused', outcome.message);
    if (!mayHaveStarted(outcome)) part.attempts -= 1;
    const end = await waitForTurn(state, outcome, rounds);
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
  if (!mayHaveStarted(outcome)) return outcome;
  const known = state.foundEgress;
  if (known && (!isTerminal(known.status) || known.marker?.attempt === marker.attempt)) return outcome;
  state.noteProblem(`${outcome.message}; looking for what it may have started`);
  await searchPart(state, marker, Date.now() + APPEARANCE_MS);
  return outcome;
}

/** Then an egress may run that no answer told us of. */
function mayHaveStarted(
  outcome: StartOutcome,
): outcome is Extract<StartOutcome, { kind: 'ambiguous' | 'no_capacity' }> {
  return outcome.kind === 'ambiguous' || (outcome.kind === 'no_capacity' && outcome.sent);
}

async function searchPart(state: RecordingState, marker: Marker, untilMs: number): Promise<void> {
  const found = await search.findPart({ marker, request: state.input.request, untilMs });
  if (found) state.heard(found);
}

function interrupted(error: unknown): StartOutcome {
  if (!(error instanceof ActivityFailure)) throw error;
  return { kind: 'ambiguous', message: `the start was interrupted: ${error.cause?.message ?? error.message}` };
}

/** Stands in the queue until it is worth trying again. @returns the end when the room ended meanwhile */
async function waitForTurn(
  state: RecordingState,
  outcome: Exclude<StartOutcome, { kind: 'started' | 'refused' }>,
  rounds: Record<WaitingFor, number>,
): Promise<End | undefined> {
  const waitsFor: WaitingFor = outcome.kind === 'room_missing' ? 'room' : 'capacity';
  // This is only said of a room that exists.
  if (outcome.kind === 'no_capacity') state.roomSeen = true;
  if (waitsFor === 'room' && (await roomEnded(state))) return endWithRoom(state);
  state.wait(waitsFor, outcome.message);
  rounds[waitsFor] += 1;
  // The start itself woke the fleet; one that still waits after its timer repeats it, should that have been lost.
  if (rounds.capacity > 1) await calls.requestCapacity({ fleet: state.input.fleet, why: 'a recording still waits' });
  const recheckMs = waitsFor === 'room' ? roomRecheckMs(rounds.room) : queueRecheckMs(rounds.capacity);
  await until(
    state,
    () => state.admitted || state.cancelled || state.look !== undefined || state.foundEgress !== undefined,
    Math.min(Date.now() + recheckMs, state.startDeadlineMs()),
    `waiting for ${waitsFor}`,
  );
  return state.look === undefined ? undefined : lookWhileWaiting(state);
}

/** Somebody noticed something: an egress that records for us after all, or that the room has ended. */
async function lookWhileWaiting(state: RecordingState): Promise<End | undefined> {
  state.look = undefined;
  const { part } = state;
  if (part && part.attempts > 0) {
    await searchPart(state, { recordingId: state.view.id, part: part.number, attempt: part.attempts }, Date.now());
    if (state.foundEgress) return undefined;
  }
  return (await roomEnded(state)) ? endWithRoom(state) : undefined;
}

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
  const isFirst = state.part?.number === 1;
  if (!isFirst && Date.now() >= state.endDeadlineMs()) return endedWhileBroken(state);
  if (waiting?.for === 'room' && !state.roomSeen)
    return endUnstarted(state, 'expired', 'room_never_appeared', 'the room did not exist within startWithin');
  return endUnstarted(
    state,
    isFirst ? 'expired' : 'failed',
    'start_deadline',
    `no capacity within startWithin: ${waiting?.detail ?? 'not tried'}`,
  );
}

/** Its time was over before another worker could take over. */
function endedWhileBroken(state: RecordingState): End {
  const message = 'its maximum duration was reached before the next part could start';
  return state.hasFiles
    ? endUnstarted(state, 'completed', 'max_duration', message)
    : endUnstarted(state, 'failed', 'worker_lost', message);
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
  const hasEarlierFiles = state.hasFiles;
  const egress = state.ended ?? null;
  state.closePart(egress, lost);
  const { request } = state.input;
  const room = stopping ? 'gone' : (await calls.inspectRoom({ request })).room;
  const outcome = classifyEnd({ source: request.source, egress, room, hasEarlierFiles, ...(stopping && { stopping }) });
  const { acceptedAtMs = 0, endedAtMs = 0 } = state.part ?? {};
  const short = endedAtMs - acceptedAtMs < SHORT_PART_MS;
  const { message } = outcome;
  if (outcome.kind === 'next_part') return { message, short };
  const stage = outcome.kind === 'failed' ? 'failed' : outcome.reason === 'cancelled' ? 'cancelled' : 'completed';
  return { end: { stage, reason: outcome.reason, message }, message, short };
}

type Stopping = 'cancelled' | 'max_duration';

/** Waits for the end of the part: by itself, by cancel, by maxDuration, or because its worker died. */
async function supervise(state: RecordingState): Promise<{ stopping?: Stopping; lost?: string }> {
  const doubt = new Doubt();
  let stopped: { why: Stopping; sinceMs: number; looks: number } | undefined;
  let lookAtMs = Infinity;
  while (true) {
    const why = stopped?.why ?? stopReason(state);
    const stopping = why && { stopping: why };
    if (state.ended) return { ...stopping };
    if (why && !stopped) {
      stopped = { why, sinceMs: Date.now(), looks: 1 };
      await stopEgress(state);
      lookAtMs = Date.now() + stopRecheckMs(1);
    }
    await untilNews(state, lookAtMs, stopped !== undefined);
    await stopStrangers(state);
    if (state.ended || (state.look === undefined && Date.now() < lookAtMs)) continue;
    const sighting = await lookAtPart(state, doubt);
    if (state.ended) continue;
    if (sighting.verdict === 'lost') return { ...stopping, lost: sighting.evidence };
    if (stopped && Date.now() - stopped.sinceMs >= STOP_LIMIT_MS) {
      return { ...stopping, lost: 'it did not end after it was stopped' };
    }
    // An egress that is finishing its file needs no second stop; one that missed the first does.
    if (stopped && sighting.egress?.status !== 'ENDING') await stopEgress(state);
    if (stopped) stopped.looks += 1;
    lookAtMs = nextLookMs(sighting.verdict === 'unsure' ? doubt.looks : undefined, stopped?.looks);
  }
}

/** Until the part has ended, somebody asks for a look, or it is time for one. */
async function untilNews(state: RecordingState, lookAtMs: number, stopped: boolean): Promise<void> {
  const wakeAtMs = stopped ? lookAtMs : Math.min(lookAtMs, state.endDeadlineMs());
  await until(
    state,
    () =>
      state.ended !== undefined ||
      state.look !== undefined ||
      state.strangers.size > 0 ||
      (!stopped && (state.cancelled || state.endDeadlineMs() < wakeAtMs)),
    wakeAtMs,
    stopped ? 'until the egress has ended' : 'until maxDuration',
  );
}

/** @returns unix ms; Infinity when only a signal makes us look */
function nextLookMs(doubts: number | undefined, stopLooks: number | undefined): number {
  const doubtMs = doubts === undefined ? Infinity : doubtRecheckMs(doubts);
  const stopMs = stopLooks === undefined ? Infinity : stopRecheckMs(stopLooks);
  return Date.now() + Math.min(doubtMs, stopMs);
}

function stopReason(state: RecordingState): Stopping | undefined {
  if (state.cancelled) return 'cancelled';
  return Date.now() >= state.endDeadlineMs() ? 'max_duration' : undefined;
}

async function stopEgress(state: RecordingState): Promise<void> {
  state.enter('stopping');
  const problem = await tryStop(state.part?.egressId ?? '');
  if (problem) state.noteProblem(`the stop was not confirmed: ${problem}`);
}

async function stopStrangers(state: RecordingState): Promise<void> {
  for (const egressId of [...state.strangers]) {
    state.strangers.delete(egressId);
    log.warn('another egress runs for the same recording and is stopped', { recordingId: state.view.id, egressId });
    await tryStop(egressId);
  }
}

/** @returns why nobody confirmed it */
async function tryStop(egressId: string): Promise<string | undefined> {
  try {
    await stop.stopPart({ egressId });
    return undefined;
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    return error.cause?.message ?? error.message;
  }
}

/** How long looks have been in doubt whether the egress lives. */
class Doubt {
  private sinceMs: number | undefined;
  looks = 0;

  get forMs(): number {
    return this.sinceMs === undefined ? 0 : Date.now() - this.sinceMs;
  }

  note(verdict: Verdict): void {
    this.sinceMs = verdict === 'alive' ? undefined : (this.sinceMs ?? Date.now());
    this.looks = verdict === 'alive' ? 0 : this.looks + 1;
  }
}

async function lookAtPart(
  state: RecordingState,
  doubt: Doubt,
): Promise<{ verdict: Verdict; egress: EgressSnapshot | null; evidence: string }> {
  state.look = undefined;
  const { part } = state;
  const { request } = state.input;
  const egressId = part?.egressId ?? '';
  const marker = { recordingId: state.view.id, part: part?.number ?? 1, attempt: part?.attempts ?? 1 };
  const { egress, inRoom, onWorker } = await calls.inspectPart({ marker, egressId, request });
  if (egress) state.heard(egress);
  const ageMs = Date.now() - (part?.acceptedAtMs ?? 0);
  const hasRoom = roomOf(request.source) !== undefined;
  const verdict = judgeSighting({ egress, inRoom, onWorker, hasRoom, ageMs, doubtForMs: doubt.forMs });
  doubt.note(verdict);
  // Nobody could ask its worker: should it live on after all, it must not record beside its successor.
  if (verdict === 'lost' && onWorker === 'unknown') state.addStranger(egressId);
  const where = onWorker === 'no' ? 'on no worker' : 'on a worker that does not answer';
  const record = egress ? `LiveKit still lists it as ${egress.status}` : 'LiveKit has no record of it';
  return { verdict, egress, evidence: `${egressId} is ${where}${hasRoom ? ' and not in the room' : ''}; ${record}` };
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
