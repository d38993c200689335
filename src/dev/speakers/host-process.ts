// The parent's side of the speakers' process: starts it when the first speaker is wanted, ends it after the last one.
// Its output goes to a file, never to the terminal.

import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { repositoryRoot } from '../components/sources.ts';
import { endAtExit } from '../last-resort.ts';
import { lastLines } from '../text.ts';
import type { FromHost, PublishedTracks, SpeakerSpec, ToHost } from './messages.ts';

export interface SpeakerHost {
  start(spec: SpeakerSpec): Promise<{ id: number; tracks: PublishedTracks }>;
  stop(id: number): Promise<void>;
  /** Ends the process, and every speaker with it, without a word to LiveKit. */
  kill(): Promise<void>;
  readonly pid: number;
}

type Answer = Extract<FromHost, { id: number }>;

const endLimitMs = 4_000;

export function startSpeakerHost(logFile: string, onEnded: () => void): SpeakerHost {
  const child = forkHost(logFile);
  const waiting = new Map<string, (answer: Answer) => void>();
  const live = new Set<number>();
  let nextId = 1;
  const killNow = () => child.kill('SIGKILL');
  const forget = endAtExit(killNow);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      forget();
      onEnded();
      for (const answer of waiting.values()) answer({ type: 'failed', id: 0, error: crashText(logFile) });
      resolve();
    });
  });
  child.on('message', (message: FromHost) => {
    if (message.type === 'ready') return;
    const key = `${message.type === 'stopped' ? 'stop' : 'start'} ${message.id}`;
    waiting.get(key)?.(message);
    waiting.delete(key);
  });
  const ask = (message: ToHost) =>
    new Promise<Answer>((resolve) => {
      waiting.set(`${message.type} ${message.id}`, resolve);
      child.send(message, (error) => {
        if (error) resolve({ type: 'failed', id: message.id, error: crashText(logFile) });
      });
    });
  const endIfLast = async () => {
    if (live.size > 0 || child.exitCode !== null || child.signalCode !== null) return;
    onEnded();
    const patience = setTimeout(killNow, endLimitMs);
    if (child.connected) child.disconnect();
    await ended.finally(() => clearTimeout(patience));
  };
  return {
    pid: child.pid ?? 0,
    async start(spec) {
      const id = nextId++;
      live.add(id);
      const answer = await ask({ type: 'start', id, spec });
      if (answer.type === 'started') return { id, tracks: answer.tracks };
      live.delete(id);
      await endIfLast();
      throw new Error(answer.type === 'failed' ? answer.error : 'stopped while it was starting');
    },
    async stop(id) {
      if (!live.has(id)) return;
      await ask({ type: 'stop', id });
      live.delete(id);
      await endIfLast();
    },
    async kill() {
      killNow();
      await ended;
    },
  };
}

function forkHost(logFile: string): ChildProcess {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  const loader = pathToFileURL(join(repositoryRoot, 'node_modules/tsx/dist/loader.mjs')).href;
  const child = fork(fileURLToPath(new URL('./host.ts', import.meta.url)), [], {
    execArgv: ['--import', loader],
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
  });
  closeSync(log);
  return child;
}

function crashText(logFile: string): string {
  return `the speakers' process has ended; log: ${logFile}; its last lines:\n${lastLines(readFileSync(logFile, 'utf8'), 10)}`;
}
