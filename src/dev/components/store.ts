// The cache of installed components: folders that appear whole or not at all, one installer at a time for each.
// It knows nothing of where a component comes from.
import { createHash } from 'node:crypto';
import { access, constants, mkdir, mkdtemp, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../common/error-message.ts';
import type { Report } from '../reporter.ts';

const lockPollMs = 250;

export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'reelkit');
}

export async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * The binary of the cached folder `key`, filled by `fill` when it is not there yet.
 * A second installer, in this process or another, waits for the first and then finds the work done.
 */
export async function installOnce(
  key: string,
  binary: string,
  fill: (folder: string) => Promise<void>,
  report: Report,
): Promise<string> {
  const root = cacheRoot();
  const installed = join(root, key, binary);
  if (await isExecutable(installed)) return installed;
  return withLock(join(root, `${key}.lock`), report, async () => {
    if (await isExecutable(installed)) return installed;
    await removeAbandonedFolders(root);
    const temporary = await mkdtemp(join(root, `.installing-${process.pid}-`));
    try {
      await fill(temporary);
      if (!(await isExecutable(join(temporary, binary))))
        throw new Error(`the installation of ${key} brought no ${binary}`);
      await rm(join(root, key), { recursive: true, force: true });
      await rename(temporary, join(root, key));
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    return installed;
  });
}

/** Removes what an interrupted installation of this process left; for signal handlers, after its children have ended. */
export async function removeOwnLeftovers(): Promise<void> {
  const root = cacheRoot();
  for (const entry of await readdir(root).catch(() => [])) {
    const file = join(root, entry);
    const isOwnFolder = entry.startsWith(`.installing-${process.pid}-`);
    const isOwnLock = entry.endsWith('.lock') && (await lockOwner(file)) === process.pid;
    if (isOwnFolder || isOwnLock) await rm(file, { recursive: true, force: true });
  }
}

/** A short hash over the names and contents of a folder's source files, tests and texts left out. */
export async function hashOfFolder(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && !/(_test\.go|\.md|\.log)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of files) hash.update(`${file.slice(folder.length)}\0`).update(await readFile(file));
  return hash.digest('hex').slice(0, 12);
}

/** Creates the cache folder; every installation needs it, so its failure is told before any source is tried. */
export async function ensureCacheIsWritable(): Promise<void> {
  const root = cacheRoot();
  try {
    await mkdir(root, { recursive: true });
    await access(root, constants.W_OK);
  } catch (error) {
    throw new Error(
      `cannot write to the cache folder ${root} (${messageOf(error)}): make it writable, or set XDG_CACHE_HOME to a folder that is`,
    );
  }
}

async function withLock<T>(file: string, report: Report, run: () => Promise<T>): Promise<T> {
  await acquireLock(file, report);
  try {
    return await run();
  } finally {
    await rm(file, { force: true });
  }
}

async function acquireLock(file: string, report: Report): Promise<void> {
  let announced = false;
  for (;;) {
    if (await createLock(file)) return;
    const owner = await lockOwner(file);
    if (owner !== undefined && !isAlive(owner)) {
      await rm(file, { force: true });
      continue;
    }
    if (!announced) report(`waiting for process ${owner ?? '?'}, which is installing the same (lock file ${file})`);
    announced = true;
    await sleep(lockPollMs);
  }
}

async function createLock(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function lockOwner(file: string): Promise<number | undefined> {
  const pid = Number(await readFile(file, 'utf8').catch(() => ''));
  return pid > 0 ? pid : undefined;
}

async function removeAbandonedFolders(root: string): Promise<void> {
  for (const entry of await readdir(root)) {
    const pid = Number(/^\.installing-(\d+)-/.exec(entry)?.[1] ?? 0);
    if (pid > 0 && !isAlive(pid)) await rm(join(root, entry), { recursive: true, force: true });
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
