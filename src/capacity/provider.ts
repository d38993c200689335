// The contract of a capacity provider: how Reelkit gets workers and gives them back. One folder a provider beside this one.
// A provider knows its platform and nothing of recordings: it never decides how many, which, or when.

/**
 * requested: asked for, the platform has not begun. booting: it exists, the egress process is not up.
 * running: the platform says it runs (the probe decides whether it is ready). draining: takes no new egress, still runs.
 * gone: ended, kept in the list only as long as the platform shows it.
 */
type PlatformState = 'requested' | 'booting' | 'running' | 'draining' | 'gone';

export interface Worker {
  /** Unique within the provider and stable for the worker's life; safe in a log. */
  id: string;
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
  /** False for workers Reelkit did not launch: they are used, never drained or removed. */
  owned: boolean;
  /** The platform was told not to take it away (`protect`). Absent: neither that nor the contrary, or nothing to tell. */
  protected?: boolean;
  /** The platform itself does not reach the machine it is on. */
  cutOff?: boolean;
  /** The platform is about to take its machine away: why. It is asked to take nothing new at once, busy or not. */
  leaving?: string;
  /** Launched from settings that are no longer the ones new workers get: replaced once idle. */
  outdated?: boolean;
}

export interface CapacityLimits {
  minWorkers: number;
  /** Including booting and draining ones. */
  maxWorkers: number;
  /** CPU cores of one new worker. */
  coresPerWorker: number;
}

export interface LaunchResult {
  launched: string[];
  /** Why fewer than asked were launched. */
  error?: CapacityError;
}

export interface CapacityProvider {
  readonly kind: string;
  readonly limits: CapacityLimits;
  list(): Promise<Worker[]>;
  /**
   * Launches up to `count` workers in one step. The same token launches the same workers: a repeated call adds nothing.
   * @throws CapacityError when none could be launched
   */
  launch(count: number, token: string): Promise<LaunchResult>;
  /** Asks one worker to take no new egress and to end once idle. Unknown or gone: does nothing. */
  drain(id: string): Promise<void>;
  /** Ends exactly this worker. Only called on one that was drained and seen idle. Unknown or gone: does nothing. */
  remove(id: string): Promise<void>;
  /** Asks the platform to leave a busy worker alone, or releases an idle one. Absent where there is nobody to ask. */
  protect?(id: string, busy: boolean): Promise<void>;
  /** Calls back when a worker began to serve, ended, or new workers would differ. Absent: only `list` tells. */
  onChange?(listener: (why: string) => void): void;
  /** Checks configuration and permissions; one line for each problem with its remedy. */
  check(): Promise<string[]>;
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

export class CapacityError extends Error {
  readonly kind: CapacityErrorKind;
  readonly retryAfterMs: number | undefined;

  constructor(kind: CapacityErrorKind, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, { cause: options.cause });
    this.name = 'CapacityError';
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
  }
}
