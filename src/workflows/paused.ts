// A paused recording: no worker is asked for anything, and it is no demand. It goes on when it is resumed, and ends like any other:
// stopped, cancelled, with its room, at its maximum duration.
import { sourceRecheckMs } from '../recording/delays.ts';
import { ask } from './calls.ts';
import { giveUpSuccessor } from './hand-over.ts';
import { type End, type RecordingState, until } from './recording-state.ts';
import { stopStrangers } from './stops.ts';

/** @returns the end; undefined once it is to go on */
export async function untilResumed(state: RecordingState): Promise<End | undefined> {
  state.enter('paused');
  await giveUpSuccessor(state);
  const isOver = () => state.cancelled || !state.isPaused;
  const untilMs = () => state.endDeadlineMs();
  for (let looks = 1; !isOver() && Date.now() < untilMs(); looks += 1) {
    state.look = undefined;
    const said = await ask(state, 'inspectRoom', state.place, { isOver, byMs: untilMs() });
    if ('answer' in said && said.answer.room === 'gone' && state.roomId !== undefined) return roomEnded(state);
    await untilNews(state, isOver, Math.min(untilMs(), Date.now() + sourceRecheckMs(looks)));
  }
  if (state.asked) return calledOff(state, state.asked);
  if (!state.isPaused) return goOn(state);
  return endOf(state, 'max_duration', 'its maximum duration was reached while it was paused');
}

async function untilNews(state: RecordingState, isOver: () => boolean, wakeAtMs: number): Promise<void> {
  const hasNews = () => isOver() || state.look !== undefined;
  while (!hasNews() && Date.now() < wakeAtMs) {
    await until(state, () => hasNews() || state.attempts.strangers.size > 0 || state.mayHandOver, wakeAtMs, 'paused');
    await state.handOver();
    await stopStrangers(state);
  }
}

function goOn(state: RecordingState): undefined {
  // Its place in the queue was given up with the pause.
  state.admitted = false;
  state.view.startDeadlineMs = Date.now() + state.input.request.startWithin;
  state.enter('starting');
}

function roomEnded(state: RecordingState): End {
  if (hasRecorded(state)) return endOf(state, 'finished', 'the room ended while the recording was paused');
  return { stage: 'expired', reason: 'room_ended', message: 'the room ended while the recording was paused' };
}

function calledOff(state: RecordingState, asked: NonNullable<RecordingState['asked']>): End {
  const message =
    asked === 'participants_left' ? 'its participants left while it was paused' : 'ended while it was paused';
  if (asked === 'cancelled' || !hasRecorded(state)) return { stage: 'cancelled', reason: 'cancelled', message };
  return endOf(state, asked, message);
}

/** What was recorded before the pause decides. */
function endOf(
  state: RecordingState,
  reason: 'stopped' | 'participants_left' | 'finished' | 'max_duration',
  message: string,
): End {
  if (state.hasFiles) return { stage: 'completed', reason, message };
  if (!hasRecorded(state)) return { stage: 'expired', reason: 'nothing_to_record', message };
  const problem = state.part?.end?.error ?? 'its worker was lost';
  return {
    stage: 'failed',
    reason: 'egress_failed',
    message: `${message}, and what was recorded before left no file: ${problem}`,
  };
}

function hasRecorded(state: RecordingState): boolean {
  return state.view.startedAtMs !== undefined;
}
