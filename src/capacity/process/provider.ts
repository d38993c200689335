// Workers as processes of this machine, for development, tests and single-machine fleets. They outlive Reelkit: each has a
// folder in `stateDir`, and what is found there after a restart is adopted.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { CPU_REQUEST } from '../egress-worker.ts';
import { launchAll } from '../launch-all.ts';
import { CapacityError, type CapacityProvider, type Worker } from '../provider.ts';
import type { ProcessCapacity } from './config.ts';
import {
  CONFIG_FILE,
  claimFolder,
  createdAtMs,
  DRAINED_FILE,
  LOG_FILE,
  lastLogLines,
  listFolders,
  markCleared,
  markDrained,
  PID_FILE,
  readPid,
  readRecord,
  removeFolder,
  type WorkerRecord,
  wasCleared,
  wasDrained,
  writeRecord,
} from './files.ts';
import { findFreePorts } from './ports.ts';
import { commandOf, killTree, processesWith, signalGroup, signalProcess } from './table.ts';

/** A folder without a process this long after it was made belongs to a launch that was cut short. */
const LAUNCH_LIMIT_MS = 30_000;
const KEPT_ENDED_WORKERS = 20;
const LAUNCHES_AT_ONCE = 8;
const STOP_GRACE_MS = 2_000;
const PID_LIMIT_MS = 1_000;
const PID_POLL_MS = 50;
const CLEARING_ROUNDS = 20;
/** The worker's folder, in its environment and so in that of all it starts. */
const FOLDER_VARIABLE = 'REELKIT_WORKER_FOLDER';
/**
 * Notes its process id, waits, then becomes the worker. It looks for a request to drain after it noted the id, and drain writes
 * the request before it reads the id: one of the two always sees the other. `$0` marks a worker that has not booted.
 */
const BOOT_SCRIPT = `echo $$ > "$1"; drained="$2"; delay="$3"; shift 3
if [ "$delay" != 0 ] && [ ! -e "$drained" ]; then sleep "$delay"; fi
if [ -e "$drained" ]; then exit 0; fi
exec "$@"`;
const BOOT_NAME = 'reelkit-boot';

/** Until the egress answers, on an idle machine. */
const START_MS = 2_000;

export function createProcessProvider(settings: ProcessCapacity): CapacityProvider {
  const stateDir = resolve(settings.stateDir);
  const folderOf = (id: string) => join(stateDir, id);

  return {
    kind: 'process',
    limits: { coresPerWorker: settings.coresPerWorker, bootMs: settings.bootDelay + START_MS },

    async list() {
      const asOfMs = Date.now();
      const ids = await listFolders(stateDir);
      return { workers: await Promise.all(ids.map((id) => describeWorker(id, folderOf(id)))), asOfMs };
    },

    async launch(count, token) {
      await failUnlessUsable(settings, stateDir);
      await forgetOldWorkers(stateDir);
      const ids = Array.from({ length: count }, (_, index) => `w-${token}-${index + 1}`);
      const taken = await portsInUse(stateDir);
      return launchAll({
        ids,
        atOnce: LAUNCHES_AT_ONCE,
        launch: (id) => launchOne(folderOf(id), token, settings, taken),
        toError: toCapacityError,
      });
    },

    drain: (id) => drainWorker(folderOf(id)),

    async remove(id) {
      await drainWorker(folderOf(id));
      if (await endsWithin(folderOf(id), STOP_GRACE_MS)) return;
      const pid = await livePid(folderOf(id));
      if (pid !== undefined) await killTree(pid);
    },

    check: () => findProblems(settings, stateDir),
  };
}

/** Kills every worker found in the folder, recordings and all. For the development stack and tests. @returns how many */
export async function stopAllProcessWorkers(stateDir: string): Promise<number> {
  const folders = (await listFolders(stateDir)).map((id) => join(resolve(stateDir), id));
  const stopped = await Promise.all(
    folders.map(async (folder) => {
      if (await hasEnded(folder)) return 0;
      await markDrained(folder);
      const pid = await launchedPid(folder);
      if (pid !== undefined) await killTree(pid);
      return 1;
    }),
  );
  return stopped.reduce<number>((sum, one) => sum + one, 0);
}

/** A worker that was launched this moment has not written its process id yet; it must not be overlooked. */
async function launchedPid(folder: string): Promise<number | undefined> {
  for (let waitedMs = 0; waitedMs < PID_LIMIT_MS; waitedMs += PID_POLL_MS) {
    const pid = await livePid(folder);
    if (pid !== undefined || (await hasEnded(folder))) return pid;
    await new Promise((resolve) => setTimeout(resolve, PID_POLL_MS));
  }
  return undefined;
}

