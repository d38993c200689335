// Ctrl-C, and the certain end of every process this one started, however it ends.
// The processes of a run carry its state folder in their environment (dev/leftovers.ts); installers get it too, from here.

import { readdirSync, readFileSync } from 'node:fs';
import { removeOwnLeftovers } from '../dev/components/store.ts';
import { endLeftovers, stateDirVariable } from '../dev/leftovers.ts';

export interface Interruption {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Rejects then, and never resolves: to be raced with the work. */
  readonly happened: Promise<never>;
}

export class Interrupted extends Error {
  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`);
    this.name = 'Interrupted';
  }
}

export const interruptedStatus = 130;
const leftoverLimitMs = 1_500;

/** Call it first: everything started afterwards is marked, and found again at the end. */
export function watchForInterruption(stateDir: string): Interruption {
  process.env[stateDirVariable] = stateDir;
  process.on('exit', () => killMarkedNow(stateDir));
  const controller = new AbortController();
  const happened = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        // A second one does not wait for an orderly end; what still runs is killed on the way out.
        if (controller.signal.aborted) process.exit(interruptedStatus);
        controller.abort(new Interrupted(signal));
        reject(controller.signal.reason);
      });
    }
  });
  happened.catch(() => undefined);
  return { signal: controller.signal, happened };
}

/** The last step of an orderly end: whatever is still there, half-finished installations included. */
export async function leaveNothing(stateDir: string): Promise<void> {
  await endLeftovers(stateDir, leftoverLimitMs);
  await removeOwnLeftovers();
}

/** Synchronous, because an exiting process can do nothing else. */
function killMarkedNow(stateDir: string): void {
  const marker = `${stateDirVariable}=${stateDir}`;
  for (const entry of listProcesses()) {
    const pid = Number(entry);
    if (!(pid > 0) || pid === process.pid || !isMarked(pid, marker)) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc');
  } catch {
    return [];
  }
}

function isMarked(pid: number, marker: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(marker);
  } catch {
    return false;
  }
}
