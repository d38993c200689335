// Gets one part of a recording accepted by a worker: tries, gives up what was not answered, stands in the queue. What an answer
// means is decided in recording/start-outcome.ts.

import { condition } from '@temporalio/workflow';
import type { Hindrance } from '../activities/contract.ts';
import { defined } from '../common/defined.ts';
import { queueRecheckMs, roomRecheckMs } from '../recording/delays.ts';
import type { EgressReport } from '../recording/egress.ts';
import { roomOf } from '../recording/source.ts';
import type { AssignedWorker, StartOutcome } from '../recording/start-outcome.ts';
import { ask, finder, problemOf, start } from './calls.ts';
import { type Accepted, type End, type RecordingState, until } from './recording-state.ts';
import { stopStrangers } from './stops.ts';

/** Gets the next part accepted by a worker, unless it is paused before. @returns the end of the recording when that cannot be */
export async function startPart(state: RecordingState): Promise<End | undefined> {
  // Another worker may record already, or be asked to.
  if (state.handingOver) await condition(() => !state.handingOver);
  if (state.successor && !state.cancelled && !state.isPaused) {
    state.adoptSuccessor();
    return undefined;
  }
  // A run that goes on for another may find one that waits.
  if (!state.hasUnstartedPart) state.startNextPart();
  let hindrance = state.knownHindrance();
  while (true) {
    if (state.cancelled) return calledOff(state);
    if (state.isPaused) {
      state.dropUnstartedPart();
      return undefined;
    }
    if (Date.now() >= state.startDeadlineMs()) return deadlinePassed(state);
    const outcome = hindrance ?? (await tryStart(state));
    hindrance = undefined;
    if (outcome.kind === 'started') state.accepted(outcome);
    // Once the part is known: its own news must not take it for a stranger meanwhile.
    await stopStrangers(state);
    if (outcome.kind === 'started') return undefined;
    if (outcome.kind === 'refused') return refused(state, outcome);
    const end = await waitForTurn(state, outcome);
    if (end) return end;
  }
}

/** What earlier parts left is kept. */
function refused(state: RecordingState, { message, errorCode }: { message: string; errorCode: number }): End {
  if (!state.hasFiles) return endUnstarted(state, { stage: 'failed', reason: 'refused', message, errorCode });
  const why = `the next part was refused for good: ${message}`;
  return endUnstarted(state, { stage: 'completed', reason: 'gave_up', message: why });
}

function calledOff(state: RecordingState): End {
  const { asked } = state;
  if (asked !== undefined && asked !== 'cancelled' && state.part?.number !== 1)
    return stoppedBetweenParts(state, asked);
  return endUnstarted(state, { stage: 'cancelled', reason: 'cancelled', message: 'cancelled before it started' });
}

type Attempted = ({ kind: 'started' } & Accepted) | Hindrance | Extract<StartOutcome, { kind: 'refused' }>;

/**
 * One attempt. One that is not answered and does not live has no grant any more, is stopped, and the next one has the next id.
 * @param notOn the worker that it is to be taken over from
 */
export async function tryStart(state: RecordingState, notOn?: AssignedWorker): Promise<Attempted> {
  // What records already stands in no queue.
  const admitted = state.admitted || notOn !== undefined;
  state.admitted = false;
  // What comes after a change of the streams begins with them.
  while (state.isChangingStreams) await condition(() => !state.isChangingStreams);
  state.askedAtMs = Date.now();
  state.attempts.isStarting = true;
  const outcome = await askedFor(state, admitted, notOn);
  const found = outcome.kind === 'unknown' && !state.attempts.shown ? await find(state, outcome.egressId) : null;
  const egressId = 'egressId' in outcome ? outcome.egressId : state.attempts.egressId;
  const early = state.answered(egressId);
  if (outcome.kind !== 'no_capacity' && outcome.kind !== 'room_missing') state.made(egressId);
  if (outcome.kind === 'no_capacity') state.turnsMissed += admitted ? 1 : 0;
  else if (outcome.kind !== 'room_missing') state.turnsMissed = 0;
  return attempted(state, outcome, { early, found });
}

