// One recording, from request to file: the order of steps and nothing else. What an answer means is decided in recording/,
// what is done in activities/. States and what leaves them:
//   scheduled  until startAt, or cancelled
//   starting   a worker is asked, or accepted and no media flows yet; seconds
//   waiting    for capacity, the room or the source; until admitted, startWithin ends (expired), the room ends (expired), cancelled
//   recording  until the egress ends, maxDuration, cancelled; a part that ends too early leads back to starting
//   stopping   StopEgress is out; until the egress has ended
// An ended recording stays open until LiveKit's record says so too; it is no demand any more.
import {
  ApplicationFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  setHandler,
  setWorkflowOptions,
  workflowInfo,
} from '@temporalio/workflow';
import { resetOffset } from '../recording/attempt.ts';
import { ABORT_LIMIT_MS, MAX_PARTS, MAX_SHORT_PARTS, nextPartDelayMs } from '../recording/delays.ts';
import { asStopping } from '../recording/record-state.ts';
import type { StreamChange } from '../recording/streams.ts';
import type { RecordingView } from '../recording/view.ts';
import { Announcer } from './announcer.ts';
import { awaitSource } from './await-source.ts';
import { calls } from './calls.ts';
import { changeStreams } from './change-streams.ts';
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
  type RecordingInput,
  reportSignal,
  stopUpdate,
  streamsUpdate,
  viewQuery,
} from './messages.ts';
import { RecordKeeper } from './record-keeper.ts';
import { type End, RecordingState, until } from './recording-state.ts';
import { startPart } from './start-part.ts';
import { stopStrangers, untilPartEnds } from './supervise-part.ts';

export async function recording(input: RecordingInput): Promise<RecordingView> {
  const state = new RecordingState(input, attemptOffset());
  const keeper = new RecordKeeper(state);
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
    if (!state.cancelled || input.origin === 'livekit') keeper.start();
    const end = await record(state);
    await stopStrangers(state);
    // What LiveKit or receivers have yet to hear keeps the workflow open.
    const isBehind = !keeper.isUpToDate || input.receivers !== undefined;
    state.finish(end);
    if (isBehind) state.endLasts();
    await Promise.all([announcer.finish(), keeper.finish()]);
    await state.stopAnswered;
    await condition(allHandlersFinished);
    return state.view;
  });
}
// A recording ends on the code it began with. Temporal refuses the option from a Temporal worker that is not versioned.
setWorkflowOptions(
  () => (workflowInfo().currentDeploymentVersion?.deploymentName ? { versioningBehavior: 'PINNED' } : {}),
  recording,
);

function attemptOffset(): number {
  const { runId, firstExecutionRunId } = workflowInfo();
  return runId === firstExecutionRunId ? 0 : resetOffset(runId);
}

async function record(state: RecordingState): Promise<End> {
  let shortParts = 0;
  while (true) {
    const notStarted = await startPart(state);
    if (notStarted) return notStarted;
    const result = await untilPartEnds(state);
    if (result.end) return result.end;
    shortParts = result.short ? shortParts + 1 : 0;
    const { unlessItComes } = result;
    const isBroken = unlessItComes === undefined && shortParts >= MAX_SHORT_PARTS;
    if (isBroken || state.view.parts.length >= MAX_PARTS) return gaveUp(state, result.message);
    const stayedAway = unlessItComes && (await awaitSource(state, unlessItComes));
    if (stayedAway) return stayedAway;
    state.noteProblem(result.message);
    if (state.part) state.view.startDeadlineMs = Date.now() + state.input.request.startWithin;
    await until(state, () => state.cancelled, Date.now() + nextPartDelayMs(shortParts), 'pause before the next part');
  }
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
  await calls.wakeFleet({ fleet: state.input.fleet, why: 'a recording was scheduled' });
  await until(state, () => state.cancelled, state.dueAtMs, 'until startAt');
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
    stopUpdate,
    () =>
      CancellationScope.nonCancellable(async () => {
        state.stop();
        await condition(() => (state.isEnded || state.view.stage === 'stopping') && keeper.isUpToDate);
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
