// The contract of a capacity provider: how Reelkit gets workers and gives them back. One folder a provider beside this one.
// A provider knows its platform and nothing of recordings: it never decides how many, which, or when.
import { defined } from '../common/defined.ts';

/**
 * requested: asked for, the platform has not begun. booting: it exists, the egress process is not up.
 * running: the platform says it runs (the probe decides whether it is ready). draining: takes no new egress, still runs.
 * gone: ended, kept in the list only as long as the platform shows it.
 */
type PlatformState = 'requested' | 'booting' | 'running' | 'draining' | 'gone';

export interface Worker {
  /** Unique within the provider, stable for the worker's life once `launchedAs` is absent or set; safe in a log. */
  id: string;
  /**
   * Under which `launch` told of it, where the platform names its workers only later: the same worker, and no boot that failed. `drain`
   * and `remove` take either.
   */
  launchedAs?: string;
  /** Of the launch that made it: whoever repeats that launch adopts it. Absent on workers that are not owned. */
  token?: string;
  state: PlatformState;
  /** Where it listens for starts: its `cluster_id`. Absent: nothing can be dispatched to it. */
  topic?: string;
  /** The platform's own words on why it is not running, for the operator. */
  reason?: string;
  launchedAtMs: number;
  /** GET / answers the worker's health JSON. Absent until the address is known. */
  healthUrl?: string;
  /** GET answers Prometheus text. */
  metricsUrl?: string;
  /** CPU cores its admission counts (`LIVEKIT_CPU_REQUEST`, else its own). */
  cpuCores: number;
  /** False for workers this fleet did not launch: they are used, never drained or removed. */
  owned: boolean;
  /** The platform was told not to take it away (`protect`). Absent: neither that nor the contrary, or nothing to tell. */
  protected?: boolean;
  /** The platform itself does not reach the machine it is on. */
  cutOff?: boolean;
  /** The platform is about to take its machine away: why. It is asked to take nothing new at once, busy or not. */
  leaving?: string;
  /**
   * The platform has announced that it ends this worker, whatever it does, at this time (unix ms): a spot notice, a stop with a time
   * limit. Nothing new is sent to it, and the recordings on it are told.
   */
  endsAtMs?: number;
  /** Launched from settings that are no longer the ones new workers get: replaced once idle. */
  outdated?: boolean;
}

export interface WorkerList {
  workers: Worker[];
  /** When the platform said so; where it tells by itself, until when it is known to have told. Who is absent has ended or began later. */
  asOfMs: number;
}

/** What the platform itself allows and needs. How many workers, and when, is the fleet's (its `minWorkers`, `maxWorkers`, `cooldown`). */
export interface PlatformLimits {
  /** CPU cores of one new worker. */
  coresPerWorker: number;
  /** One launch of the platform makes no more; larger ones are made in batches. Absent: any number. */
  maxPerLaunch?: number;
  /** So many there are, never more or fewer: it launches none. */
  fixedWorkers?: number;
  /** Answers of `list` are shared this long, so that a hundred looks are one call. Absent: asking costs nothing. */
  listEveryMs?: number;
  /** How long a boot usually takes here: a fleet that gives up earlier never has a worker. Absent: not known. */
  bootMs?: number;
  /** A drained worker is killed after this, whatever it runs: one that is not known to be idle is not drained. Absent: it may finish. */
  drainLimitMs?: number;
}

/** Why some workers were not launched. */
export interface LaunchProblem {
  kind: CapacityErrorKind;
  /** The platform's own word: `InsufficientInstanceCapacity`, `EAGAIN`. */
  code: string;
  message: string;
  /** Workers that are missing for it. */
  count: number;
  retryAfterMs?: number;
}

export interface LaunchResult {
  /** Ids under which `list` shows them, at once or within a minute, as `id` or `launchedAs`. */
  launched: string[];
  /** Empty when all were launched. */
  problems: LaunchProblem[];
}

/** What one folder implements. The rest of Reelkit sees it through guard.ts, which adds what must hold for all of them. */
export interface CapacityProvider {
  readonly kind: string;
  readonly limits: PlatformLimits;
  /** Those of this fleet. Costs the same number of calls however often it is asked and however many workers there are, or a page a hundred. */
  list(): Promise<WorkerList>;
  /**
   * Launches up to `count` workers, never more than `maxPerLaunch`, in one step. The same token launches the same workers: a repeat, also by
   * a process that knows nothing of the first, adds nothing and names what there is.
   * @throws CapacityError when none could be launched
   */
  launch(count: number, token: string): Promise<LaunchResult>;
  /**
   * Asks one worker to take no new egress and to end once idle. What it runs it finishes, unless `drainLimitMs` says otherwise. Unknown or
   * gone: does nothing.
   */
  drain(id: string): Promise<void>;
  /** Ends exactly this worker, at once. Only called on one that is idle or of which nothing is left. Unknown or gone: does nothing. */
  remove(id: string): Promise<void>;
  /** Asks the platform to leave a busy worker alone, or releases an idle one. Absent where there is nobody to ask. */
  protect?(id: string, busy: boolean): Promise<void>;
  /** Calls back when a worker began to serve, ended, or new workers would differ. Absent: only `list` tells. */
  onChange?(listener: (why: string) => void): void;
  /** Checks configuration and permissions; one line for each problem with its remedy. */
  check(): Promise<string[]>;
  /** What works, and somebody should know of: one line each with its remedy. Asks nobody. Absent: nothing. */
  warnings?(): string[];
  /** Ends what runs in the background. Workers go on. */
  close?(): Promise<void>;
}

/** The part of pino that providers use. */
export interface ProviderLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** retryable: throttled, slow, a passing fault. no_capacity: quota or nothing to be had. configuration: a person must act. */
export type CapacityErrorKind = 'retryable' | 'no_capacity' | 'configuration';

interface CapacityErrorOptions {
  /** The platform's own word; the kind, where it has none. */
  code?: string | undefined;
  cause?: unknown;
  retryAfterMs?: number | undefined;
}

export class CapacityError extends Error {
  readonly kind: CapacityErrorKind;
  readonly code: string;
  readonly retryAfterMs: number | undefined;

  constructor(kind: CapacityErrorKind, message: string, { code, cause, retryAfterMs }: CapacityErrorOptions = {}) {
    super(message, { cause });
    this.name = 'CapacityError';
    this.kind = kind;
    this.code = code ?? kind;
    this.retryAfterMs = retryAfterMs;
  }
}

export function launchProblemOf({ kind, code, message, retryAfterMs }: CapacityError, count: number): LaunchProblem {
  return { kind, code, message, count, ...defined({ retryAfterMs }) };
}
