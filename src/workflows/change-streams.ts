// UpdateStream while a recording is open: what runs changes at once, and what comes after it begins with the same URLs.
import { ApplicationFailure, condition } from '@temporalio/workflow';
import type { StreamsChanged } from '../activities/contract.ts';
import { asStopping, type RecordFacts } from '../recording/record-state.ts';
import type { StreamChange } from '../recording/streams.ts';
import { problemOf, streams } from './calls.ts';
import type { RecordKeeper } from './record-keeper.ts';
import type { AskedChange, RecordingState } from './recording-state.ts';

/** LiveKit asks again for what was not answered in 3 s, up to three times, as a request of its own (psrpc's defaults there). */
const GIVES_UP_MS = 2_500;
const ASKS_AGAIN_MS = 15_000;

/**
 * What LiveKit asks again is done once, and has the same answer.
 * @throws ApplicationFailure of type `Refused`, with psrpc's code as its detail
 */
export async function changeStreams(
  state: RecordingState,
  keeper: RecordKeeper,
  change: StreamChange,
): Promise<RecordFacts> {
  const what = JSON.stringify(change) ?? '';
  const known = state.streamsChange;
  if (known?.what === what && isAskedAgain(known)) {
    await condition(() => known.answeredAtMs !== undefined);
    if (known.refusal) throw refused(known.refusal.code, known.refusal.message);
    return answerOf(state);
  }
  const mine: AskedChange = { what, askedAtMs: Date.now() };
  state.streamsChange = mine;
  try {
    return await changeOnce(state, keeper, change);
  } catch (error) {
    if (error instanceof ApplicationFailure) {
      const [code] = error.details ?? [];
      if (typeof code === 'string') mine.refusal = { code, message: error.message };
    }
    throw error;
  } finally {
    mine.answeredAtMs = Date.now();
  }
}

function isAskedAgain({ askedAtMs, answeredAtMs }: AskedChange): boolean {
  if (answeredAtMs === undefined) return true;
  return answeredAtMs - askedAtMs >= GIVES_UP_MS && Date.now() - answeredAtMs < ASKS_AGAIN_MS;
}

function answerOf(state: RecordingState): RecordFacts {
  return state.cancelled ? asStopping(state.record()) : state.record();
}

async function changeOnce(state: RecordingState, keeper: RecordKeeper, change: StreamChange): Promise<RecordFacts> {
  // A start under way takes the URLs it left with: its answer tells whether to ask the worker or the request. One change after the other.
  const isBusy = () => (state.attempts.isStarting || state.isChangingStreams) && !state.isEnded;
  while (isBusy()) await condition(() => !isBusy());
  if (state.isEnded) throw refused('failed_precondition', `the recording is ${state.view.stage}`);
  state.isChangingStreams = true;
  let isStopped = false;
  try {
    isStopped = await makeChange(state, change);
  } finally {
    state.isChangingStreams = false;
  }
  // What is answered is what LiveKit's list says from now on.
  await condition(() => keeper.isUpToDate && (!isStopped || state.isEnded));
  return answerOf(state);
}

/** @returns whether nothing is left to be made, and no worker is there to end it */
async function makeChange(state: RecordingState, change: StreamChange): Promise<boolean> {
  const wanted = await changed(streams.changeWantedStreams({ ...change, wire: state.wire }));
  const egressId = state.part?.end ? undefined : state.part?.egressId;
  if (egressId !== undefined) {
    const { report } = await changed(streams.changeRunningStreams({ ...change, egressId }));
    // A worker ends with its last output, and nothing may follow it.
    if (wanted.isEmpty) {
      state.stop();
      state.enter('stopping');
    }
    if (report) state.heard(report);
  }
  const isStopped = wanted.isEmpty === true && egressId === undefined;
  if (isStopped) state.stop();
  else if (wanted.wire !== undefined) state.nextWire(wanted.wire);
  return isStopped;
}

async function changed(answer: Promise<StreamsChanged>): Promise<Extract<StreamsChanged, { kind: 'changed' }>> {
  const result = await answer.catch((error: unknown) => {
    throw refused('unavailable', problemOf(error));
  });
  if (result.kind === 'refused') throw refused(result.code, result.message);
  return result;
}

function refused(code: string, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type: 'Refused', message, details: [code], nonRetryable: true });
}
