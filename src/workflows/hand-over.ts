// Make before break: the worker of a part is about to go, so the next part starts on another one, is seen to record, and only then the
// present part is stopped. Until then the present one records on, and everything that may happen to it happens as always.
import { condition, log } from '@temporalio/workflow';
import {
  handOverRetryMs,
  STOP_LIMIT_MS,
  STOP_WAIT_MS,
  SUCCESSOR_LIMIT_MS,
  stopRecheckMs,
} from '../recording/delays.ts';
import type { PartView } from '../recording/view.ts';
import { ask } from './calls.ts';
import { keepPart } from './keep-parts.ts';
import type { RecordingState } from './recording-state.ts';
import { tryStart } from './start-part.ts';
import { stopStrangers, tryStop } from './stops.ts';

/** A worker repeats its last report for up to 90 s; the third look is after 105 s. */
const SURE_LOOKS = 3;

/** Goes on by itself, until another worker has taken over or there is nothing to take over any more. */
export function startHandOver(state: RecordingState): void {
  state.handingOver = true;
  log.info(`another worker is to go on: ${state.handOverWhy ?? ''}`, { recordingId: state.view.id });
  state.handOverWhy = undefined;
  void state.inBackground([handOver(state)]);
}

async function handOver(state: RecordingState): Promise<void> {
  const { part } = state;
  const isOver = () =>
    state.part !== part ||
    part?.end !== undefined ||
    state.ended !== undefined ||
    state.watch?.stopped !== undefined ||
    state.cancelled ||
    state.isPaused;
  try {
    for (let round = 1; part && !isOver(); round += 1) {
      const isRefused = (await trySuccessor(state, part, isOver)) === 'refused';
      if (isRefused || isOver()) return;
      if (state.successor?.startedAtMs !== undefined) {
        state.adoptSuccessor();
        void state.inBackground([finishPart(state, part)]);
        return;
      }
      await condition(isOver, handOverRetryMs(round));
    }
  } finally {
    state.handingOver = false;
  }
}

/** When it is over meanwhile, the successor stays: whoever goes on adopts it, or gives it up. */
async function trySuccessor(
  state: RecordingState,
  part: PartView,
  isOver: () => boolean,
): Promise<'refused' | undefined> {
  state.successor = { number: part.number + 1, attempts: 0, files: [] };
  const outcome = await tryStart(state, part.worker ?? { id: '', topic: '' });
  if (outcome.kind !== 'started') {
    state.dropSuccessor();
    state.noteProblem(`no other worker could take it over yet: ${outcome.message}`);
    await stopStrangers(state);
    return outcome.kind === 'refused' ? 'refused' : undefined;
  }
  const successor = state.acceptedSuccessor(outcome);
  await stopStrangers(state);
  if (!successor) return undefined;
  await condition(() => isOver() || state.successor?.startedAtMs !== undefined || !state.successor, SUCCESSOR_LIMIT_MS);
  if (!isOver() && state.successor && state.successor.startedAtMs === undefined) await giveUp(state);
  return undefined;
}

/** Of a recording that ends or pauses: nobody waits for what has only begun. */
export async function giveUpSuccessor(state: RecordingState): Promise<void> {
  if (state.handingOver) await condition(() => !state.handingOver);
  await giveUp(state);
}

async function giveUp(state: RecordingState): Promise<void> {
  const { egressId } = state.successor ?? {};
  state.dropSuccessor();
  if (egressId === undefined) return;
  state.attempts.giveUp(egressId);
  await stopStrangers(state);
}

/** It has handed over: it is stopped, and its file counts when it is there. */
async function finishPart(state: RecordingState, part: PartView): Promise<void> {
  state.filesUnderWay += 1;
  await untilFinished(state, part);
  keepPart(state, part);
  state.filesUnderWay -= 1;
}

async function untilFinished(state: RecordingState, part: PartView): Promise<void> {
  const { egressId = '' } = part;
  const byMs = Date.now() + STOP_LIMIT_MS;
  const hasEnded = () => part.end !== undefined;
  await tryStop(state, { egressId, waitMs: STOP_WAIT_MS });
  for (let look = 1, gone = 0; !hasEnded(); look += 1) {
    await condition(hasEnded, stopRecheckMs(look));
    if (hasEnded()) break;
    const said = await ask(state, 'inspectPart', state.inspectionOf(part), { isOver: hasEnded, byMs });
    if (hasEnded()) break;
    const onWorker = 'answer' in said ? said.answer.onWorker : 'unknown';
    gone = onWorker === 'no' || onWorker === 'dead' ? gone + 1 : 0;
    if (onWorker === 'dead' || gone >= SURE_LOOKS || Date.now() >= byMs) {
      state.closePart(null, { status: 'LOST', evidence: 'its worker went before it had finished the file' }, part);
      break;
    }
    if (onWorker === 'yes') await tryStop(state, { egressId });
  }
}
