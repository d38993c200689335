// Watches one part of a recording to its end: by itself, by cancel, by maxDuration, or because its worker died. What an end means
// is decided in recording/end-outcome.ts, what a look means in recording/loss.ts.
import { condition } from '@temporalio/workflow';
import type { PartInspection, RoomState } from '../activities/contract.ts';
import { defined } from '../common/defined.ts';
import {
  deadlineSlackMs,
  SHORT_PART_MS,
  STOP_LIMIT_MS,
  STOP_WAIT_MS,
  stopRecheckMs,
  unansweredRecheckMs,
} from '../recording/delays.ts';
import { classifyEnd } from '../recording/end-outcome.ts';
import { doubtRecheckMs, judgeSighting, type Verdict } from '../recording/loss.ts';
import { HANG_LIMIT_MS, judgeStart } from '../recording/no-media.ts';
import { roomOf } from '../recording/source.ts';
import { ask } from './calls.ts';
import { startHandOver } from './hand-over.ts';
import { keepPart } from './keep-parts.ts';
import { type End, type GivenUp, type RecordingState, until } from './recording-state.ts';
import { stopStrangers, tryStop } from './stops.ts';
import type { Doubt, Stopping, Watch } from './watch.ts';

interface PartResult {
  /** Absent: the recording goes on with a next part. */
  end?: End;
  /** Its source is away: how it ends unless that comes. */
  unlessItComes?: End;
  message: string;
  /** It failed soon after its start. */
  short: boolean;
  /** Another part is the present one now. */
  handedOver?: true;
}

export async function untilPartEnds(state: RecordingState): Promise<PartResult> {
  const supervised = await supervise(state);
  if (supervised.handedOver) return { message: 'another worker goes on with it', short: false, handedOver: true };
  const hasEarlierFiles = state.hasFiles;
  const egress = state.ended ?? null;
  state.closePart(egress, supervised.givenUp);
  keepPart(state);
  const hung = supervised.givenUp?.status === 'HUNG';
  const { request } = state.input;
  const room = supervised.stopping || egress?.roomGone ? 'gone' : await roomAfterwards(state);
  // Nobody could say whether it lives until the recording was over anyway.
  const stopping = supervised.stopping ?? (room === undefined ? stopReason(state) : undefined);
  if (stopping === 'paused') {
    if (state.part?.startedAtMs === undefined) state.forgetPart();
    return { message: 'it was paused', short: false };
  }
  const hasRecorded = state.view.startedAtMs !== undefined;
  const facts = { source: request.source, egress, room: room ?? 'gone', hasEarlierFiles, hasRecorded, hung } as const;
  const outcome = classifyEnd({ ...facts, ...(stopping && { stopping }) });
  const { acceptedAtMs = 0, endedAtMs = 0 } = state.part ?? {};
  const short = hung || endedAtMs - acceptedAtMs < SHORT_PART_MS;
  const { message } = outcome;
  if (outcome.kind === 'next_part') return { message, short };
  if (outcome.kind === 'source_away') {
    const { kind: stage, reason } = outcome.otherwise;
    return { unlessItComes: { stage, reason, message }, message, short };
  }
  const stage = outcome.reason === 'cancelled' ? 'cancelled' : outcome.kind;
  return { end: { stage, reason: outcome.reason, message }, message, short };
}

/** @returns undefined when the recording is over before LiveKit says it */
async function roomAfterwards(state: RecordingState): Promise<RoomState | undefined> {
  const isOver = () => stopReason(state) !== undefined;
  for (let look = 1; !isOver(); look += 1) {
    const said = await ask(state, 'inspectRoom', state.place, { isOver, byMs: state.endDeadlineMs() });
    if ('answer' in said) return said.answer.room;
    state.noteProblem(`LiveKit did not say whether the room lives: ${said.problem}`);
    const againAtMs = Math.min(Date.now() + unansweredRecheckMs(look), state.endDeadlineMs());
    await until(state, isOver, againAtMs, 'until LiveKit is asked again');
  }
  return undefined;
}

interface Supervised {
  stopping?: Stopping;
  givenUp?: GivenUp;
  handedOver?: true;
}

