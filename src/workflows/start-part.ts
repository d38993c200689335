// Gets one part of a recording accepted by a worker: tries, gives up what was not answered, stands in the queue. What an answer
// means is decided in recording/start-outcome.ts.
import { condition } from '@temporalio/workflow';
import type { Hindrance } from '../activities/contract.ts';
import { queueRecheckMs, roomRecheckMs } from '../recording/delays.ts';
import type { EgressReport } from '../recording/egress.ts';
import { roomOf } from '../recording/source.ts';
import type { WaitingFor } from '../recording/stage.ts';
import type { StartOutcome } from '../recording/start-outcome.ts';
import type { PartView } from '../recording/view.ts';
import { calls, here, problemOf, start } from './calls.ts';
import { type Accepted, type End, type RecordingState, until } from './recording-state.ts';
import { stopStrangers } from './supervise-part.ts';

/** Gets the next part accepted by a worker. @returns the end of the recording when that cannot be */
export async function startPart(state: RecordingState): Promise<End | undefined> {
  const part = state.startNextPart();
  const rounds: Record<WaitingFor, number> = { capacity: 0, room: 0 };
  while (true) {
    if (state.cancelled) return calledOff(state);
    if (Date.now() >= state.startDeadlineMs()) return deadlinePassed(state);
    const hindrance = await whyNotYet(state);
    if (state.cancelled) continue;
    const outcome = hindrance ?? (await tryStart(state, part));
    if (outcome.kind === 'started') return void state.accepted(outcome);
    if (outcome.kind === 'refused') return endUnstarted(state, { ...REFUSED, ...outcome });
    const end = await waitForTurn(state, outcome, rounds);
    if (end) return end;
  }
}

const REFUSED = { stage: 'failed', reason: 'refused' } as const;

function calledOff(state: RecordingState): End {
  if (state.asked === 'stopped' && state.part?.number !== 1) return stoppedBetweenParts(state);
  return endUnstarted(state, { stage: 'cancelled', reason: 'cancelled', message: 'cancelled before it started' });
}

/** Whoever the fleet has admitted need not ask: it is its turn. */
async function whyNotYet(state: RecordingState): Promise<Hindrance | null> {
  if (state.admitted) return null;
  const { fleet, request, costCores } = state.input;
  const place = { recordingId: state.view.id, fleet, request, costCores, queuedSinceMs: state.dueAtMs };
  return here.requestCapacity(place).catch((error: unknown): Hindrance => {
    return { kind: 'no_capacity', message: `could not look for a free worker: ${problemOf(error)}`, roomUnseen: true };
  });
}

type Attempted = ({ kind: 'started' } & Accepted) | Hindrance | Extract<StartOutcome, { kind: 'refused' }>;

/** One attempt. An answer that is lost is no doubt: the attempt has no grant any more, is stopped, and the next one has the next id. */
async function tryStart(state: RecordingState, part: PartView): Promise<Attempted> {
  const { fleet, request, costCores, storages } = state.input;
  const { admitted } = state;
  state.admitted = false;
  // What comes after a change of the streams begins with them.
  while (state.isChangingStreams) await condition(() => !state.isChangingStreams);
  const egressId = state.attemptId;
  state.isStarting = true;
  const outcome = await start
    .dispatch({
      recordingId: state.view.id,
      attempt: state.nextAttempt,
      fleet,
      request,
      wire: state.wire,
      storages,
      costCores,
      admitted,
      keepsIdentity: state.keepsIdentity,
    })
    .catch((error: unknown) => interrupted(egressId, error));
  const early = state.answered('egressId' in outcome ? outcome.egressId : egressId);
  const result = attempted(state, part, outcome, early);
  if (outcome.kind === 'no_capacity') state.turnsMissed += admitted ? 1 : 0;
  else if (outcome.kind !== 'room_missing') state.turnsMissed = 0;
  // What runs beside a part is stopped once the part is known: its own news must not take it for a stranger meanwhile.
  if (result.kind !== 'started') await stopStrangers(state);
  return result;
}

