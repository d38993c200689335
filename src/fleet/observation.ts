// What one pass sees and what it remembers between passes. Plain data; the plan is a pure function of these two.
import type { Doubt } from './doubt.ts';

/** An egress that lives: it listens for its stop on the bus, or a worker's own port shows it. */
export interface ObservedEgress {
  /** The worker-side id: of one attempt of a recording. */
  egressId: string;
  /** Absent when the id is none that Reelkit gives. */
  recordingId?: string;
  attempt?: number;
  onBus: boolean;
}

/** What can be seen of the workers without asking Temporal. */
export interface Sight {
  workers: ObservedWorker[];
  /** When the platform said which workers there are; absent: just now. */
  listedAtMs?: number;
  /** Of the bus and the ports together. Undefined when the bus could not be asked: then nothing is lost, nothing orphaned. */
  activeEgresses?: ObservedEgress[];
}

/** Platforms answer within seconds. Whoever an older list does not show may have begun since. */
const OLD_LIST_MS = 30_000;

export function isOldList(listedAtMs: number | undefined, nowMs: number): boolean {
  return listedAtMs !== undefined && nowMs - listedAtMs > OLD_LIST_MS;
}

/**
 * booting: on its way, no answer from its health port yet. ready: answers and takes requests. draining: takes none, finishes.
 * unreachable: the platform says it runs but the probe fails; counted neither as capacity nor as proof that anything was lost.
 * gone: ended, still listed by the platform so that its reason can be read.
 */
export type WorkerState = 'booting' | 'ready' | 'draining' | 'unreachable' | 'gone';

/** An egress as the worker itself shows it, with the CPU cores its admission charged. */
export interface WorkerEgress {
  egressId: string;
  costCores: number;
}

export interface ObservedWorker {
  id: string;
  state: WorkerState;
  owned: boolean;
  launchedAtMs: number;
  cpuCores: number;
  /** Its health port answered in this pass. */
  answered: boolean;
  /** From the worker's own health JSON; empty unless it answered. */
  egresses: WorkerEgress[];
  /** What its admission has left, from the health JSON: all CPUs when idle, else 80 % of them minus what is used. */
  freeCores?: number;
  /** Nothing listens on its health port: its process is gone, or has not begun. */
  portClosed?: boolean;
  /** Where it listens for starts. Absent: nothing can be sent to it. */
  topic?: string;
  /** It listens there now. Absent when the bus could not be asked. */
  present?: boolean;
  /** Nothing is sent to it any more. Absent when the bus could not be asked. */
  cordoned?: boolean;
  /** It did not take what it was sent last. */
  doubt?: Doubt;
  reason?: string;
  /** The platform says that its process runs; without an answer it may be booting, or busy and out of reach. */
  runs?: boolean;
  /** The platform does not reach its machine either. */
  cutOff?: boolean;
  /** The platform leaves it alone; absent when it was told neither that nor the contrary. */
  protected?: boolean;
  /** The platform is about to take its machine away: why. */
  leaving?: string;
  /** Its platform has announced that it ends it then, busy or not. */
  endsAtMs?: number;
  /** The id under which it was launched, where its platform has given it another since. */
  launchedAs?: string;
  /** New workers would be made differently. */
  outdated?: boolean;
}

export interface WaitingRecording {
  id: string;
  costCores: number;
  /** 1 first, 5 last. */
  priority: number;
  /** When it was asked for, or became due; the queue is first come, first served within a priority and a tenant. */
  sinceMs: number;
  tenant?: string;
}

interface ScheduledRecording {
  id: string;
  costCores: number;
  dueMs: number;
}

/** A recording that says of itself that an egress records for it. */
interface RunningRecording {
  id: string;
  stage: 'recording' | 'stopping';
  costCores?: number;
  tenant?: string;
  /** It has ended by then, if it began when it was asked for and nobody extended it. Unix ms. */
  endsByMs?: number;
  /** It stays with its worker to the end. */
  stays?: true;
  /** The oldest egress it believes in; asked for only when there may be more than one. */
  egressId?: string;
}

/** Its egress may appear at any moment, so it is nobody's orphan, and its cost is already spoken for. */
interface StartingRecording {
  id: string;
  costCores: number;
  tenant?: string;
}

export interface Observation extends Sight {
  nowMs: number;
  /** Somebody asked for this look; what they want may not show yet. */
  kicked?: boolean;
  waiting: WaitingRecording[];
  scheduled: ScheduledRecording[];
  running: RunningRecording[];
  starting: StartingRecording[];
  limits: { minWorkers: number; maxWorkers: number; coresPerWorker: number };
}

/** What the fleet remembers of one worker. */
export interface WorkerNotes {
  /** Launched by us and not listed yet: it counts as booting until then, or until `EXPECTED_MS` have passed. */
  expectedSinceMs?: number;
  wasReady?: boolean;
  idleSinceMs?: number;
  /** Does not answer, although it was ready or may have been. */
  silentSinceMs?: number;
  /** Takes no requests although we did not ask it to drain. */
  outOfServiceSinceMs?: number;
  /** Nothing is sent to it since. */
  cordonedMs?: number;
  drainAskedMs?: number;
  /** It has been counted as one that was set aside. */
  setAside?: boolean;
  /** Its end has been counted. */
  ended?: boolean;
}

/**
 * Carried from pass to pass in the fleet workflow; ids and times only, bounded by what is open. An older Reelkit may have written it
 * and a newer one may read it: what came later is optional, and what is not known is passed on.
 */
export interface FleetMemory {
  /** Admitted recordings whose egress is not seen yet: they hold their cost until then, or until the lease ends. */
  leases: Record<string, { costCores: number; untilMs: number; on?: string }>;
  workers: Record<string, WorkerNotes>;
  /** Egress -> worker, as last shown: of those that live or are believed in. */
  egresses?: Record<string, string>;
  /** First seen as lost, orphaned or without an egress, by egress or recording id; confirmed when seen again later. */
  suspectSince: Record<string, number>;
  /** Recordings that start although an egress lives for them: since when the egress was seen, by its id. */
  startingSince?: Record<string, number>;
  /** Last acted on, by the same ids, so that one fact is not told every pass. */
  actedMs: Record<string, number>;
  /** No launch before this time: the provider refused, or workers died while booting. */
  launchNotBeforeMs: number;
  /** Launches the provider refused in a row. */
  launchFailures: number;
  /** Passes in a row in which a worker died or was given up before it was ever ready. */
  bootFailures: number;
  /** When the last workers were set aside, newest first. */
  setAsideMs?: readonly number[];
  /** How long the last boots took. */
  bootsMs?: readonly number[];
  lastProblem?: string;
  /** What held a launch back when last told, so that it is told once. */
  lastHold?: string;
}

export const EMPTY_MEMORY: FleetMemory = {
  leases: {},
  workers: {},
  suspectSince: {},
  actedMs: {},
  launchNotBeforeMs: 0,
  launchFailures: 0,
  bootFailures: 0,
};