/** Waits for the end of the part: by itself, by cancel, by maxDuration, or because it is given up. */
async function supervise(state: RecordingState): Promise<Supervised> {
  state.watch ??= { doubt: { looks: 0, unanswered: 0 } };
  const { watch } = state;
  const { doubt } = watch;
  while (true) {
    if (state.watch !== watch) return { handedOver: true };
    if (state.wantsHandOver) startHandOver(state);
    const why = whyStopped(state, watch);
    const stopping = why && { stopping: why };
    if (state.ended) return { ...stopping };
    if (why && !watch.stopped) {
      watch.stopped = { why, sinceMs: Date.now(), looks: 1 };
      const answered = state.inBackground([stopEgress(state, why, STOP_WAIT_MS)]);
      // A worker may report the end and never answer the stop.
      await Promise.race([answered, condition(() => state.ended !== undefined || state.look !== undefined)]);
      watch.lookAtMs = watch.stopped.sinceMs + stopRecheckMs(1);
    }
    const { stopped, lookAtMs = Infinity } = watch;
    await untilNews(state, lookAtMs, stopped !== undefined);
    await state.handOver();
    const isOver = () =>
      state.watch !== watch || state.ended !== undefined || (!stopped && stopReason(state) !== undefined);
    await Promise.race([stopStrangers(state), condition(isOver)]);
    if (isOver() || (state.look === undefined && Date.now() < lookAtMs)) continue;
    const sighting = await lookAtPart(state, watch, {
      isOver,
      byMs: stopped ? stopped.sinceMs + STOP_LIMIT_MS : state.endDeadlineMs(),
    });
    if (isOver()) continue;
    const { verdict, evidence } = sighting;
    if (verdict === 'lost') return { ...stopping, givenUp: { status: 'LOST', evidence } };
    if (stopped && Date.now() - stopped.sinceMs >= STOP_LIMIT_MS) {
      return { ...stopping, givenUp: { status: 'LOST', evidence: 'it did not end after it was stopped' } };
    }
    if (verdict === 'hung') {
      const stopAnswered = state.inBackground([stopHung(state)]);
      await Promise.race([stopAnswered, condition(() => state.ended !== undefined || stopReason(state) !== undefined)]);
      if (stopReason(state) === undefined) return { givenUp: { status: 'HUNG', evidence } };
      continue;
    }
    // An egress that is finishing its file needs no second stop; one that missed the first does.
    if (stopped) {
      if (stopped.looks === 1 && stopped.why !== 'paused') state.stopLasts();
      await stopEgress(state, stopped.why);
      stopped.looks += 1;
    }
    watch.lookAtMs = nextLookMs(verdict, doubt, stopped?.looks);
  }
}

/** Media may flow before the start is answered, and the time counts from there: no reason for another timer. */
const BEFORE_ANSWER_MS = 250;

/** Until the part has ended, somebody asks for a look, or it is time for one. */
async function untilNews(state: RecordingState, lookAtMs: number, stopped: boolean): Promise<void> {
  const slackMs = deadlineSlackMs(state.input.request.maxDuration);
  const deadlineMs = () => state.endDeadlineMs() + slackMs;
  const isSooner = () => deadlineMs() + Math.min(slackMs, BEFORE_ANSWER_MS) < wakeAtMs;
  const wakeAtMs = stopped ? lookAtMs : Math.min(lookAtMs, deadlineMs());
  const { watch } = state;
  await until(
    state,
    () =>
      state.ended !== undefined ||
      state.look !== undefined ||
      state.attempts.strangers.size > 0 ||
      state.mayHandOver ||
      state.watch !== watch ||
      state.wantsHandOver ||
      (!stopped && (state.cancelled || state.isPaused || isSooner())),
    wakeAtMs,
    stopped ? 'until the egress has ended' : 'until maxDuration',
  );
}

/** @returns unix ms; undefined when only a signal makes us look */
function nextLookMs(verdict: Sighted['verdict'], doubt: Doubt, stopLooks: number | undefined): number | undefined {
  const doubtMs =
    verdict === 'unsure'
      ? doubtRecheckMs(doubt.looks)
      : verdict === 'unanswered'
        ? unansweredRecheckMs(doubt.unanswered)
        : verdict === 'late'
          ? HANG_LIMIT_MS
          : Infinity;
  const stopMs = stopLooks === undefined ? Infinity : stopRecheckMs(stopLooks);
  const inMs = Math.min(doubtMs, stopMs);
  return inMs === Infinity ? undefined : Date.now() + inMs;
}

function stopReason(state: RecordingState): Stopping | undefined {
  if (state.asked) return state.asked;
  if (Date.now() >= state.endDeadlineMs()) return 'max_duration';
  return state.isPaused ? 'paused' : undefined;
}

