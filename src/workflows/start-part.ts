// Gets one part of a recording accepted by a worker: tries, searches what a try may have started, stands in the queue. What an
// answer means is decided in recording/start-outcome.ts.
import type { Hindrance } from '../activities/contract.ts';
import { APPEARANCE_MS, queueRecheckMs, roomRecheckMs } from '../recording/delays.ts';
import { isTerminal, type Marker } from '../recording/egress.ts';
import { roomOf } from '../recording/source.ts';
import type { EndReason, EndStage, WaitingFor } from '../recording/stage.ts';
import type { StartOutcome } from '../recording/start-outcome.ts';
import type { PartView } from '../recording/view.ts';
import { calls, here, problemOf, search, start } from './calls.ts';
import { type End, type RecordingState, until } from './recording-state.ts';

/** Gets the next part accepted by a worker. @returns the end of the recording when that cannot be */
export async function startPart(state: RecordingState): Promise<End | undefined> {
  const part = state.startNextPart();
  const rounds: Record<WaitingFor, number> = { capacity: 0, room: 0 };
  while (true) {
    const found = state.foundEgress;
    if (found) return void state.accepted(found.egressId, found.acceptedAtMs ?? Date.now());
    if (state.cancelled) return endUnstarted(state, 'cancelled', 'cancelled', 'cancelled before it started');
    if (Date.now() >= state.startDeadlineMs()) return deadlinePassed(state);
    const hindrance = await whyNotYet(state);
    if (state.cancelled || state.foundEgress) continue;
    const outcome = hindrance ?? (await tryStart(state, part));
    if (outcome.kind === 'started') return void state.accepted(outcome.egressId, outcome.acceptedAtMs);
    if (state.foundEgress) continue;
    if (outcome.kind === 'refused') return endUnstarted(state, 'failed', 'refused', outcome.message);
    const end = await waitForTurn(state, outcome, rounds);
    if (end) return end;
  }
}

/** Whoever the fleet has admitted need not ask: it is its turn. */
async function whyNotYet(state: RecordingState): Promise<Hindrance | null> {
  if (state.admitted) return null;
  const { fleet, request, costCores } = state.input;
  const place = { recordingId: state.view.id, fleet, request, costCores, queuedSinceMs: state.dueAtMs };
  return here.requestCapacity(place).catch((error: unknown): Hindrance => {
    return { kind: 'no_capacity', sent: false, message: `could not look for a free worker: ${problemOf(error)}` };
  });
}

/** One StartEgress; and when its answer was lost or proves nothing, a search for what it may have started. */
async function tryStart(state: RecordingState, part: PartView): Promise<StartOutcome> {
  const { fleet, request, costCores } = state.input;
  const { admitted } = state;
  state.admitted = false;
  part.attempts += 1;
  const marker = { recordingId: state.view.id, part: part.number, attempt: part.attempts };
  const outcome = await start.startPart({ marker, fleet, request, costCores, admitted }).catch(interrupted);
  if (outcome.kind === 'started') return outcome;
  if (!mayHaveStarted(outcome)) {
    part.attempts -= 1;
    return outcome;
  }
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
  return { kind: 'ambiguous', message: `the start was interrupted: ${problemOf(error)}` };
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
