// What the end of an egress means for its recording. One pure function over LiveKit's final record and what is known of the room.
import type { EgressSnapshot } from './egress.ts';
import type { RecordingSource } from './request.ts';
import { identityOf } from './source.ts';
import type { EndReason } from './stage.ts';

export interface EndFacts {
  source: RecordingSource;
  /** LiveKit's final record; null when the worker died and none will come. */
  egress: EgressSnapshot | null;
  /** We asked it to stop, and why. */
  stopping?: Stopping;
  room: 'alive' | 'gone';
  /** An earlier part left a file. */
  hasEarlierFiles?: boolean;
  /** It was given up: somebody published, and it did not record. */
  hung?: boolean;
  /** Media flowed once, in this part or an earlier one. */
  hasRecorded?: boolean;
}

type Stopping = 'stopped' | 'cancelled' | 'max_duration' | 'participants_left';

interface Ended {
  kind: 'completed' | 'failed' | 'expired';
  reason: EndReason;
  message: string;
}

export type EndOutcome =
  | Ended
  | { kind: 'next_part'; message: string }
  /** Its source is not in the room, and may come: then the recording goes on. */
  | { kind: 'source_away'; message: string; otherwise: Ended };

const END_REASON_PREFIX = 'End reason: ';
const STOPPED_BY_API = 'StopEgress API';
const SOURCE_CLOSED = 'Source closed';

export function classifyEnd(facts: EndFacts): EndOutcome {
  const { egress } = facts;
  if (facts.stopping) return classifyStopped(facts, facts.stopping);
  // Whatever it says when it is stopped.
  if (facts.hung) return continueOr(facts, 'egress_failed', 'its worker did not record although somebody published');
  if (!egress) return continueOr(facts, 'worker_lost', 'the worker died while it recorded');
  // Whoever stopped it wants no more of it, whatever became of its file.
  if (egress.status !== 'COMPLETE' && endReasonOf(egress) === STOPPED_BY_API) return classifyStopped(facts, 'stopped');
  switch (egress.status) {
    case 'COMPLETE':
      return classifyComplete(facts, egress);
    case 'LIMIT_REACHED':
      return continueOrFinish(facts, 'the worker reached its session limit');
    case 'ABORTED':
      return classifyAborted(facts, egress);
    default:
      return classifyFailure(facts, egress);
  }
}

/** Cancelling asks for an end, whatever is left; but a file that storage refused is a loss that nobody asked for. */
function classifyStopped(facts: EndFacts, stopping: Stopping): EndOutcome {
  const { egress } = facts;
  const isEmpty = !hasFile(egress) && !facts.hasEarlierFiles;
  if (egress && isUploadFailure(egress) && (isEmpty || stopping !== 'cancelled')) return notStored(facts, egress);
  const flaw = flawOfStopped(egress);
  const after = flaw === undefined ? '' : `; ${flaw}`;
  if (stopping === 'cancelled')
    return { kind: 'completed', reason: 'cancelled', message: `stopped on request${after}` };
  if (egress?.status === 'ABORTED' && isEmpty) {
    if (stopping !== 'stopped') return nothingToRecord(WHAT_STOPPED[stopping]);
    return { kind: 'completed', reason: 'cancelled', message: 'stopped through LiveKit before it recorded' };
  }
  if (flaw !== undefined && isEmpty) {
    return { kind: 'failed', reason: egress ? 'egress_failed' : 'worker_lost', message: flaw };
  }
  return { kind: 'completed', reason: stopping, message: `${WHAT_STOPPED[stopping]}${after}` };
}

const WHAT_STOPPED = {
  stopped: 'stopped through LiveKit',
  max_duration: 'stopped at its maximum duration',
  participants_left: 'stopped because its participants had left',
} as const;

function flawOfStopped(egress: EgressSnapshot | null): string | undefined {
  if (!egress) return 'the worker died before it finished the file';
  const failed = egress.status === 'FAILED' || egress.status === 'ABORTED';
  return failed ? `the egress failed: ${words(egress)}` : undefined;
}

/** COMPLETE says the file is whole, not that the recording is: the details tell who ended it. */
function classifyComplete(facts: EndFacts, egress: EgressSnapshot): EndOutcome {
  const why = endReasonOf(egress);
  switch (why) {
    case STOPPED_BY_API:
      return { kind: 'completed', reason: 'stopped', message: 'somebody stopped the egress on its worker' };
    case 'All streams stopped':
      return { kind: 'completed', reason: 'stopped', message: 'its last stream was taken away' };
    case 'Process killed':
    case 'CPU exhausted':
    case 'Session limit reached':
    case 'Failure':
      return continueOrFinish(facts, `the worker ended the egress early: ${why}`);
    default:
      return sourceClosed(facts, why);
  }
}

/**
 * A participant that left or a track that ended is the end of what was asked for, and so is what a page or a template of the user's
 * own decides. LiveKit's template ends when it loses the room: while the room lives on, the recording does, too.
 */
function sourceClosed(facts: EndFacts, why: string): EndOutcome {
  const { source } = facts;
  const finished = (message: string): Ended => ({ kind: 'completed', reason: 'finished', message });
  if (source.type === 'web') return finished(why ? `the page ended: ${why}` : 'the page ended');
  if (identityOf(source) !== undefined) return unlessItReturns(facts, finished('the participant left'));
  // A track that is published again is another one.
  if (source.type !== 'room') return finished('the track ended');
  if (endsItself(source) && why === SOURCE_CLOSED) return finished('its template ended the recording');
  return continueOrFinish(facts, 'the egress lost the room while the room lived on');
}

