// Ends processes that outlived what started them: every process of a stack carries the stack's state folder in its environment.
// Reads /proc, so it finds nothing on systems without it. Never ends the calling process.

import { setTimeout as sleep } from 'node:timers/promises';
import { processesWith } from '../capacity/process/table.ts';
import { isAlive } from './components/store.ts';

export const stateDirVariable = 'REELKIT_STATE_DIR';

const pollMs = 50;

export function findLeftovers(stateDir: string): Promise<number[]> {
  return processesWith(`${stateDirVariable}=${stateDir}`);
}

/** SIGTERM, then SIGKILL for what is still there after the limit. Returns how many there were. */
export async function endLeftovers(stateDir: string, limitMs: number): Promise<number> {
  const pids = await findLeftovers(stateDir);
  for (const pid of pids) send(pid, 'SIGTERM');
  const deadline = performance.now() + limitMs;
  while (pids.some(isAlive) && performance.now() < deadline) await sleep(pollMs);
  for (const pid of await findLeftovers(stateDir)) send(pid, 'SIGKILL');
  return pids.length;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