/** The answer, or the attempt's own report that it records: who was asked may have died with the answer. */
async function askedFor(state: RecordingState, admitted: boolean, notOn?: AssignedWorker): Promise<StartOutcome> {
  const { fleet, costCores, storages } = state.input;
  const { keepFolder } = state;
  const egressId = state.attempts.egressId;
  const asked = start
    .dispatch({
      recordingId: state.view.id,
      attempt: state.attempts.next,
      fleet,
      ...state.place,
      wire: state.wire,
      storages,
      costCores,
      queuedSinceMs: state.dueAtMs,
      admitted,
      ...(notOn ? { notOn: notOn.topic } : admitted && state.onto !== undefined ? { onto: state.onto } : {}),
      keepsIdentity: state.attempts.askForName(),
      ...defined({ keepFolder }),
      ...(state.layout === undefined ? {} : { layout: state.layout }),
    })
    .catch((error: unknown) => interrupted(state.attempts.shown?.egressId ?? egressId, error));
  let answer: StartOutcome | undefined;
  const answered = asked.then((outcome) => {
    answer = outcome;
  });
  // A mistake of our own must show.
  await Promise.race([answered, condition(() => answer !== undefined || state.attempts.shown?.status === 'ACTIVE')]);
  if (answer) return answer;
  const shown = state.attempts.shown?.egressId ?? egressId;
  void state.inBackground([
    asked.then((late) => {
      if (late.kind === 'started') state.answeredLate(shown, late);
    }),
  ]);
  return { kind: 'unknown', egressId: shown, message: 'it records, and its start is not answered yet' };
}

interface Evidence {
  /** What the attempt reported before its start was answered. */
  early: EgressReport | undefined;
  /** A worker says that it runs. */
  found: { worker?: AssignedWorker } | null;
}

function attempted(state: RecordingState, outcome: StartOutcome, { early, found }: Evidence): Attempted {
  if (outcome.kind === 'started') return { ...outcome, early };
  if (outcome.kind !== 'unknown') {
    if (early) state.heard(early);
    return outcome.kind === 'declined' ? { kind: 'no_capacity', message: outcome.message } : outcome;
  }
  const { egressId, message, roomUnseen } = outcome;
  // Its answer was lost, and nobody else was asked. A start that was only taken may come to nothing.
  if (found || (early && early.status !== 'STARTING'))
    return { kind: 'started', egressId, acceptedAtMs: early?.acceptedAtMs ?? state.askedAtMs, early, ...found };
  state.attempts.giveUp(egressId);
  return { kind: 'no_capacity', message, ...(roomUnseen ? { roomUnseen } : {}) };
}

/** It may not have got as far as to look for the room. */
function interrupted(egressId: string, error: unknown): StartOutcome {
  return { kind: 'unknown', egressId, message: `the start was interrupted: ${problemOf(error)}`, roomUnseen: true };
}

/** Nobody who can be asked is nobody who says that it runs. */
function find({ input: { fleet } }: RecordingState, egressId: string): Promise<Evidence['found']> {
  return finder.findAttempt({ egressId, fleet }).catch((error: unknown) => {
    problemOf(error);
    return null;
  });
}

