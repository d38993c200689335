// What one pass sees and what it remembers between passes. Plain data; the plan is a pure function of these two.

export interface ObservedEgress {
  egressId: string;
  /** Present when the egress carries our marker. */
  recordingId?: string;
  costCores: number;
  startedAtMs?: number;
}

/**
 * booting: on its way, no answer from its health port yet. ready: answers and takes requests. draining: takes none, finishes.
 * unreachable: the platform says it runs but the probe fails; counted neither as capacity nor as proof that anything was lost.
 */
export type WorkerState = 'booting' | 'ready' | 'draining' | 'unreachable';

export interface ObservedWorker {
  id: string;
  state: WorkerState;
  owned: boolean;
  launchedAtMs: number;
  cpuCores: number;
  /** Egress ids from the worker's own health JSON; empty unless the probe answered. */
  egressIds: string[];
  reason?: string;
}

export interface WaitingRecording {
  id: string;
  costCores: number;
  /** 1 first, 5 last. */
  priority: number;
  /** When it was asked for, or became due; the queue is first come, first served within a priority. */
  sinceMs: number;
}

export interface ScheduledRecording {
  id: string;
  costCores: number;
  dueMs: number;
}

/** A recording that says of itself that an egress records for it. */
export interface RunningRecording {
  id: string;
  stage: 'recording' | 'stopping';
}

export interface Observation {
  nowMs: number;
  workers: ObservedWorker[];
  /** LiveKit's ListEgress(active). Undefined when LiveKit could not be asked: then nothing is lost, nothing orphaned. */
  activeEgresses?: ObservedEgress[];
  waiting: WaitingRecording[];
  scheduled: ScheduledRecording[];
  running: RunningRecording[];
  /** Open recordings in stage `starting`: their egress may appear at any moment, so it is nobody's orphan. */
  starting: string[];
  limits: { minWorkers: number; maxWorkers: number; coresPerWorker: number };
}

/** Carried from pass to pass in the fleet workflow; ids and times only, bounded by the number of open recordings. */
export interface FleetMemory {
  /** Admitted recordings whose egress is not seen yet: they hold their cost until then, or until the lease ends. */
  leases: Record<string, { costCores: number; untilMs: number }>;
  /** Idle since, by worker id. */
  idleSince: Record<string, number>;
  /** First seen as lost or orphaned, by egress id; acted on when seen again after the confirmation time. */
  suspectSince: Record<string, number>;
  /** Workers asked to drain by us, and when. */
  drainingSince: Record<string, number>;
  /** No launch before this time: the provider refused or throttled. */
  launchNotBeforeMs: number;
  lastProblem?: string;
}

export const EMPTY_MEMORY: FleetMemory = {
  leases: {},
  idleSince: {},
  suspectSince: {},
  drainingSince: {},
  launchNotBeforeMs: 0,
};
