// What the demo knows at its end, gathered by gather.ts and judged by expectations.ts. Types only.

import type { Media } from '../../dev/media.ts';
import type { RecordingView } from '../../recording/view.ts';
import type { Actor, Timing } from '../cast.ts';

export interface FileEvidence {
  /** Where it lies on this machine. */
  path: string;
  /** Duration as the recording's own record says. */
  toldDurationMs: number;
  media?: Media;
  /** Dominant frequency in its middle; absent when silent or not looked at. */
  toneHz?: number;
  /** Why it could not be read. */
  problem?: string;
}

export interface RecordingEvidence {
  actor: Actor;
  /** What POST answered when it did not accept. */
  requestProblem?: string;
  /** What became of cancel, extend or the closing of the room, when it did not work. */
  actionProblem?: string;
  /** When the demo cancelled it or closed its room. */
  actedAtMs?: number;
  view?: RecordingView;
  /** All parts' files, in order. */
  files: readonly FileEvidence[];
}

export interface Evidence {
  timing: Timing;
  recordings: readonly RecordingEvidence[];
  fleet: {
    workersBefore: number;
    mostWorkers: number;
    /** Undefined when the fleet could not be seen any more. */
    workersAfter: number | undefined;
    lastDecision?: string;
  };
  /** Ids of every egress LiveKit has a record of; undefined when it could not be asked. */
  egressIds: readonly string[] | undefined;
  /** A component that ended by itself, in words. */
  casualty?: string;
  logs: { service: string; workers: string; livekit: string };
}

export interface Failure {
  /** Room name, or `fleet`. */
  about: string;
  expected: string;
  seen: string;
  /** The file or folder to read. */
  log: string;
}
