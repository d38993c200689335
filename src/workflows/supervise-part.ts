// Watches one part of a recording to its end: by itself, by cancel, by maxDuration, or because its worker died. What an end means
// is decided in recording/end-outcome.ts, what a look means in recording/loss.ts.
import { condition, log } from '@temporalio/workflow';
import { deadlineSlackMs, SHORT_PART_MS, STOP_LIMIT_MS, STOP_WAIT_MS, stopRecheckMs } from '../recording/delays.ts';
import { classifyEnd } from '../recording/end-outcome.ts';
import { doubtRecheckMs, judgeSighting, type Verdict } from '../recording/loss.ts';
import { roomOf } from '../recording/source.ts';
import { calls, problemOf, stop } from './calls.ts';
import { type End, type RecordingState, type StopAsked, until } from './recording-state.ts';

interface PartResult {
  /** Absent: the recording goes on with a next part. */
  end?: End;
  /** Its source is away: how it ends unless that comes. */
  unlessItComes?: End;
  message: string;
  /** It failed soon after its start. */
  short: boolean;
}

export async function untilPartEnds(state: RecordingState): Promise<PartResult> {
  const { stopping, lost } = await supervise(state);
  const hasEarlierFiles = state.hasFiles;
  const egress = state.ended ?? null;
  state.closePart(egress, lost);
  const { request } = state.input;
  const room = stopping || egress?.roomGone ? 'gone' : (await calls.inspectRoom(state.place)).room;
  const hasRecorded = state.view.startedAtMs !== undefined;
  const facts = { source: request.source, egress, room, hasEarlierFiles, hasRecorded } as const;
  const outcome = classifyEnd({ ...facts, ...(stopping && { stopping }) });
  const { acceptedAtMs = 0, endedAtMs = 0 } = state.part ?? {};
  const short = endedAtMs - acceptedAtMs < SHORT_PART_MS;
  const { message } = outcome;
  if (outcome.kind === 'next_part') return { message, short };
  if (outcome.kind === 'source_away') {
    const { kind: stage, reason } = outcome.otherwise;
    return { unlessItComes: { stage, reason, message }, message, short };
  }
  const stage = outcome.reason === 'cancelled' ? 'cancelled' : outcome.kind;
  return { end: { stage, reason: outcome.reason, message }, message, short };
}

type Stopping = StopAsked | 'max_duration';

