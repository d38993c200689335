// The activities by name: what workflows may ask of the world. Types only; recording.ts and fleet.ts beside this implement them.
import type { FleetMemory } from '../fleet/observation.ts';
import type { EgressSnapshot, Marker } from '../recording/egress.ts';
import type { RecordingRequest } from '../recording/request.ts';
import type { StartOutcome } from '../recording/start-outcome.ts';
import type { RecordingView } from '../recording/view.ts';

export interface RecordingActivities {
  /**
   * Is there capacity for this recording, and is it its turn? When not, wakes the fleet and says what it waits for. A hint: it
   * may be repeated, and LiveKit's own admission decides.
   */
  requestCapacity(input: {
    recordingId: string;
    fleet: string;
    request: RecordingRequest;
    costCores: number;
    /** Its place in the queue: when it was asked for or became due, unix ms. */
    queuedSinceMs: number;
  }): Promise<Hindrance | null>;

  /** One StartEgress, at most. Never retried by Temporal: whoever lost the answer calls findPart first. */
  startPart(input: {
    marker: Marker;
    fleet: string;
    request: RecordingRequest;
    costCores: number;
    /** The fleet counted it in: what it is offered may still be under way, so LiveKit gets more time. */
    admitted: boolean;
  }): Promise<StartOutcome>;

  /** The egress LiveKit holds for any attempt of this part, waiting until `untilMs` for one to appear. */
  findPart(input: { marker: Marker; request: RecordingRequest; untilMs: number }): Promise<EgressSnapshot | null>;

  /** The truth about a running part, from LiveKit's records and its room list. */
  inspectPart(input: { marker: Marker; egressId: string; request: RecordingRequest }): Promise<PartInspection>;

  /** Stops the egress cleanly. Ended or unknown: does nothing. */
  stopPart(input: { egressId: string }): Promise<void>;

  /** Is the room of this recording alive? Web sources have none: `alive`. */
  inspectRoom(input: { request: RecordingRequest }): Promise<{ room: RoomState }>;

  /** Wakes the fleet's workflow, starting it if needed. */
  wakeFleet(input: { fleet: string; why: string }): Promise<void>;

  /** POSTs the final state to the user's webhook. */
  notifyUser(input: { url: string; view: RecordingView }): Promise<void>;
}

/** Nothing was sent, so nothing can run. */
export type Hindrance = Extract<StartOutcome, { kind: 'no_capacity' | 'room_missing' }>;

export type RoomState = 'alive' | 'gone';

export interface PartInspection {
  /** Null: LiveKit has no record of it (404), which proves nothing while a worker still shows it. */
  egress: EgressSnapshot | null;
  room: RoomState;
  /** The room has a participant with the egress id: it is recording, whatever the records say. */
  inRoom: boolean;
  /** A worker's own health answer shows the egress. `unknown`: not every worker could be asked. */
  onWorker: 'yes' | 'no' | 'unknown';
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
