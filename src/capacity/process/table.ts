// Which processes are ours, and ending them. A worker is known by its command line, which names its own configuration file: a
// process that merely got the same id is never touched.
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const EXEC_MS = 20;

/** @returns undefined when there is no such process, or it is a zombie */
export async function commandOf(pid: number): Promise<string[] | undefined> {
  if (process.platform === 'linux') {
    // Empty for a zombie, but also for an instant while a process becomes another program.
    let text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
    if (text === '') {
      await sleep(EXEC_MS);
      text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
    }
    return text ? text.split('\0').slice(0, -1) : undefined;
  }
  const { stdout } = await run('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => ({ stdout: '' }));
  const text = stdout.trim();
  return text === '' || text.endsWith('<defunct>') ? undefined : text.split(' ');
}

/** Processes with this in their environment, `NAME=value`, but never the calling one. None where there is no /proc. */
export async function processesWith(mark: string): Promise<number[]> {
  const pids = (await readdir('/proc').catch(() => [])).map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  const environments = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')));
  return pids.filter((_, index) => environments[index]?.split('\0').includes(mark));
}

export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  sendSignal(pid, signal);
}

/** The worker and everything it started, also what made a session of its own. */
export async function killTree(pid: number): Promise<void> {
  const descendants = await descendantsOf(pid);
  sendSignal(-pid, 'SIGKILL');
  for (const id of [pid, ...descendants]) sendSignal(id, 'SIGKILL');
}

export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  sendSignal(-pid, signal);
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** What it started, and what that started. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=']).catch(() => ({ stdout: '' }));
  const children = new Map<number, number[]>();
  for (const line of stdout.trim().split('\n')) {
    const [child = 0, parent = 0] = line.trim().split(/\s+/).map(Number);
    children.set(parent, [...(children.get(parent) ?? []), child]);
  }
  const found: number[] = [];
  for (let next = [pid]; next.length > 0; ) {
    next = next.flatMap((id) => children.get(id) ?? []);
    found.push(...next);
  }
  return found;
}
