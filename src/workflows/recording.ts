// One recording, from request to file: the order of steps and nothing else. What an answer means is decided in recording/,
// what is done in activities/. States and what leaves them:
//   scheduled  until startAt, or cancelled
//   starting   a worker is asked, or accepted and no media flows yet; seconds
//   waiting    for capacity, the room or the source; until admitted, startWithin ends (expired), the room ends (expired), cancelled
//   recording  until the egress ends, maxDuration, cancelled; a part that ends too early leads back to starting
//   paused     until resumed, cancelled, its room ends, maxDuration
//   stopping   StopEgress is out; until the egress has ended
// An ended recording stays open until LiveKit's record says so too; it is no demand any more.
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  makeContinueAsNewFunc,
  setHandler,
  setWorkflowOptions,
  workflowInfo,
} from '@temporalio/workflow';
import { resetOffset } from '../recording/attempt.ts';
import { requestedAt } from '../recording/clock.ts';
import { ABORT_LIMIT_MS, MAX_PARTS, MAX_SHORT_PARTS, nextPartDelayMs } from '../recording/delays.ts';
import { whyNotPause } from '../recording/pauses.ts';
import { asStopping } from '../recording/record-state.ts';
import type { StreamChange } from '../recording/streams.ts';
import type { RecordingView } from '../recording/view.ts';
import { Announcer } from './announcer.ts';
import { awaitSource } from './await-source.ts';
import { ask } from './calls.ts';
import { changeStreams } from './change-streams.ts';
import { giveUpSuccessor } from './hand-over.ts';
import { putTogether, settleFiles } from './keep-parts.ts';
import {
  type Admission,
  admittedSignal,
  admittedUpdate,
  cancelSignal,
  cancelUpdate,
  extendSignal,
  extendUpdate,
  layoutSignal,
  lookSignal,
  participantsLeftSignal,
  pauseSignal,
  pauseUpdate,
  type RecordingInput,
  reportSignal,
  resumeSignal,
  resumeUpdate,
  stopUpdate,
  streamsUpdate,
  viewQuery,
} from './messages.ts';
import { untilResumed } from './paused.ts';
import { RecordKeeper } from './record-keeper.ts';
import { type End, RecordingState, until } from './recording-state.ts';
import { startPart } from './start-part.ts';
import { stopStrangers } from './stops.ts';
import { untilPartEnds } from './supervise-part.ts';

export async function recording(asked: RecordingInput): Promise<RecordingView> {
  const keptAtMs = workflowInfo().startTime.getTime();
  const input = { ...asked, requestedAtMs: requestedAt(asked.requestedAtMs, keptAtMs) };
  const state: RecordingState = new RecordingState(input, attemptOffset(), {
    isLong: () => isHistoryLong(input, keeper),
    isTold: () => keeper.isUpToDate,
    handOver: goOnAnew,
  });
  const keeper: RecordKeeper = new RecordKeeper(state);
  listen(state, keeper);
  // Cancelling the workflow itself, as the Web UI offers, is a cancel like any other: the file is finished and kept.
  CancellationScope.current().cancelRequested.catch(() => {
    state.cancel(undefined);
  });
  return CancellationScope.nonCancellable(async () => {
    state.show();
    const announcer = new Announcer(state);
    await untilDue(state);
    // LiveKit has the record of what it asked for, and has yet to hear of everything else.
    if (!state.cancelled || state.isListed) keeper.start();
    const ended = await record(state);
    await giveUpSuccessor(state);
    await stopStrangers(state);
    const end = await putTogether(state, ended);
    // What LiveKit or receivers have yet to hear keeps the workflow open.
    const isBehind = !keeper.isUpToDate || input.receivers !== undefined;
    state.finish(end);
    if (isBehind) state.endLasts();
    await Promise.all([announcer.finish(), keeper.finish(), settleFiles(state)]);
    await condition(() => allHandlersFinished() && state.isQuiet);
    return state.view;
  });
}
// A recording ends on the code it began with. Temporal refuses the option from a Temporal worker that is not versioned.
setWorkflowOptions(
  () => (workflowInfo().currentDeploymentVersion?.deploymentName ? { versioningBehavior: 'PINNED' } : {}),
  recording,
);

function attemptOffset(): number {
  const { runId, originalExecutionRunId } = workflowInfo();
  return runId === originalExecutionRunId ? 0 : resetOffset(runId);
}

/** Beside the server's own suggestion, which comes with 4,096 events or 1,800 updates; it ends a workflow with 51,200. */
const LONG_EVENTS = 10_000;
/** Then it is done although LiveKit has yet to be told of something, or somebody waits for an answer. */
const TOO_LONG_EVENTS = 20_000;

function isHistoryLong({ maxEvents = LONG_EVENTS }: RecordingInput, keeper: RecordKeeper): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  if (historyLength >= TOO_LONG_EVENTS) return true;
  return (continueAsNewSuggested || historyLength >= maxEvents) && keeper.isUpToDate && allHandlersFinished();
}

/** In a run with a new history: under the same id, found in the same ways. */
function goOnAnew(input: RecordingInput, queuedSinceMs: number): Promise<never> {
  const { memo = {}, typedSearchAttributes } = workflowInfo();
  return makeContinueAsNewFunc<typeof recording>({
    memo: { ...memo, queuedSinceMs },
    typedSearchAttributes: typedSearchAttributes.getAll(),
  })(input);
}