/** @param early what the attempt reported before its start was answered */
function attempted(
  state: RecordingState,
  part: PartView,
  outcome: StartOutcome,
  early: EgressReport | undefined,
): Attempted {
  const isMade = outcome.kind !== 'no_capacity' && outcome.kind !== 'room_missing';
  if (isMade) {
    part.attempts += 1;
    state.nextAttempt += 1;
  }
  if (outcome.kind === 'started') return { ...outcome, early };
  if (outcome.kind !== 'unknown') {
    if (early) state.heard(early);
    return outcome.kind === 'declined' ? { kind: 'no_capacity', message: outcome.message } : outcome;
  }
  const { egressId, message } = outcome;
  // It records: its answer was lost, and nobody else was asked. A start that was only taken may come to nothing.
  if (early && early.status !== 'STARTING')
    return { kind: 'started', egressId, acceptedAtMs: early.acceptedAtMs ?? Date.now(), early };
  state.giveUp(egressId);
  // Nothing runs that could hold the recorder's name, but this may.
  state.keepsIdentity = false;
  return { kind: 'no_capacity', message };
}

function interrupted(egressId: string, error: unknown): StartOutcome {
  return { kind: 'unknown', egressId, message: `the start was interrupted: ${problemOf(error)}` };
}

/** Stands in the queue until it is worth trying again. @returns the end when the room ended meanwhile */
async function waitForTurn(
  state: RecordingState,
  outcome: Hindrance,
  rounds: Record<WaitingFor, number>,
): Promise<End | undefined> {
  const waitsFor: WaitingFor = outcome.kind === 'room_missing' ? 'room' : 'capacity';
  // This is only said of a room that exists, unless nobody could look.
  if (outcome.kind === 'no_capacity' && !outcome.roomUnseen) state.roomSeen = true;
  if (waitsFor === 'room' && (await roomEnded(state))) return endWithRoom(state);
  state.wait(waitsFor, outcome.message);
  rounds[waitsFor] += 1;
  const recheckMs =
    waitsFor === 'room' ? roomRecheckMs(rounds.room) : queueRecheckMs(rounds.capacity, state.turnsMissed);
  await until(
    state,
    () => state.admitted || state.cancelled || state.look !== undefined,
    Math.min(Date.now() + recheckMs, state.startDeadlineMs()),
    `waiting for ${waitsFor}`,
  );
  return state.look === undefined ? undefined : lookWhileWaiting(state);
}

/** Somebody noticed that the room may have ended. */
async function lookWhileWaiting(state: RecordingState): Promise<End | undefined> {
  state.look = undefined;
  return (await roomEnded(state)) ? endWithRoom(state) : undefined;
}

/** A room_finished event or one 404 proves nothing: the room must have been there and be missing from the room list. */
async function roomEnded(state: RecordingState): Promise<boolean> {
  if (!state.roomSeen || roomOf(state.input.request.source) === undefined) return false;
  return (await calls.inspectRoom({ request: state.input.request })).room === 'gone';
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
  if (waiting?.for === 'room' && !state.roomSeen) {
    const message = 'the room did not exist within startWithin';
    return endUnstarted(state, { stage: 'expired', reason: 'room_never_appeared', message });
  }
  const message = `no capacity within startWithin: ${waiting?.detail ?? 'not tried'}`;
  return endUnstarted(state, { stage: isFirst ? 'expired' : 'failed', reason: 'start_deadline', message });
}

/** A stop still promises a file. */
function stoppedBetweenParts(state: RecordingState): End {
  if (state.hasFiles) {
    const message = 'stopped through LiveKit before the next part could start';
    return endUnstarted(state, { stage: 'completed', reason: 'stopped', message });
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
  return { stage, reason, message, ...(errorCode === undefined ? {} : { errorCode }) };
}
