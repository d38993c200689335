// What LiveKit's own record says of a recording, whatever happened to its parts: one status that never goes back. Pure.
import type { EgressStatus } from './egress.ts';
import { isEnded } from './stage.ts';
import type { RecordingView } from './view.ts';

export interface RecordState {
  status: EgressStatus;
  error?: string;
  /** HTTP-like, as in EgressInfo. */
  errorCode?: number;
  details?: string;
}

/** Everything LiveKit's record of a recording is made of. Holds secrets of the request. */
export interface RecordFacts {
  recordingId: string;
  /** rpc.StartEgressRequest, protobuf in base64. */
  wire: string;
  /** What addresses of pages hold is not shown: LiveKit did not ask. */
  hidesPages?: boolean;
  /** The room's sid, once it was seen. */
  roomId?: string;
  acceptedAtMs: number;
  /** What it asks for was changed before any worker took it. */
  changedAtMs?: number;
  endedAtMs?: number;
  state: RecordState;
  /** The last report of each attempt that counts, in order: `EgressReport.info`. */
  reports: string[];
  /** Parts after the first. */
  retries: number;
  /** LiveKit may not know the recording yet. */
  unlisted: boolean;
  /** The status that LiveKit was told last. */
  told: EgressStatus;
}

/** LiveKit's own words for an egress that was stopped before it recorded. */
const NEVER_STARTED: RecordState = {
  status: 'ABORTED',
  error: 'Stop called before pipeline could start',
  errorCode: 412,
  details: 'End reason: StopEgress API',
};
const SOURCE_CLOSED = 'End reason: Source closed';
const FAILURE = 'End reason: Failure';

/** @param errorCode of a refusal, when the recording failed before any part ended */
export function recordStateOf(view: RecordingView, errorCode?: number): RecordState {
  if (isEnded(view.stage)) return endedState(view, errorCode);
  if (view.startedAtMs === undefined) return { status: 'STARTING' };
  return { status: view.stage === 'stopping' ? 'ENDING' : 'ACTIVE' };
}

/** A worker answers a stop before its file is finished, and applications expect just that; only what never started is ABORTED. */
export function asStopping(facts: RecordFacts): RecordFacts {
  return facts.state.status === 'ABORTED' ? facts : { ...facts, state: { status: 'ENDING' } };
}

function endedState(view: RecordingView, errorCode: number | undefined): RecordState {
  const end = view.parts.at(-1)?.end;
  switch (view.stage) {
    case 'completed':
      return completedState(view);
    case 'cancelled':
      return cancelledState(view);
    case 'expired':
      return expiredState(view);
    default:
      return {
        status: 'FAILED',
        error: end?.error ?? view.reason?.message ?? 'the recording failed',
        errorCode: errorCode ?? end?.errorCode ?? 500,
        details: end?.details ?? FAILURE,
      };
  }
}

/** LiveKit's own words for a file that is kept although not all went well. */
function completedState({ parts, reason }: RecordingView): RecordState {
  const end = parts.at(-1)?.end;
  if (reason?.code === 'gave_up' || reason?.code === 'upload_failed') return { status: 'COMPLETE', details: FAILURE };
  const details = end?.details === undefined ? {} : { details: end.details };
  return { status: end?.status === 'LIMIT_REACHED' ? 'LIMIT_REACHED' : 'COMPLETE', ...details };
}

function cancelledState(view: RecordingView): RecordState {
  const end = view.parts.at(-1)?.end;
  const hasFiles = view.parts.some(({ files }) => files.length > 0);
  if (!end || (end.status === 'ABORTED' && !hasFiles)) return NEVER_STARTED;
  if (end.status === 'COMPLETE' || end.status === 'LIMIT_REACHED' || hasFiles)
    return { status: 'COMPLETE', details: end.details ?? 'End reason: StopEgress API' };
  return { status: 'FAILED', error: end.error ?? 'the worker died', errorCode: end.errorCode ?? 500, details: FAILURE };
}

function expiredState({ reason, parts }: RecordingView): RecordState {
  if (reason?.code === 'nothing_to_record') return { ...NEVER_STARTED, ...toldOf(parts.at(-1)?.end) };
  if (reason?.code === 'room_ended')
    return { status: 'ABORTED', error: reason.message, errorCode: 412, details: SOURCE_CLOSED };
  const errorCode = reason?.code === 'room_never_appeared' || reason?.code === 'source_missing' ? 404 : 503;
  return { status: 'FAILED', error: reason?.message ?? 'expired', errorCode, details: FAILURE };
}

function toldOf({ error, details }: { error?: string; details?: string } = {}): Partial<RecordState> {
  return { ...(error ? { error } : {}), ...(details ? { details } : {}) };
}
