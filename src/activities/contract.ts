// The activities by name: what workflows may ask of the world. Types only; recording.ts and fleet.ts beside this implement them.
import type { FleetMemory } from '../fleet/observation.ts';
import type { EgressFile, EgressReport } from '../recording/egress.ts';
import type { RecordFacts } from '../recording/record-state.ts';
import type { RecordingRequest } from '../recording/request.ts';
import type { AssignedWorker, StartOutcome } from '../recording/start-outcome.ts';
import type { StreamChange } from '../recording/streams.ts';
import type { JoinSeam, RecordingView } from '../recording/view.ts';
import type { WebhookEvent } from '../recording/webhooks/events.ts';
import type { Receiver } from '../recording/webhooks/receivers.ts';
import type { SendOutcome } from '../recording/webhooks/retry.ts';
import type { DeliveryInput } from '../workflows/messages.ts';

export interface RecordingActivities {
  /**
   * Grants one attempt to one worker, at most, when a worker has room and it is this recording's turn; else wakes the fleet and says
   * what it waits for. Never retried by Temporal: whoever lost the answer gives the attempt up and makes the next one.
   */
  dispatch(input: DispatchInput): Promise<StartOutcome>;

  /**
   * Does an attempt live whose start was never answered? By the word of a worker that answers now, twice, a second apart: one that
   * came to nothing is gone by then, and one that is frozen says nothing. Null: it does not.
   */
  findAttempt(input: { egressId: string; fleet: string }): Promise<{ worker?: AssignedWorker } | null>;

  /** The truth about a running part: the bus, the workers' ports and the room. */
  inspectPart(input: InspectInput): Promise<PartInspection>;

  /**
   * Asks an attempt to finish its file, wherever it runs. Ended or on no worker: nothing, and null. `waitMs`: the answer may wait so long
   * for its end, whose report the recording then has. `hungOn`: topic of its worker, which never recorded it; others are asked first from
   * then on.
   */
  stopPart(input: StopInput): Promise<EgressReport | null>;

  /** Adds and removes stream URLs of a running attempt. */
  changeRunningStreams(input: StreamChange & { egressId: string }): Promise<StreamsChanged>;

  /** The same in a request that has not started yet, or for the attempt after this one. */
  changeWantedStreams(input: StreamChange & { wire: string }): Promise<StreamsChanged>;

  /** Is the room of this recording alive? Web sources have none: `alive`. @param input `roomId`: its sid, once it was seen */
  inspectRoom(input: { request: RecordingRequest; roomId?: string }): Promise<{ room: RoomState }>;

  /**
   * Is the source of this recording in its room? When it is away, this process looks on for `forMs` and signals `look` once it comes,
   * or its room goes.
   */
  lookForSource(input: {
    recordingId: string;
    request: RecordingRequest;
    roomId?: string;
    forMs: number;
  }): Promise<{ room: RoomState; source: 'here' | 'away' }>;

  /** Wakes the fleet's workflow, starting it if needed. */
  wakeFleet(input: { fleet: string; why: string }): Promise<void>;

  /** Brings LiveKit's record up to date. Repeated until LiveKit has it; only the latest state matters. */
  publishRecord(input: RecordFacts): Promise<void>;
}

export interface DeliveryActivities {
  /** Hands events to the delivery of a recording, which is begun by it where there is none. Repeated, nothing is told twice. */
  announce(input: Announcement): Promise<void>;

  /** One try to tell one receiver. */
  sendEvent(input: { receiver: Receiver; body: string }): Promise<SendOutcome>;

  /** Is its workflow still open? Of one that is not: how it ended, as far as anybody knows. */
  findRecording(input: { recordingId: string }): Promise<{ isOpen: boolean; view?: RecordingView }>;
}

export interface Announcement extends Pick<DeliveryInput, 'recordingId' | 'fleet' | 'receivers'> {
  events: readonly WebhookEvent[];
}

export interface InspectInput {
  egressId: string;
  /** Its recorder's name in the room. */
  identity: string;
  fleet: string;
  worker?: AssignedWorker;
  request: RecordingRequest;
  roomId?: string;
}

export interface StopInput {
  egressId: string;
  waitMs?: number;
  hungOn?: { fleet: string; topic: string };
}

