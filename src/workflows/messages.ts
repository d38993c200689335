// The messages of both workflows: names and payloads, shared by workflows, activities, API and CLI.
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { FleetMemory } from '../fleet/observation.ts';
import type { EgressSnapshot } from '../recording/egress.ts';
import type { RecordingRequest } from '../recording/request.ts';
import type { RecordingView } from '../recording/view.ts';

export const recordingWorkflowId = (id: string) => `recording/${id}`;
export const fleetWorkflowId = (name: string) => `fleet/${name}`;

// ---- recording ----

export interface RecordingInput {
  id: string;
  fleet: string;
  request: RecordingRequest;
  /** CPU cores that LiveKit's admission charges the request. */
  costCores: number;
  requestedAtMs: number;
  /** SHA-256 of the canonical request: the same Idempotency-Key with another body is a conflict. */
  requestHash: string;
}

/** In the memo of the workflow, so that lists and the fleet pass need no query. */
export interface RecordingMemo {
  costCores: number;
  requestHash: string;
  requestedAtMs: number;
  /** Due time of a scheduled recording, unix ms. */
  startAtMs?: number;
  request: RecordingRequest;
}

/** The fleet has capacity for this recording now. */
export const admittedSignal = defineSignal<[]>('admitted');
/** A webhook of this recording's egress. */
export const egressSignal = defineSignal<[EgressSnapshot]>('egress');
/** Something may have changed, for example a worker died: the recording looks at LiveKit and the workers before it believes it. */
export const lookSignal = defineSignal<[{ why: string }]>('look');
export const cancelSignal = defineSignal<[{ by?: string }?]>('cancel');
/** Moves the end of the recording: `byMs` later than it was, or to `untilMs` (unix ms). */
export const extendSignal = defineSignal<[ExtendBy]>('extend');
export type ExtendBy = { byMs: number } | { untilMs: number };

/** Same as the signals, with an answer. Rejected with an ApplicationFailure of type `RecordingEnded` or `InvalidExtension`. */
export const cancelUpdate = defineUpdate<RecordingView, [{ by?: string }]>('cancelRecording');
export const extendUpdate = defineUpdate<RecordingView, [ExtendBy]>('extendRecording');
export const viewQuery = defineQuery<RecordingView>('view');

// ---- fleet ----

export interface FleetInput {
  fleet: string;
  memory?: FleetMemory;
  /** Number of the last pass, so that pass tokens never repeat across continue-as-new. */
  lastPass?: number;
  explanations?: PassLine[];
  /** Test hook: continue as new after this many passes. */
  maxPasses?: number;
}

/** One readable line for each pass that decided something. */
export interface PassLine {
  pass: number;
  atMs: number;
  line: string;
}

/** `settle: false`: it is about a worker, so there is no burst to let arrive. */
export const kickSignal = defineSignal<[{ why: string; settle?: boolean }?]>('kick');
/** The last passes that decided something, newest first. */
export const explainQuery = defineQuery<PassLine[]>('explain');
