// The folder of one worker process: its configuration, its log and what must be known to find the process again. The folder is
// the only state there is, so that a Reelkit that was killed finds its workers where it left them.
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface WorkerRecord {
  launchedAtMs: number;
  healthPort: number;
  metricsPort: number;
  templatePort: number;
  cpuCores: number;
  topic: string;
  /** Of the launch that made it. */
  token: string;
}

export const LOG_FILE = 'worker.log';
export const CONFIG_FILE = 'config.yaml';
/** Written by the worker's own shell before it becomes the worker, so that no crash of Reelkit can lose it. */
export const PID_FILE = 'pid';
/** The worker was asked to drain. */
export const DRAINED_FILE = 'drained';
/** It has ended, and nothing that it started is left. */
const CLEARED_FILE = 'cleared';
const RECORD_FILE = 'worker.json';

const LAST_LINES = 3;
const LAST_BYTES = 4_096;

/** @returns false when the worker exists already: the folder is what makes a launch happen once */
export async function claimFolder(folder: string): Promise<boolean> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

export async function listFolders(stateDir: string): Promise<string[]> {
  const entries = await readdir(stateDir, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

export function writeRecord(folder: string, record: WorkerRecord): Promise<void> {
  return writeFile(join(folder, RECORD_FILE), `${JSON.stringify(record, null, 2)}\n`);
}

export async function readRecord(folder: string): Promise<WorkerRecord | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, RECORD_FILE), 'utf8')) as WorkerRecord;
  } catch {
    return undefined;
  }
}

export async function readPid(folder: string): Promise<number | undefined> {
  const pid = Number((await readFile(join(folder, PID_FILE), 'utf8').catch(() => '')).trim());
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

export async function createdAtMs(folder: string): Promise<number> {
  return (await stat(folder)).mtimeMs;
}

export function markDrained(folder: string): Promise<void> {
  return writeFile(join(folder, DRAINED_FILE), '');
}

export function wasDrained(folder: string): Promise<boolean> {
  return exists(join(folder, DRAINED_FILE));
}

export function markCleared(folder: string): Promise<void> {
  return writeFile(join(folder, CLEARED_FILE), '');
}

export function wasCleared(folder: string): Promise<boolean> {
  return exists(join(folder, CLEARED_FILE));
}

function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

export async function lastLogLines(folder: string): Promise<string> {
  const text = (await readFile(join(folder, LOG_FILE), 'utf8').catch(() => '')).slice(-LAST_BYTES);
  return text.trim().split('\n').slice(-LAST_LINES).join(' / ');
}

export function removeFolder(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true });
}