export interface DispatchInput {
  recordingId: string;
  attempt: number;
  fleet: string;
  request: RecordingRequest;
  /** rpc.StartEgressRequest, protobuf in base64. */
  wire: string;
  /** Names of configured storages for its uploads, in order; null: as the request says. */
  storages: (string | null)[];
  costCores: number;
  /** Segments are written beside its file, into this folder of the same storage. */
  keepFolder?: string;
  /** The sid of its room, once it was seen: another room of the same name is not recorded. */
  roomId?: string;
  /** Its place in the queue: when it was asked for or became due, unix ms. */
  queuedSinceMs: number;
  /** The fleet counted it in a moment ago: only a fresh look at the workers counts. */
  admitted: boolean;
  /** Topic of the only worker that it may be sent to: others before it wait for more than is free there. */
  onto?: string;
  /** Topic of a worker that it may not be sent to, because it is taken over from there. */
  notOn?: string;
  /** Nobody holds the recorder's name in the room any more, so this one takes it: UpdateLayout goes on working. */
  keepsIdentity: boolean;
  /** Instead of the request's: what UpdateLayout has said since. */
  layout?: string;
}

/** `code` is psrpc's. `isEmpty`: nothing is left to be made. */
export type StreamsChanged =
  | { kind: 'changed'; wire?: string; isEmpty?: boolean; report?: EgressReport }
  | { kind: 'refused'; code: string; message: string };

/** How to get at what was kept of a recording. Holds secrets: encrypted in Temporal. */
export interface KeptFiles {
  /** rpc.StartEgressRequest, protobuf in base64: where its file goes, and the keys. */
  wire: string;
  /** Names of configured storages for its uploads, in order; null: as the request says. */
  storages: (string | null)[];
  keepFolder: string;
}

/** On the task queue for media: `mediaTaskQueue`. */
export interface MediaActivities {
  /** The file of one attempt, made again from its segments. Safe to repeat. */
  rebuildPart(input: RebuildInput): Promise<Rebuilt>;
  /** One file of all parts. Safe to repeat. */
  joinParts(input: JoinInput): Promise<JoinedParts>;
}

export interface RebuildInput extends KeptFiles {
  attempt: number;
  /** As its worker named it. */
  filename: string;
  /** Its last: `EgressReport.info`. */
  report: string;
}

export interface JoinablePart {
  number: number;
  egressId: string;
  path: string;
  /** Unix ms. */
  startedAtMs: number;
  durationMs: number;
  /** Its last: `EgressReport.info`. */
  report: string;
}

export interface JoinInput extends KeptFiles {
  parts: JoinablePart[];
  /** The others are removed afterwards. */
  isAlone: boolean;
}

/** `reports`: as LiveKit is to know them now. */
export interface JoinedParts {
  file: EgressFile;
  seams: JoinSeam[];
  reports: { egressId: string; report: string }[];
}

/** `report`: the same with that file in it. */
export type Rebuilt = { kind: 'rebuilt'; file: EgressFile; report: string } | { kind: 'nothing' };

export interface FilesActivities {
  /** After the end: writes the manifest, removes segments and what is in a joined file. Safe to repeat. */
  settleFiles(input: SettleInput): Promise<void>;
}

export interface SettleInput extends KeptFiles {
  manifest?: { path: string; text: string };
  /** Files that are not needed any more. */
  removed: string[];
  /** Attempts whose segments are all there is: they stay, and their playlists are closed. */
  unmade: number[];
}

/** Nothing was sent, so nothing can run. */
export type Hindrance = Extract<StartOutcome, { kind: 'no_capacity' | 'room_missing' }>;

export type RoomState = 'alive' | 'gone';

export interface PartInspection {
  room: RoomState;
  /** The room has its recorder as a participant. It outlives a killed worker by 20 s. */
  inRoom: boolean;
  /** Somebody publishes what it records. Absent for a page or a template of the user's own, which decides when it begins. */
  publishes?: boolean;
  /** What LiveKit's UpdateLayout told that recorder last. */
  layout?: string;
  /**
   * `yes`: a worker says so, by its port or on the bus. `no`: its worker lives and neither shows it. `dead`: two witnesses agree that its worker
   * is gone. `unknown`: not everybody could be asked.
   */
  onWorker: 'yes' | 'no' | 'dead' | 'unknown';
  /** The platform of its worker has announced that it ends it then, unix ms. */
  workerEndsAtMs?: number;
}

export interface FleetActivities {
  /** One pass: observe, plan, apply. Safe to repeat. `kicked`: woken from a rest, so a burst may only have begun. */
  runFleetPass(input: { fleet: string; pass: number; memory: FleetMemory; kicked: boolean }): Promise<PassReport>;
}

export interface PassReport {
  memory: FleetMemory;
  /** Present when the pass decided something. */
  line?: string;
  /** Markdown for the Web UI. */
  summary: string;
  /** Milliseconds until the next pass; absent: sleep until kicked. */
  nextPassInMs?: number;
}
