// One child process of the local stack: output to a file, ready or a readable error, an end that is certain.
// Each child leads its own process group, so that Ctrl-C on the terminal reaches us first and we stop things in order.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endAtExit } from './last-resort.ts';
import { lastLines } from './text.ts';

export interface ChildSpec {
  /** As people know it: `Temporal`, `LiveKit`. Appears in every error. */
  name: string;
  command: string;
  args: readonly string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Receives stdout and stderr; appended to, so that a restarted part keeps its history. */
  logFile: string;
  ready: () => Promise<boolean>;
  readyTimeoutMs: number;
}

export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  isRunning(): boolean;
  /** Resolves with how it ended (`exit status 1`, `SIGKILL`), whoever ended it. */
  readonly ended: Promise<string>;
  /** Sends the signal to the child's whole process group and waits for its end. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** SIGTERM, then SIGKILL after the limit. Does nothing when the child has ended. */
  stop(limitMs?: number): Promise<void>;
}

const defaultStopLimitMs = 5_000;
const readyPollMs = 40;
const shownLogLines = 15;

export async function startChild(spec: ChildSpec): Promise<Child> {
  const child = spawnChild(spec);
  const deadline = performance.now() + spec.readyTimeoutMs;
  let end: string | undefined;
  void child.ended.then((how) => {
    end = how;
  });
  for (;;) {
    const ready = await spec.ready().catch(() => false);
    if (end !== undefined) throw await startError(spec, `ended at once (${end})`);
    if (ready) return child;
    if (performance.now() > deadline) {
      await child.kill('SIGKILL');
      throw await startError(spec, `was not ready after ${spec.readyTimeoutMs / 1000} s`);
    }
    await Promise.race([sleep(readyPollMs), child.ended]);
  }
}

function spawnChild(spec: ChildSpec): Child {
  mkdirSync(dirname(spec.logFile), { recursive: true });
  const log = openSync(spec.logFile, 'a');
  const process_ = spawn(spec.command, spec.args, {
    cwd: spec.cwd,
    env: { ...process.env, ...spec.env },
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  const forget = endAtExit(() => signalGroup(process_, 'SIGKILL'));
  const ended = new Promise<string>((resolve) => {
    process_.once('error', (error) => resolve(error.message));
    process_.once('exit', (status, signal) => resolve(signal ?? `exit status ${status}`));
  }).finally(forget);
  return toChild(spec, process_, ended);
}

function toChild(spec: ChildSpec, process_: ChildProcess, ended: Promise<string>): Child {
  const isRunning = () => process_.pid !== undefined && process_.exitCode === null && process_.signalCode === null;
  const kill = async (signal: NodeJS.Signals) => {
    if (!isRunning()) return;
    signalGroup(process_, signal);
    await ended;
  };
  const stop = async (limitMs = defaultStopLimitMs) => {
    const patience = setTimeout(signalGroup, limitMs, process_, 'SIGKILL');
    await kill('SIGTERM').finally(() => clearTimeout(patience));
  };
  return { name: spec.name, pid: process_.pid ?? 0, logFile: spec.logFile, isRunning, ended, kill, stop };
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended already.
  }
}

async function startError(spec: ChildSpec, what: string): Promise<Error> {
  const log = await readFile(spec.logFile, 'utf8').catch(() => '');
  const tail = log.trim() === '' ? 'it wrote nothing' : `its last lines:\n${lastLines(log, shownLogLines)}`;
  return new Error(`${spec.name} (${spec.command}) ${what}; log: ${spec.logFile}; ${tail}`);
}
