// One container as a real egress process: free ports instead of those in its configuration, a log file, a process group of its
// own. It decides nothing about restarts.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { findFreePorts } from '../../../../src/capacity/process/ports.ts';
import { pathOf } from '../../../../src/capacity/process/provider.ts';
import { killTree, signalProcess } from '../../../../src/capacity/process/table.ts';
import { endAtExit } from '../../../../src/dev/last-resort.ts';
import { stateDirVariable } from '../../../../src/dev/leftovers.ts';

export interface WorkerSettings {
  egressBin: string;
  /** Working folders and logs, one a pod. */
  dir: string;
  workerEnv: Readonly<Record<string, string>>;
  /** Ports given to workers that may not have bound them yet. */
  takenPorts: Set<number>;
}

/** Where it is reached, when not at free ports of this machine. */
export interface FixedAddress {
  /** Of the loopback network, its own. */
  host: string;
  health: number;
  metrics: number;
}

export interface Exit {
  exitCode: number;
  reason: 'Completed' | 'Error' | 'StartError';
  message?: string;
}

export interface EgressWorker {
  readonly pid: number;
  readonly startedAt: Date;
  /** By the name of the container's port. */
  readonly ports: Readonly<Record<string, number>>;
  readonly exit: Promise<Exit>;
  isRunning(): boolean;
  /** To the process alone: its recordings are its children. */
  term(): void;
  /** The whole tree. */
  kill(): Promise<void>;
}

export async function startWorker(
  settings: WorkerSettings,
  name: string,
  env: Record<string, string>,
  fixed?: FixedAddress,
): Promise<EgressWorker> {
  const free = await findFreePorts(fixed ? 1 : 3, settings.takenPorts);
  const [template = 0, health = fixed?.health ?? 0, metrics = fixed?.metrics ?? 0] = free;
  const ports = { health, metrics };
  const config = {
    ...(parse(env.EGRESS_CONFIG_BODY ?? '') as object | null),
    health_port: health,
    prometheus_port: metrics,
    template_port: template,
  };
  const child = spawnWorker(settings, name, {
    ...env,
    EGRESS_CONFIG_BODY: stringify(config),
    ...(fixed && { STANDIN_LISTEN: fixed.host }),
  });
  const forget = endAtExit(() => signalGroupOf(child));
  const exit = exitOf(child).finally(() => {
    forget();
    // What the process leaves behind ends with its container.
    signalGroupOf(child);
    for (const port of free) settings.takenPorts.delete(port);
  });
  const isRunning = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? 0,
    startedAt: new Date(),
    ports,
    exit,
    isRunning,
    term: () => isRunning() && signalProcess(child.pid ?? 0, 'SIGTERM'),
    kill: async () => {
      if (isRunning()) await killTree(child.pid ?? 0);
    },
  };
}

function spawnWorker(settings: WorkerSettings, name: string, env: Record<string, string>): ChildProcess {
  const cwd = join(settings.dir, name);
  mkdirSync(cwd, { recursive: true });
  const log = openSync(join(cwd, 'egress.log'), 'a');
  try {
    return spawn(settings.egressBin, [], {
      cwd,
      detached: true,
      stdio: ['ignore', log, log],
      env: {
        HOME: process.env.HOME,
        PATH: pathOf(settings.egressBin),
        ...env,
        [stateDirVariable]: settings.dir,
        ...settings.workerEnv,
      },
    });
  } finally {
    closeSync(log);
  }
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('error', ({ message }) => resolve({ exitCode: 128, reason: 'StartError', message }));
    child.once('exit', (code, signal) => {
      const exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0);
      resolve({ exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' });
    });
  });
}

function signalGroupOf({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing is left of it.
  }
}
