// Waits for a participant or a track that is not in the room: until startWithin for one that was never recorded, for sourceGrace for
// one that left.
import { sourceRecheckMs } from '../recording/delays.ts';
import { ask } from './calls.ts';
import { type End, type RecordingState, until } from './recording-state.ts';
import { stopStrangers } from './stops.ts';

/** @param otherwise how the recording ends when it stays away @returns the end; undefined once the source is there, or it is paused */
export async function awaitSource(state: RecordingState, otherwise: End): Promise<End | undefined> {
  const hasRecorded = state.view.startedAtMs !== undefined;
  if (!hasRecorded) state.forgetPart();
  const untilMs = hasRecorded
    ? Math.min(Date.now() + state.input.request.sourceGrace, state.endDeadlineMs())
    : state.startDeadlineMs();
  for (let looks = 1; Date.now() < untilMs; looks += 1) {
    state.look = undefined;
    // Whoever is asked looks on only until we ask again: a recording that ends meanwhile leaves nobody looking for long.
    const forMs = Math.min(untilMs - Date.now(), sourceRecheckMs(looks));
    const asked = { recordingId: state.view.id, ...state.place, forMs };
    const isOver = () => state.cancelled || state.isPaused;
    const said = await ask(state, 'lookForSource', asked, { isOver, byMs: untilMs });
    if (state.isPaused && !state.cancelled) return undefined;
    if (state.cancelled) return calledOff(state, otherwise);
    const { room, source } = 'answer' in said ? said.answer : {};
    if (room === 'gone') return hasRecorded ? otherwise : roomEnded;
    if (source === 'here') return undefined;
    state.wait('source', otherwise.message);
    await untilNews(state, Date.now() + forMs);
    if (state.cancelled) return calledOff(state, otherwise);
  }
  return otherwise;
}

const roomEnded: End = {
  stage: 'expired',
  reason: 'room_ended',
  message: 'the room ended while its source was awaited',
};

async function untilNews(state: RecordingState, wakeAtMs: number): Promise<void> {
  const hasNews = () => state.cancelled || state.isPaused || state.look !== undefined;
  while (!hasNews() && Date.now() < wakeAtMs) {
    await until(state, () => hasNews() || state.attempts.strangers.size > 0, wakeAtMs, 'until its source is there');
    await stopStrangers(state);
  }
}

/** A stop through LiveKit finishes what was recorded; a cancel calls it off. */
function calledOff(state: RecordingState, otherwise: End): End {
  const hasRecorded = state.view.startedAtMs !== undefined;
  // Its source and everybody else have left.
  if (hasRecorded && state.asked === 'participants_left') return otherwise;
  if (hasRecorded && state.asked === 'stopped') {
    if (otherwise.reason !== 'finished') return otherwise;
    return { ...otherwise, reason: 'stopped', message: 'stopped through LiveKit while its source was away' };
  }
  return { stage: 'cancelled', reason: 'cancelled', message: 'cancelled while its source was away' };
}