async function drainWorker(folder: string): Promise<void> {
  if (await hasEnded(folder)) return;
  await markDrained(folder);
  const pid = await livePid(folder);
  if (pid === undefined) return;
  // A worker that still waits to boot is a shell and its `sleep`; a booted one must get the signal alone, because its
  // recordings are its children.
  if (await isBooting(pid)) signalGroup(pid, 'SIGTERM');
  else signalProcess(pid, 'SIGTERM');
}

/** Unknown, or a process that is no more. A folder without a process id is one that is being launched. */
async function hasEnded(folder: string): Promise<boolean> {
  const pid = await readPid(folder);
  if (pid !== undefined) return !(await isWorker(pid, folder));
  return createdAtMs(folder).then(
    (sinceMs) => Date.now() - sinceMs > LAUNCH_LIMIT_MS,
    () => true,
  );
}

async function describeWorker(id: string, folder: string): Promise<Worker> {
  // In this order: a worker that has noted no process id when the request to drain was there finds it and does not start; and
  // one that notes it a moment later is still to come, not gone.
  const drained = await wasDrained(folder);
  const pid = await readPid(folder);
  const [record, alive] = await Promise.all([readRecord(folder), isWorker(pid, folder)]);
  const base = {
    id,
    owned: true,
    launchedAtMs: record?.launchedAtMs ?? (await createdAtMs(folder).catch(() => 0)),
    cpuCores: record?.cpuCores ?? 0,
    ...(record ? { topic: record.topic, token: record.token } : {}),
  };
  if (pid === undefined) return { ...base, ...notStarted(base.launchedAtMs, drained) };
  if (!alive) await clear(folder, pid);
  if (!alive || !record) return { ...base, state: 'gone', reason: drained ? 'drained' : await whyEnded(folder) };
  const state = drained ? 'draining' : (await isBooting(pid)) ? 'booting' : 'running';
  return {
    ...base,
    state,
    healthUrl: `http://127.0.0.1:${record.healthPort}/`,
    metricsUrl: `http://127.0.0.1:${record.metricsPort}/metrics`,
  };
}

function notStarted(launchedAtMs: number, drained: boolean): Pick<Worker, 'state' | 'reason'> {
  if (drained) return { state: 'gone', reason: 'given up before it started' };
  if (Date.now() - launchedAtMs < LAUNCH_LIMIT_MS) return { state: 'requested' };
  return { state: 'gone', reason: 'its launch was cut short' };
}

/**
 * livekit/egress runs each recording in a session of its own, and it records on when the worker alone is killed: nobody could stop it
 * then. So a worker is gone only when nothing is left of it.
 */
async function clear(folder: string, workerPid: number): Promise<void> {
  if (await wasCleared(folder)) return;
  for (let round = 0; round < CLEARING_ROUNDS; round += 1) {
    const left = await processesWith(`${FOLDER_VARIABLE}=${folder}`);
    if (left.includes(workerPid)) return;
    if (left.length === 0) return markCleared(folder);
    for (const pid of left) signalProcess(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, PID_POLL_MS));
  }
}

async function whyEnded(folder: string): Promise<string> {
  return `ended by itself; last lines of ${join(folder, LOG_FILE)}: ${(await lastLogLines(folder)) || '(empty)'}`;
}

async function livePid(folder: string): Promise<number | undefined> {
  const pid = await readPid(folder);
  return (await isWorker(pid, folder)) ? pid : undefined;
}

/** Is the process still the worker of this folder? */
async function isWorker(pid: number | undefined, folder: string): Promise<boolean> {
  const command = pid === undefined ? undefined : await commandOf(pid);
  return command?.includes(join(folder, CONFIG_FILE)) ?? false;
}

async function isBooting(pid: number): Promise<boolean> {
  return (await commandOf(pid))?.includes(BOOT_NAME) ?? false;
}

