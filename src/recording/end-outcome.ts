// What the end of an egress means for its recording. One pure function over LiveKit's final record and what is known of the room.
import type { EgressSnapshot } from './egress.ts';
import type { RecordingSource } from './request.ts';
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
}

type Stopping = 'stopped' | 'cancelled' | 'max_duration';

export type EndOutcome =
  | { kind: 'completed'; reason: EndReason; message: string }
  | { kind: 'next_part'; message: string }
  | { kind: 'failed'; reason: EndReason; message: string };

const END_REASON_PREFIX = 'End reason: ';

export function classifyEnd(facts: EndFacts): EndOutcome {
  const { egress } = facts;
  if (facts.stopping) return classifyStopped(facts, facts.stopping);
  if (!egress) return continueOr(facts, 'worker_lost', 'the worker died while it recorded');
  switch (egress.status) {
    case 'COMPLETE':
      return classifyComplete(facts, egress);
    case 'LIMIT_REACHED':
      return continueOrFinish(facts, 'the worker reached its session limit');
    case 'ABORTED':
      return continueOr(facts, 'egress_failed', `the egress was aborted: ${words(egress)}`);
    default:
      return classifyFailure(facts, egress);
  }
}

/** Cancelling asks for an end, whatever is left; stopping and reaching maxDuration still promise a file. */
function classifyStopped(facts: EndFacts, stopping: Stopping): EndOutcome {
  const flaw = flawOfStopped(facts.egress);
  const after = flaw === undefined ? '' : `; ${flaw}`;
  if (stopping === 'cancelled')
    return { kind: 'completed', reason: 'cancelled', message: `stopped on request${after}` };
  if (stopping === 'stopped' && facts.egress?.status === 'ABORTED' && !hasFile(facts.egress) && !facts.hasEarlierFiles)
    return { kind: 'completed', reason: 'cancelled', message: 'stopped through LiveKit before it recorded' };
  if (flaw !== undefined && !hasFile(facts.egress) && !facts.hasEarlierFiles) {
    return { kind: 'failed', reason: facts.egress ? 'egress_failed' : 'worker_lost', message: flaw };
  }
  const what = stopping === 'stopped' ? 'stopped through LiveKit' : 'stopped at its maximum duration';
  return { kind: 'completed', reason: stopping, message: `${what}${after}` };
}

function flawOfStopped(egress: EgressSnapshot | null): string | undefined {
  if (!egress) return 'the worker died before it finished the file';
  const failed = egress.status === 'FAILED' || egress.status === 'ABORTED';
  return failed ? `the egress failed: ${words(egress)}` : undefined;
}

/** COMPLETE says the file is whole, not that the recording is: the details tell who ended it. */
function classifyComplete(facts: EndFacts, egress: EgressSnapshot): EndOutcome {
  const why = (egress.details ?? '').replace(END_REASON_PREFIX, '');
  switch (why) {
    case 'StopEgress API':
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
 * A participant that left or a track that ended is the end of what was asked for. A room composite or web page whose source
 * closed while the room lives on lost its browser or its connection, so the recording goes on.
 */
function sourceClosed(facts: EndFacts, why: string): EndOutcome {
  const { type } = facts.source;
  if (type !== 'room' && type !== 'web') {
    return {
      kind: 'completed',
      reason: 'finished',
      message: `the ${type === 'participant' ? 'participant' : 'track'} ended`,
    };
  }
  if (type === 'web')
    return { kind: 'completed', reason: 'finished', message: why ? `the page ended: ${why}` : 'the page ended' };
  return continueOrFinish(facts, 'the egress lost the room while the room lived on');
}

/** Codes: facts of LiveKit, section 4. Unknown ones are tried again; the number of tries is bounded elsewhere. */
function classifyFailure(facts: EndFacts, egress: EgressSnapshot): EndOutcome {
  const message = `the egress failed: ${words(egress)}`;
  const error = egress.error ?? '';
  if (egress.errorCode === 404) return sourceMissing(facts, message);
  if (egress.errorCode === 400 && /missing or invalid|invalid field|unsupported/i.test(error)) {
    return { kind: 'failed', reason: 'refused', message };
  }
  if (egress.errorCode === 403 && /disabled|not enabled|feature/i.test(error)) {
    return { kind: 'failed', reason: 'refused', message };
  }
  return continueOr(facts, 'egress_failed', message);
}

/** What was recorded before has left the room meanwhile: for a first part a mistake, for a later one the end. */
function sourceMissing(facts: EndFacts, message: string): EndOutcome {
  if (!facts.hasEarlierFiles) return { kind: 'failed', reason: 'source_missing', message };
  return {
    kind: 'completed',
    reason: 'finished',
    message: `the source left before another part could begin: ${message}`,
  };
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

function words(egress: EgressSnapshot): string {
  const code = egress.errorCode ? `${egress.errorCode} ` : '';
  return `${code}${egress.error ?? egress.details ?? egress.status}`;
}