/** Stands in the queue until it is worth trying again. @returns the end when the room ended meanwhile */
async function waitForTurn(state: RecordingState, outcome: Hindrance): Promise<End | undefined> {
  const { rounds } = state;
  const waitsFor = outcome.kind === 'room_missing' ? 'room' : 'capacity';
  if (outcome.kind === 'no_capacity') state.roomId ??= outcome.roomId;
  if (waitsFor === 'room' && (await roomEnded(state))) return endWithRoom(state);
  const { needs, place } = outcome.kind === 'no_capacity' ? outcome : {};
  state.wait(waitsFor, outcome.message, { needs, place });
  await state.handOver();
  rounds[waitsFor] += 1;
  const recheckMs =
    waitsFor === 'room' ? roomRecheckMs(rounds.room) : queueRecheckMs(rounds.capacity, state.turnsMissed);
  const wakeAtMs = Math.min(Date.now() + recheckMs, state.startDeadlineMs());
  const hasNews = () => state.admitted || state.cancelled || state.isPaused || state.look !== undefined;
  while (!hasNews() && Date.now() < wakeAtMs) {
    const isStirred = () => hasNews() || state.attempts.strangers.size > 0 || state.mayHandOver;
    await until(state, isStirred, wakeAtMs, `waiting for ${waitsFor}`);
    await state.handOver();
    await stopStrangers(state);
  }
  return state.look === undefined ? undefined : lookWhileWaiting(state);
}

/** Somebody noticed that the room may have ended. */
async function lookWhileWaiting(state: RecordingState): Promise<End | undefined> {
  state.look = undefined;
  return (await roomEnded(state)) ? endWithRoom(state) : undefined;
}

/** A room_finished event or one 404 proves nothing: the room must have been there and be missing from the room list. */
async function roomEnded(state: RecordingState): Promise<boolean> {
  if (state.roomId === undefined || roomOf(state.input.request.source) === undefined) return false;
  const isOver = () => state.cancelled;
  const said = await ask(state, 'inspectRoom', state.place, { isOver, byMs: state.startDeadlineMs() });
  return 'answer' in said && said.answer.room === 'gone';
}

function endWithRoom(state: RecordingState): End {
  if (state.part?.number === 1) {
    const message = 'the room ended while the recording waited';
    return endUnstarted(state, { stage: 'expired', reason: 'room_ended', message });
  }
  if (state.hasFiles) {
    const message = 'the room ended before the next part could start';
    return endUnstarted(state, { stage: 'completed', reason: 'finished', message });
  }
  const message = 'the worker was lost, and the room ended before another could take over';
  return endUnstarted(state, { stage: 'failed', reason: 'worker_lost', message });
}

function deadlinePassed(state: RecordingState): End {
  const { waiting } = state.view;
  const isFirst = state.part?.number === 1;
  if (!isFirst && Date.now() >= state.endDeadlineMs()) return endedWhileBroken(state);
  if (waiting?.for === 'room' && state.roomId === undefined) {
    const message = 'the room did not exist within startWithin';
    return endUnstarted(state, { stage: 'expired', reason: 'room_never_appeared', message });
  }
  const message = `no capacity within startWithin: ${waiting?.detail ?? 'not tried'}`;
  if (state.hasFiles) return endUnstarted(state, { stage: 'completed', reason: 'gave_up', message });
  return endUnstarted(state, { stage: isFirst ? 'expired' : 'failed', reason: 'start_deadline', message });
}

/** A stop still promises a file. */
function stoppedBetweenParts(state: RecordingState, reason: 'stopped' | 'participants_left'): End {
  if (state.hasFiles) {
    const message =
      reason === 'stopped'
        ? 'stopped through LiveKit before the next part could start'
        : 'its participants left before the next part could start';
    return endUnstarted(state, { stage: 'completed', reason, message });
  }
  const message = 'the worker was lost, and the recording was stopped before another could take over';
  return endUnstarted(state, { stage: 'failed', reason: 'worker_lost', message });
}

/** Its time was over before another worker could take over. */
function endedWhileBroken(state: RecordingState): End {
  const message = 'its maximum duration was reached before the next part could start';
  return state.hasFiles
    ? endUnstarted(state, { stage: 'completed', reason: 'max_duration', message })
    : endUnstarted(state, { stage: 'failed', reason: 'worker_lost', message });
}

function endUnstarted(state: RecordingState, { stage, reason, message, errorCode }: End): End {
  state.dropUnstartedPart();
  return { stage, reason, message, ...defined({ errorCode }) };
}