/** Waits for the end of the part: by itself, by cancel, by maxDuration, or because its worker died. */
async function supervise(state: RecordingState): Promise<{ stopping?: Stopping; lost?: string }> {
  const doubt = new Doubt();
  let stopped: { why: Stopping; sinceMs: number; looks: number } | undefined;
  let lookAtMs = Infinity;
  while (true) {
    const why = stopped?.why ?? stopReason(state);
    const stopping = why && { stopping: why };
    if (state.ended) return { ...stopping };
    if (why && !stopped) {
      stopped = { why, sinceMs: Date.now(), looks: 1 };
      state.stopAnswered = stopEgress(state, STOP_WAIT_MS);
      // A worker may report the end and never answer the stop.
      await Promise.race([state.stopAnswered, condition(() => state.ended !== undefined || state.look !== undefined)]);
      lookAtMs = stopped.sinceMs + stopRecheckMs(1);
    }
    await untilNews(state, lookAtMs, stopped !== undefined);
    await stopStrangers(state);
    if (state.ended || (state.look === undefined && Date.now() < lookAtMs)) continue;
    const sighting = await lookAtPart(state, doubt);
    if (state.ended) continue;
    if (sighting.verdict === 'lost') return { ...stopping, lost: sighting.evidence };
    if (stopped && Date.now() - stopped.sinceMs >= STOP_LIMIT_MS) {
      return { ...stopping, lost: 'it did not end after it was stopped' };
    }
    // An egress that is finishing its file needs no second stop; one that missed the first does.
    if (stopped) {
      if (stopped.looks === 1) state.stopLasts();
      await stopEgress(state);
      stopped.looks += 1;
    }
    lookAtMs = nextLookMs(sighting.verdict === 'unsure' ? doubt.looks : undefined, stopped?.looks);
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
  await until(
    state,
    () =>
      state.ended !== undefined ||
      state.look !== undefined ||
      state.attempts.strangers.size > 0 ||
      (!stopped && (state.cancelled || isSooner())),
    wakeAtMs,
    stopped ? 'until the egress has ended' : 'until maxDuration',
  );
}

/** @returns unix ms; Infinity when only a signal makes us look */
function nextLookMs(doubts: number | undefined, stopLooks: number | undefined): number {
  const doubtMs = doubts === undefined ? Infinity : doubtRecheckMs(doubts);
  const stopMs = stopLooks === undefined ? Infinity : stopRecheckMs(stopLooks);
  return Date.now() + Math.min(doubtMs, stopMs);
}

function stopReason(state: RecordingState): Stopping | undefined {
  if (state.asked) return state.asked;
  return Date.now() >= state.endDeadlineMs() ? 'max_duration' : undefined;
}

async function stopEgress(state: RecordingState, waitMs = 0): Promise<void> {
  state.enter('stopping');
  const problem = await tryStop(state, state.part?.egressId ?? '', waitMs);
  if (problem) state.noteProblem(`the stop was not confirmed: ${problem}`);
}

/** How long looks have been in doubt whether the egress lives. */
class Doubt {
  private sinceMs: number | undefined;
  looks = 0;

  get forMs(): number {
    return this.sinceMs === undefined ? 0 : Date.now() - this.sinceMs;
  }

  note(verdict: Verdict): void {
    this.sinceMs = verdict === 'alive' ? undefined : (this.sinceMs ?? Date.now());
    this.looks = verdict === 'alive' ? 0 : this.looks + 1;
  }
}

async function lookAtPart(state: RecordingState, doubt: Doubt): Promise<{ verdict: Verdict; evidence: string }> {
  state.look = undefined;
  const { part } = state;
  const { request, fleet } = state.input;
  const egressId = part?.egressId ?? '';
  const { inRoom, onWorker, room, layout, workerEndsAtMs } = await calls.inspectPart({
    egressId,
    identity: state.attempts.identityOf(egressId),
    fleet,
    ...state.place,
    ...(part?.worker ? { worker: part.worker } : {}),
  });
  state.noteLayout(layout);
  if (part && workerEndsAtMs !== undefined) part.workerEndsAtMs = workerEndsAtMs;
  const ageMs = Date.now() - (part?.acceptedAtMs ?? 0);
  const hasRoom = roomOf(request.source) !== undefined;
  const mayUpload = state.view.stage === 'stopping';
  const verdict = judgeSighting({
    mayUpload,
    roomGone: room === 'gone',
    inRoom,
    onWorker,
    hasRoom,
    ageMs,
    doubtForMs: doubt.forMs,
  });
  doubt.note(verdict);
  if (verdict === 'lost') {
    // Should it live on after all, it must not record beside its successor.
    if (onWorker === 'dead') state.attempts.leftTheRoom(egressId);
    else state.attempts.giveUp(egressId);
  }
  return { verdict, evidence: `${egressId} is ${WHERE[onWorker]}${hasRoom && !inRoom ? ' and not in the room' : ''}` };
}

const WHERE = {
  yes: 'on a worker',
  no: 'on no worker',
  dead: 'gone with its worker',
  unknown: 'on a worker that does not answer',
} as const;

export async function stopStrangers(state: RecordingState): Promise<void> {
  for (const egressId of [...state.attempts.strangers]) {
    state.attempts.strangers.delete(egressId);
    log.warn('another egress runs for the same recording and is stopped', { recordingId: state.view.id, egressId });
    if (await tryStop(state, egressId)) state.attempts.stopFailed(egressId);
  }
}

/** @returns why nobody confirmed it */
async function tryStop(state: RecordingState, egressId: string, waitMs = 0): Promise<string | undefined> {
  try {
    const report = await stop.stopPart({ egressId, ...(waitMs > 0 ? { waitMs } : {}) });
    if (report) state.heard(report);
    return undefined;
  } catch (error) {
    return problemOf(error);
  }
}