/** Whoever ends a recording that is about to pause is waiting for its end. */
function whyStopped(state: RecordingState, { stopped }: Watch): Stopping | undefined {
  if (stopped?.why === 'paused' && state.asked) {
    stopped.why = state.asked;
    state.enter('stopping');
  }
  return stopped?.why ?? stopReason(state);
}

/** Its worker is passed over from here on. Who does not hear it is stopped wherever it shows. */
async function stopHung(state: RecordingState): Promise<void> {
  const { egressId = '', worker } = state.part ?? {};
  const hungOn = worker && { fleet: state.input.fleet, topic: worker.topic };
  await tryStop(state, { egressId, ...defined({ hungOn }) });
  if (!state.ended) state.attempts.giveUp(egressId);
}

async function stopEgress(state: RecordingState, why: Stopping, waitMs = 0): Promise<void> {
  if (why !== 'paused') state.enter('stopping');
  const problem = await tryStop(state, { egressId: state.part?.egressId ?? '', ...(waitMs > 0 ? { waitMs } : {}) });
  if (problem) state.noteProblem(`the stop was not confirmed: ${problem}`);
}

function note(doubt: Doubt, verdict: Verdict): void {
  if (verdict === 'alive') delete doubt.sinceMs;
  else doubt.sinceMs ??= Date.now();
  doubt.looks = verdict === 'alive' ? 0 : doubt.looks + 1;
  doubt.unanswered = 0;
}

/** late, hung: it lives, and does not record although somebody publishes. */
type Sighted = { verdict: Verdict | 'unanswered' | 'late' | 'hung'; evidence: string };

async function lookAtPart(
  state: RecordingState,
  watch: Watch,
  until: { isOver: () => boolean; byMs: number },
): Promise<Sighted> {
  state.look = undefined;
  const said = await ask(state, 'inspectPart', state.inspectionOf(state.part ?? {}), until);
  if ('answer' in said) return judgePart(state, watch, said.answer);
  if (!until.isOver()) state.noteProblem(`nobody could look at the egress: ${said.problem}`);
  watch.doubt.unanswered += 1;
  return { verdict: 'unanswered', evidence: said.problem };
}

function judgePart(state: RecordingState, watch: Watch, seen: PartInspection): Sighted {
  const { doubt } = watch;
  const { inRoom, onWorker, room, layout, workerEndsAtMs, publishes } = seen;
  const { part } = state;
  const { request } = state.input;
  const egressId = part?.egressId ?? '';
  state.noteLayout(layout);
  if (part && workerEndsAtMs !== undefined) part.workerEndsAtMs = workerEndsAtMs;
  const ageMs = Date.now() - (part?.acceptedAtMs ?? 0);
  const hasRoom = roomOf(request.source) !== undefined;
  const mayUpload = watch.stopped !== undefined;
  const verdict = judgeSighting({
    mayUpload,
    roomGone: room === 'gone',
    inRoom,
    onWorker,
    hasRoom,
    ageMs,
    doubtForMs: Date.now() - (doubt.sinceMs ?? Date.now()),
  });
  note(doubt, verdict);
  if (verdict === 'lost') {
    // Should it live on after all, it must not record beside its successor.
    if (onWorker === 'dead') state.attempts.leftTheRoom(egressId);
    else state.attempts.giveUp(egressId);
  }
  const begins = verdict === 'alive' && !mayUpload ? judgeBegin(state, watch, { ageMs, publishes }) : undefined;
  if (begins) return { verdict: begins, evidence: `${egressId} does not record although somebody publishes` };
  return { verdict, evidence: `${egressId} is ${WHERE[onWorker]}${hasRoom && !inRoom ? ' and not in the room' : ''}` };
}

/** Of one that lives. */
function judgeBegin(
  state: RecordingState,
  watch: Watch,
  seen: { ageMs: number; publishes: boolean | undefined },
): 'late' | 'hung' | undefined {
  const { part } = state;
  if (!part || part.startedAtMs !== undefined) return undefined;
  if (seen.publishes) watch.publishedSinceMs ??= Date.now();
  else delete watch.publishedSinceMs;
  const verdict = judgeStart({ ...seen, publishedForMs: Date.now() - (watch.publishedSinceMs ?? Date.now()) });
  if (verdict === 'awaiting') part.awaitsMediaSinceMs ??= Date.now();
  else delete part.awaitsMediaSinceMs;
  state.show();
  return verdict === 'late' || verdict === 'hung' ? verdict : undefined;
}

const WHERE = {
  yes: 'on a worker',
  no: 'on no worker',
  dead: 'gone with its worker',
  unknown: 'on a worker that does not answer',
} as const;
