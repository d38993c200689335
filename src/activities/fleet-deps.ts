// What a pass of the fleet needs from the world, as narrow as it can be.
import type { Capacity } from '../capacity/guard.ts';
import type { Arrivals } from '../fleet/arrivals.ts';
import type { Observation } from '../fleet/observation.ts';
import type { FleetPlan } from '../fleet/plan.ts';
import type { FleetPolicy } from '../fleet/policy.ts';
import type { Attendance } from '../livekit/attendance.ts';
import type { Presence } from '../livekit/presence.ts';
import type { Probe } from '../livekit/probe.ts';
import type { OpenRecordings } from './open-recordings.ts';

/** The part of pino that is used. */
interface FleetLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface DonePass {
  durationMs: number;
  observation: Observation;
  plan: FleetPlan;
  /** Why the workers that are needed cannot be launched. */
  problem?: string | undefined;
}

/** Everything a pass touches. */
export interface FleetDeps {
  recordings: OpenRecordings;
  /** Names of all fleets that share the bus, the one for what names none first. */
  fleets: readonly string[];
  provider: Capacity;
  /** How many workers the fleet may have. */
  size: { minWorkers: number; maxWorkers: number };
  presence: Pick<Presence, 'workers' | 'egresses' | 'cordon' | 'uncordon' | 'cordoned' | 'drained' | 'doubts'>;
  /** On its worker, by its worker-side id. Ended or unknown: does nothing. */
  stopEgress(egressId: string): Promise<void>;
  probe: Probe;
  policy: FleetPolicy;
  bootTimeoutMs: number;
  log: FleetLog;
  now: () => number;
  sleep: (ms: number) => Promise<void>;
  /** Accepted by this process a moment ago; without it only Temporal's index tells. */
  arrivals?: Pick<Arrivals, 'recent' | 'forget'>;
  /** Follows those that stop when people have left. */
  attendance?: Attendance;
  /** Told of every pass, for metrics. */
  onPass?: (pass: DonePass) => void;
}
