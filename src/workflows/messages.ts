// The messages of both workflows: names and payloads, shared by workflows, activities, API and CLI.
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { FleetMemory } from '../fleet/observation.ts';
import type { Carried } from '../recording/carry.ts';
import type { EgressReport } from '../recording/egress.ts';
import type { RecordFacts } from '../recording/record-state.ts';
import type { RecordingRequest } from '../recording/request.ts';
import type { StreamChange } from '../recording/streams.ts';
import type { RecordingView } from '../recording/view.ts';
import type { EventDeliveries, KeptEvent, Replay } from '../recording/webhooks/deliveries.ts';
import type { WebhookEvent } from '../recording/webhooks/events.ts';
import type { Receiver } from '../recording/webhooks/receivers.ts';

/** A recording's id is that of its egress in LiveKit: whoever knows one finds the other. */
export const recordingWorkflowId = (id: string) => id;
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
  /** What the workers are asked: rpc.StartEgressRequest of the first attempt, protobuf in base64. Holds secrets: encrypted in Temporal. */
  wire: string;
  /** Configured storages for its uploads, in order; null: as the request says. */
  storages: (string | null)[];
  /**
   * Where segments of its parts lie until it has ended, if they are kept: folder of the storage of its file. Absent: Reelkit cannot get
   * there, or it has no file that can be put together.
   */
  keepFolder?: string;
  /** The sid of its room, when it was seen by then. */
  roomId?: string;
  /** Why no worker had room for it when it was accepted: it begins in the queue. */
  noRoom?: string;
  /** What the run before this one left off with: a history that gets long is begun anew. */
  carried?: Carried;
  /** Test hook: begin a new history after this many events. */
  maxEvents?: number;
  /** Who asked. LiveKit knows its own requests already; of the others it is told. */
  origin: 'livekit' | 'api';
  /** Who hears of it; left out: nobody. Holds secrets: addresses of webhooks. */
  receivers?: readonly Receiver[];
}

/** In the memo of the workflow, so that lists and the fleet pass need no query. */
export interface RecordingMemo {
  costCores: number;
  requestHash: string;
  requestedAtMs: number;
  /** Due time of a scheduled recording, unix ms. */
  startAtMs?: number;
  noRoom?: string;
  /** Its place in the queue, when this is not its first run; unix ms by Temporal's clock. */
  queuedSinceMs?: number;
  request: RecordingRequest;
}

/** The fleet has capacity for this recording now. `onto`: topic of the only worker where it may start, because others wait for more. */
export interface Admission {
  onto?: string;
}
export const admittedSignal = defineSignal<[Admission?]>('admitted');
/** The same for one that is still asleep: a signal would wait until its first task is due. */
export const admittedUpdate = defineUpdate<void, [Admission]>('admitAsleep');
/** What the worker of one of its attempts reported. */
export const reportSignal = defineSignal<[EgressReport]>('report');
/**
 * Something may have changed, for example a worker died: the recording looks at LiveKit and the workers before it believes it.
 * `egressId`: what it is about; an attempt that lives while the recording waits has no grant. `code` `worker_ends` or `worker_leaves`: its
 * worker goes, so the recording moves to another one.
 */
export const lookSignal = defineSignal<[{ why: string; egressId?: string; code?: string }]>('look');
/** LiveKit's UpdateLayout has told the recorder this: the next part begins with it. */
export const layoutSignal = defineSignal<[string]>('layout');
/** Too few people have been in the room since then, unix ms, for as long as `stopWhen` says. */
export const participantsLeftSignal = defineSignal<[{ sinceMs: number }]>('participantsLeft');
export const cancelSignal = defineSignal<[{ by?: string }?]>('cancel');
/** Nothing is recorded until it is resumed. */
export const pauseSignal = defineSignal<[{ by?: string }?]>('pause');
export const resumeSignal = defineSignal('resume');
/** Moves the end of the recording: `byMs` later than it was, or to `untilMs` (unix ms). */
export const extendSignal = defineSignal<[ExtendBy]>('extend');
export type ExtendBy = { byMs: number } | { untilMs: number };

/** Same as the signals, with an answer. Rejected with an ApplicationFailure of type `RecordingEnded`, `NotPausable` or `InvalidExtension`. */
export const cancelUpdate = defineUpdate<RecordingView, [{ by?: string }]>('cancelRecording');
/** Answered once no worker records it any more. */
export const pauseUpdate = defineUpdate<RecordingView, [{ by?: string }]>('pauseRecording');
export const resumeUpdate = defineUpdate<RecordingView, []>('resumeRecording');
export const extendUpdate = defineUpdate<RecordingView, [ExtendBy]>('extendRecording');
export const viewQuery = defineQuery<RecordingView>('view');
/** LiveKit's StopEgress: answers what LiveKit's record says then. Rejected as `RecordingEnded`. */
export const stopUpdate = defineUpdate<RecordFacts, []>('stopEgress');
/** LiveKit's UpdateStream. Fails with an ApplicationFailure of type `Refused` and psrpc's code as its detail. */
export const streamsUpdate = defineUpdate<RecordFacts, [StreamChange]>('updateStreams');

// ---- delivery of webhooks ----

export const deliveryWorkflowId = (recordingId: string) => `${recordingId}/webhooks`;

export interface DeliveryInput {
  recordingId: string;
  /** Of the recording. */
  fleet: string;
  receivers: readonly Receiver[];
  /** What an earlier run knew, for a replay after it has ended. */
  kept?: readonly KeptEvent[];
}

export const announceSignal = defineSignal<[readonly WebhookEvent[]]>('announce');
/** What an operator may see. */
export const deliveriesQuery = defineQuery<EventDeliveries[]>('deliveries');
/** All of it, for the run of a replay. Holds secrets. */
export const keptQuery = defineQuery<Pick<DeliveryInput, 'receivers' | 'fleet'> & { kept: KeptEvent[] }>('kept');
/** Sends events anew. Rejected with an ApplicationFailure of type `NoSuchEvent`. */
export const replayUpdate = defineUpdate<EventDeliveries[], [Replay]>('replay');

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
export const explainQuery = defineQuery<readonly PassLine[]>('explain');
/** Milliseconds, newest first. */
export const bootsQuery = defineQuery<readonly number[]>('boots');