function unlessItReturns(facts: EndFacts, otherwise: Ended): EndOutcome {
  return facts.room === 'alive' ? { kind: 'source_away', message: otherwise.message, otherwise } : otherwise;
}

function endsItself(source: RecordingSource): boolean {
  return source.type === 'room' && source.customBaseUrl !== undefined;
}

/** It never began: nobody published, or the page never said that it is ready. */
function classifyAborted(facts: EndFacts, egress: EgressSnapshot): EndOutcome {
  const templateEnded = endsItself(facts.source) && endReasonOf(egress) === SOURCE_CLOSED;
  if (facts.room === 'alive' && !templateEnded) return { kind: 'next_part', message: words(egress) };
  const what = templateEnded ? 'its template ended the recording' : 'the room ended';
  if (!facts.hasEarlierFiles) return nothingToRecord(what);
  return { kind: 'completed', reason: 'finished', message: `${what}; nobody published after the last part` };
}

function nothingToRecord(what: string): Ended {
  return { kind: 'expired', reason: 'nothing_to_record', message: `${what} before anybody published` };
}

/** Codes: facts of LiveKit, section 4. Unknown ones are tried again; the number of tries is bounded elsewhere. */
function classifyFailure(facts: EndFacts, egress: EgressSnapshot): EndOutcome {
  if (isUploadFailure(egress)) return classifyNotStored(facts, egress);
  const message = `the egress failed: ${words(egress)}`;
  const error = egress.error ?? '';
  if (egress.errorCode === 404) return sourceMissing(facts, egress);
  if (egress.errorCode === 400 && /missing or invalid|invalid field|unsupported/i.test(error)) {
    return { kind: 'failed', reason: 'refused', message };
  }
  if (egress.errorCode === 403 && /disabled|not enabled|feature/i.test(error)) {
    return { kind: 'failed', reason: 'refused', message };
  }
  return continueOr(facts, 'egress_failed', message);
}

/** After media flowed a worker says 400 of nothing but its storage (livekit/egress `errors.ErrUploadFailed`). */
function isUploadFailure({ status, errorCode, startedAtMs }: EgressSnapshot): boolean {
  return status === 'FAILED' && errorCode === 400 && startedAtMs !== undefined;
}

/** The file is lost; whether more is to be recorded is another matter, and who ended the egress tells. */
function classifyNotStored(facts: EndFacts, egress: EgressSnapshot): EndOutcome {
  const why = endReasonOf(egress);
  const ended = why === SOURCE_CLOSED ? sourceClosed(facts, why) : continueOrFinish(facts, NOT_STORED);
  if (ended.kind === 'next_part') return { kind: 'next_part', message: notStoredWords(egress) };
  if (ended.kind === 'source_away') return unlessItReturns(facts, notStored(facts, egress));
  return notStored(facts, egress);
}

function notStored(facts: EndFacts, egress: EgressSnapshot): Ended {
  const kept = hasFile(egress) || facts.hasEarlierFiles;
  return { kind: kept ? 'completed' : 'failed', reason: 'upload_failed', message: notStoredWords(egress) };
}

const NOT_STORED = 'the file could not be stored';

function notStoredWords(egress: EgressSnapshot): string {
  return `${NOT_STORED}: ${egress.error ?? words(egress)}`;
}

/** Before the first part it is waited for; what was recorded may come back if it is a participant. */
function sourceMissing(facts: EndFacts, egress: EgressSnapshot): EndOutcome {
  const message = egress.error ?? words(egress);
  if (!facts.hasRecorded) return unlessItReturns(facts, { kind: 'expired', reason: 'source_missing', message });
  const end: Ended = facts.hasEarlierFiles
    ? { kind: 'completed', reason: 'finished', message: `its source left before another part could begin: ${message}` }
    : { kind: 'failed', reason: 'source_missing', message };
  return identityOf(facts.source) === undefined ? end : unlessItReturns(facts, end);
}

function continueOrFinish(facts: EndFacts, message: string): EndOutcome {
  if (facts.room === 'alive') return { kind: 'next_part', message };
  return { kind: 'completed', reason: 'finished', message: 'the room ended' };
}

/** With the room gone nothing can follow: what is on file decides. */
function continueOr(facts: EndFacts, reason: EndReason, message: string): EndOutcome {
  if (facts.room === 'alive') return { kind: 'next_part', message };
  if (!hasFile(facts.egress) && !facts.hasEarlierFiles) return { kind: 'failed', reason, message };
  const flaw = hasFile(facts.egress) ? 'its last file may be cut short' : 'the last part has no file';
  return { kind: 'completed', reason: 'finished', message: `the room ended; ${flaw}: ${message}` };
}

function hasFile(egress: EgressSnapshot | null): boolean {
  return egress?.files.some((file) => file.sizeBytes > 0) ?? false;
}

function endReasonOf({ details }: EgressSnapshot): string {
  return (details ?? '').replace(END_REASON_PREFIX, '');
}

function words(egress: EgressSnapshot): string {
  const code = egress.errorCode ? `${egress.errorCode} ` : '';
  return `${code}${egress.error ?? egress.details ?? egress.status}`;
}