async function endsWithin(folder: string, limitMs: number): Promise<boolean> {
  for (const startedAt = performance.now(); performance.now() - startedAt < limitMs; ) {
    if ((await livePid(folder)) === undefined) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return (await livePid(folder)) === undefined;
}

async function launchOne(folder: string, token: string, settings: ProcessCapacity, taken: Set<number>): Promise<void> {
  if (!(await claimFolder(folder))) return;
  try {
    const record = await prepare(folder, token, settings, taken);
    await start(folder, settings, record);
  } catch (error) {
    await removeFolder(folder);
    throw error;
  }
}

async function prepare(
  folder: string,
  token: string,
  settings: ProcessCapacity,
  taken: Set<number>,
): Promise<WorkerRecord> {
  const [healthPort = 0, metricsPort = 0, templatePort = 0] = await findFreePorts(3, taken);
  const topic = basename(folder);
  const config = {
    ...(parse(await readFile(settings.configFile, 'utf8')) as object),
    health_port: healthPort,
    prometheus_port: metricsPort,
    template_port: templatePort,
    cluster_id: topic,
  };
  await writeFile(join(folder, CONFIG_FILE), stringify(config), { mode: 0o600 });
  const ports = { healthPort, metricsPort, templatePort };
  const record = { launchedAtMs: Date.now(), ...ports, cpuCores: settings.coresPerWorker, topic, token };
  await writeRecord(folder, record);
  return record;
}

/** In a session of its own, so that neither Ctrl-C nor the end of Reelkit reaches it. */
async function start(folder: string, settings: ProcessCapacity, record: WorkerRecord): Promise<void> {
  const log = await open(join(folder, LOG_FILE), 'a', 0o600);
  try {
    const delaySeconds = String(settings.bootDelay / 1_000);
    const command = [settings.bin, '--config', join(folder, CONFIG_FILE)];
    const files = [join(folder, PID_FILE), join(folder, DRAINED_FILE)];
    const child = spawn('/bin/sh', ['-c', BOOT_SCRIPT, BOOT_NAME, ...files, delaySeconds, ...command], {
      cwd: folder,
      detached: true,
      env: { ...workerEnvironment(settings, record), [FOLDER_VARIABLE]: folder },
      stdio: ['ignore', log.fd, log.fd],
    });
    await once(child, 'spawn');
    child.unref();
  } finally {
    await log.close();
  }
}

/** Reelkit's own settings stay with Reelkit, and nothing may override the worker's configuration file. */
function workerEnvironment(settings: ProcessCapacity, record: WorkerRecord): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(REELKIT_|TEMPORAL_|EGRESS_CONFIG)/.test(name));
  const given = { ...Object.fromEntries(inherited), ...settings.env };
  return { ...given, PATH: pathOf(settings.bin, given.PATH), [CPU_REQUEST]: String(record.cpuCores) };
}

/** livekit/egress starts each recording as a process of its own, which it looks for as `egress` on PATH. */
export function pathOf(bin: string, path = process.env.PATH): string {
  return [dirname(resolve(bin)), path].filter(Boolean).join(delimiter);
}

async function portsInUse(stateDir: string): Promise<Set<number>> {
  const records = await Promise.all((await listFolders(stateDir)).map((id) => readRecord(join(stateDir, id))));
  return new Set(
    records.flatMap((record) => (record ? [record.healthPort, record.metricsPort, record.templatePort] : [])),
  );
}

/** Logs of the latest ended workers stay for a look; older ones go. */
async function forgetOldWorkers(stateDir: string): Promise<void> {
  const ids = await listFolders(stateDir);
  const workers = await Promise.all(ids.map((id) => describeWorker(id, join(stateDir, id))));
  const ended = workers.filter(({ state }) => state === 'gone').sort((a, b) => b.launchedAtMs - a.launchedAtMs);
  await Promise.all(ended.slice(KEPT_ENDED_WORKERS).map(({ id }) => removeFolder(join(stateDir, id))));
}

async function failUnlessUsable(settings: ProcessCapacity, stateDir: string): Promise<void> {
  const problems = await findProblems(settings, stateDir);
  if (problems.length > 0) throw new CapacityError('configuration', problems.join('; '));
}

async function findProblems({ bin, configFile }: ProcessCapacity, stateDir: string): Promise<string[]> {
  const problems: string[] = [];
  if (!(await isExecutable(bin))) {
    problems.push(
      `fleet.capacity.bin "${bin}" is not an executable file: name the egress binary there or in REELKIT_EGRESS_BIN`,
    );
  }
  const config = await readFile(configFile, 'utf8').then(parse, (error: Error) => error);
  if (config instanceof Error || typeof config !== 'object' || config === null) {
    const why = config instanceof Error ? config.message : 'it holds no keys';
    problems.push(
      `fleet.capacity.configFile "${configFile}" cannot be used: ${why}; it must be the YAML of livekit/egress`,
    );
  }
  const writable = await mkdir(stateDir, { recursive: true }).then(
    () => access(stateDir, constants.W_OK).then(() => '', String),
    String,
  );
  if (writable) problems.push(`fleet.capacity.stateDir "${stateDir}" cannot be written: ${writable}`);
  return problems;
}

async function isExecutable(bin: string): Promise<boolean> {
  const candidates = bin.includes('/')
    ? [bin]
    : (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, bin));
  const found = await Promise.all(
    candidates.map((path) =>
      access(path, constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

const NO_CAPACITY = new Set(['EAGAIN', 'ENOMEM', 'ENOSPC', 'EDQUOT']);
const CONFIGURATION = new Set(['ENOENT', 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR']);

function toCapacityError(cause: unknown): CapacityError {
  if (cause instanceof CapacityError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const kind = NO_CAPACITY.has(code ?? '')
    ? 'no_capacity'
    : CONFIGURATION.has(code ?? '')
      ? 'configuration'
      : 'retryable';
  return new CapacityError(kind, `a worker process could not be started: ${message}`, { code, cause });
}