async function record(state: RecordingState): Promise<End> {
  while (true) {
    const notStarted = state.hasOpenPart ? undefined : await startUnlessPaused(state);
    if (notStarted) return notStarted;
    if (!state.hasOpenPart) continue;
    const result = await untilPartEnds(state);
    if (result.handedOver) continue;
    if (result.end) return result.end;
    const { unlessItComes } = result;
    // Whoever reloads a page breaks nothing.
    if (!unlessItComes) state.shortParts = result.short ? state.shortParts + 1 : 0;
    if (state.shortParts >= MAX_SHORT_PARTS || state.view.parts.length >= MAX_PARTS)
      return gaveUp(state, result.message);
    const stayedAway = unlessItComes && (await awaitSource(state, unlessItComes));
    if (stayedAway) return stayedAway;
    if (state.isPaused) continue;
    state.noteProblem(result.message);
    if (state.part) state.view.startDeadlineMs = Date.now() + state.input.request.startWithin;
    await until(
      state,
      () => state.cancelled || state.isPaused,
      Date.now() + nextPartDelayMs(unlessItComes ? Number(result.short) : state.shortParts),
      'pause before the next part',
    );
  }
}

async function startUnlessPaused(state: RecordingState): Promise<End | undefined> {
  const ended = state.isPaused ? await untilResumed(state) : undefined;
  return ended ?? startPart(state);
}

function gaveUp(state: RecordingState, message: string): End {
  const parts = state.view.parts.length;
  const what =
    parts >= MAX_PARTS
      ? `${parts} parts ended early`
      : `${MAX_SHORT_PARTS} parts in a row ended soon after their start`;
  const end = { message: `${what}; the last: ${message}` };
  if (!state.hasFiles) return { stage: 'failed', reason: 'egress_failed', ...end };
  return { stage: 'completed', reason: 'gave_up', ...end };
}

async function untilDue(state: RecordingState): Promise<void> {
  if (state.view.stage !== 'scheduled') return;
  // Whoever is due and finds no worker wakes it as well.
  const { fleet } = state.input;
  const isOver = () => state.cancelled;
  await ask(state, 'wakeFleet', { fleet, why: 'a recording was scheduled' }, { isOver, byMs: state.dueAtMs });
  await until(state, () => state.cancelled || state.mayHandOver, state.dueAtMs, 'until startAt');
  await state.handOver();
  if (!state.cancelled) state.enter('starting');
}

/**
 * Signals may come late, twice, or by hand with anything in them: none of them is ever an error. Updates are answered also when the
 * workflow itself was cancelled.
 */
function listen(state: RecordingState, keeper: RecordKeeper): void {
  // First: a message that came before the workflow runs as soon as its handler is set.
  const refuseWhenEnded = () => {
    if (state.isEnded) throw refusal({ type: 'RecordingEnded', message: `the recording is ${state.view.stage}` });
  };
  setHandler(viewQuery, () => state.view);
  const admit = (admission?: Admission | null) => {
    state.admitted = true;
    state.onto = typeof admission?.onto === 'string' ? admission.onto : undefined;
  };
  setHandler(admittedSignal, admit);
  setHandler(admittedUpdate, admit);
  setHandler(reportSignal, (report) => state.heard(report));
  setHandler(lookSignal, (request) => state.askedToLook(request));
  setHandler(layoutSignal, (layout) => state.noteLayout(layout));
  setHandler(participantsLeftSignal, () => state.participantsLeft());
  setHandler(cancelSignal, (request) => state.cancel(request?.by));
  setHandler(pauseSignal, (request) => state.pause(request?.by));
  setHandler(resumeSignal, () => state.resume());
  setHandler(extendSignal, (extension) => {
    if (!state.whyNotExtend(extension)) state.extend(extension);
  });
  setHandler(
    cancelUpdate,
    (request) =>
      CancellationScope.nonCancellable(async () => {
        const { stage } = state.view;
        state.cancel(request?.by);
        // A recording that only waits moves on at once; one that awaits LiveKit's word is answered as it is.
        if (state.resting && stage !== 'stopping') await condition(() => !state.resting || state.view.stage !== stage);
        return state.view;
      }),
    {
      validator: (_request) => refuseWhenEnded(),
    },
  );
  setHandler(
    pauseUpdate,
    (request) =>
      CancellationScope.nonCancellable(async () => {
        state.pause(request?.by);
        // Its file may take minutes to be stored; from here on nothing more gets into it.
        await condition(() => !state.isPaused || state.view.stage === 'paused' || state.part?.endingAtMs !== undefined);
        return state.view;
      }),
    {
      validator: (_request) => {
        const objection = whyNotPause(state.view);
        if (objection) throw refusal(objection);
      },
    },
  );
  setHandler(
    resumeUpdate,
    () => {
      state.resume();
      return state.view;
    },
    { validator: refuseWhenEnded },
  );
  setHandler(
    stopUpdate,
    () =>
      CancellationScope.nonCancellable(async () => {
        state.stop();
        await condition(() => state.isEnded || state.view.stage === 'stopping');
        // What records is answered at once: LiveKit waits three seconds, and hears of it in its own way, as from any worker.
        const hasRecorded = state.view.startedAtMs !== undefined;
        if (!hasRecorded) await condition(() => state.isEnded && keeper.isUpToDate, ABORT_LIMIT_MS);
        return asStopping(state.record());
      }),
    { validator: refuseWhenEnded },
  );
  const change = (asked: StreamChange) => CancellationScope.nonCancellable(() => changeStreams(state, keeper, asked));
  setHandler(streamsUpdate, change, {
    validator: (_change) => refuseWhenEnded(),
  });
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
