// What the world sees of a recording: the answer of the API, the result of the workflow, the body of the user's webhook.
import type { RecordingRequest } from './request.ts';
import type { EndReason, Stage, WaitingFor } from './stage.ts';
import type { AssignedWorker, NeededHand } from './start-outcome.ts';

/** What may be wrong with a part that ended well. */
export const PART_WARNINGS = ['backup_storage_used', 'file_shorter'] as const;

export interface PartWarning {
  code: (typeof PART_WARNINGS)[number];
  message: string;
}

export interface RecordedFile {
  /** Path or URL as LiveKit reports it. */
  location: string;
  filename: string;
  /** Where it is: name of the storage in Reelkit's configuration, or one of `STORAGE_WORDS`. */
  storage: string;
  sizeBytes: number;
  durationMs: number;
  /** Made again from what its worker had stored before it died: the last seconds are missing. */
  rebuilt?: true;
  /** It is in the joined file, and not here any more. */
  removed?: true;
}

/** Where two parts meet in a joined file. */
export interface JoinSeam {
  /** From its beginning, ms. */
  atMs: number;
  /** Not recorded between the two, and left out. */
  gapMs: number;
  /** Recorded by both, and taken once. */
  overlapMs: number;
}

export interface PartView {
  /** Counts from 1. */
  number: number;
  /** Starts that a worker was granted for this part. */
  attempts: number;
  /** The id of the attempt towards the workers. */
  egressId?: string;
  /** The worker that took it. */
  worker?: AssignedWorker;
  /** The platform has announced that it ends that worker then, unix ms. */
  workerEndsAtMs?: number;
  /** A worker accepted the start, unix ms. */
  acceptedAtMs?: number;
  /** Nobody publishes what it records; it begins once somebody does. Since a look found that first, unix ms. */
  awaitsMediaSinceMs?: number;
  /** Its file begins here: media flows. Unix ms. */
  startedAtMs?: number;
  /** The worker began to finish it: no media after that. Unix ms; absent when its report of that was not heard. */
  endingAtMs?: number;
  endedAtMs?: number;
  files: RecordedFile[];
  /** Its segments are all there is: the folder that they stay in, with a playlist. */
  segments?: string;
  /** Where the worker put its own manifest (`<egressId>.json`); absent when it wrote none. */
  manifestLocation?: string;
  /** What to look at, although it may have ended well. */
  warnings?: PartWarning[];
  /** How the egress ended, in LiveKit's words; or `LOST`, `HUNG`: what became of it is not known, or it never recorded. */
  end?: { status: string; details?: string; error?: string; errorCode?: number };
}

/** Nothing of this time is in any file. */
export interface Pause {
  /** It was asked for, unix ms; its worker stops within a moment: `parts[].endingAtMs`. */
  sinceMs: number;
  /** It was asked to go on, or ended; absent while the pause lasts. */
  untilMs?: number;
  /** Who asked for it. */
  by?: string;
}

export interface RecordingView {
  id: string;
  stage: Stage;
  fleet: string;
  request: RecordingRequest;
  requestedAtMs: number;
  /** While waiting: for what, since when, and the last thing that was tried. */
  waiting?: {
    for: WaitingFor;
    sinceMs: number;
    detail: string;
    /** Its place in the queue, from 1; absent while nobody knows. */
    position?: number;
    /** By then there should be a worker, unix ms; absent while nobody knows. */
    expectedAtMs?: number;
    /** It does not pass by itself. */
    needs?: NeededHand;
  };
  /** Capacity must be found before this, unix ms. */
  startDeadlineMs: number;
  /** The file of the first part begins here. */
  startedAtMs?: number;
  /** The recording is stopped at this time, unix ms; moved by extend. */
  endDeadlineMs?: number;
  endedAtMs?: number;
  reason?: { code: EndReason; message: string };
  parts: PartView[];
  /** One file of all parts, where there are several. */
  joined?: RecordedFile & { seams: JoinSeam[] };
  /** Why there is none although it was wanted. */
  joinProblem?: string;
  /** In order; the last one may last. */
  pauses?: Pause[];
  /** What the time from due to ACTIVE was spent on, ms: until a worker accepted, then until media flowed. */
  spent?: { queueMs: number; startMs: number };
}
