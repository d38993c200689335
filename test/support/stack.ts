// The real thing for end-to-end tests: Temporal, LiveKit and Redis of this test file, `reelkit serve` as a child process, and the
// egress workers it starts. `useStack` in a file gives all of it to its tests, and asserts that nothing is left afterwards.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import type { FleetView } from '../../src/api/schemas.ts';
import { stopAllProcessWorkers } from '../../src/capacity/process/provider.ts';
import { killTree } from '../../src/capacity/process/table.ts';
import { ensureComponents, ensureStandIn } from '../../src/dev/components.ts';
import { findLeftovers, stateDirVariable } from '../../src/dev/leftovers.ts';
import {
  createReelkitService,
  isPlatform,
  type ReelkitService,
  type ReelkitServiceOptions,
} from '../../src/dev/reelkit-service.ts';
import { type Stack, type StackOptions, startStack, workersFolders } from '../../src/dev/stack.ts';
import { clientDataConverter } from '../../src/temporal/converter.ts';
import { loadKeyring } from '../../src/temporal/keys.ts';
import { type AccountOptions, NOBODY, startAccount, type TestAccount } from './stack-account.ts';
import { type Api, createApi } from './stack-api.ts';
import { type ClusterOptions, startCluster, type TestCluster } from './stack-cluster.ts';
import { createLiveKit, type LiveKit } from './stack-livekit.ts';
import { nameLogs, waitFor } from './stack-wait.ts';

type ServiceConfig = NonNullable<ReelkitServiceOptions['config']>;
export interface ServiceOptions {
  fleet?: ServiceConfig['fleet'];
  capacity?: ServiceConfig['capacity'];
  /** In a cluster; the ClusterRole for it is the test's to make. */
  watchNodes?: boolean;
  api?: ServiceConfig['api'];
  /** More of the configuration. */
  config?: ServiceConfig;
  /** Record for real; without it the workers only pretend, and need no publisher. */
  media?: boolean;
  /** REELKIT_EGRESS_BIN's worker, where that names one, instead of the stand-in; nothing may need the stand-in's switches then. */
  realWorker?: boolean;
  /** More environment of the workers: the stand-in's STANDIN_ switches. In a cluster, of the cluster's own options. */
  workerEnv?: Record<string, string>;
  egress?: Record<string, unknown>;
  /** Where the API listens instead of where LiveKit sends its webhooks. */
  apiPort?: number;
}

export interface LiveWorker {
  id: string;
  pid: number;
}

export interface TestStack {
  readonly stack: Stack;
  readonly api: Api;
  readonly livekit: LiveKit;
  readonly temporal: Client;
  readonly service: ReelkitService;
  /** Of a stack that was asked for with one. */
  readonly cluster: TestCluster;
  /** Of a stack that was asked for with one. */
  readonly account: TestAccount;
  readonly binaries: Record<'ffmpeg' | 'ffprobe', string>;
  /** The binary of the egress workers. */
  readonly egressBin: string;
  /** Ends the service and starts it with other options; what Temporal knows stays. */
  restartService(options: ServiceOptions): Promise<void>;
  /** The egress workers that live; each process leads its own group. */
  workers(): Promise<LiveWorker[]>;
  /** The worker that shows this egress. */
  workerOf(egressId: string): Promise<LiveWorker>;
  /** SIGKILL to the worker that shows this egress, and to all that it started. @returns the worker's id */
  killWorkerOf(egressId: string): Promise<string>;
  untilFleetIsEmpty(): Promise<void>;
}

/** Everything a test waits for happens within seconds with these. */
const FLEET: ServiceConfig['fleet'] = {
  minWorkers: 0,
  maxWorkers: 4,
  cooldown: '2s',
  bootTimeout: '60s',
  busyInterval: '500ms',
  watchInterval: '2s',
  confirmAfter: '2s',
};
const SERVICE_READY_MS = 90_000;
const LEAVING_MS = 5_000;

type Options = ServiceOptions & { stack?: Partial<StackOptions>; cluster?: ClusterOptions; account?: AccountOptions };

/** Call once at the top of a test file. */
export function useStack(options: Options = {}): TestStack {
  const state: { current?: Running } = {};
  let failed = false;
  beforeAll(async () => {
    state.current = await startRunning(options);
  });
  afterEach(({ task }) => {
    failed ||= task.result?.state === 'fail';
  });
  afterAll(async () => {
    await state.current?.end(failed);
  });
  const running = () => {
    if (!state.current) throw new Error('the stack has not started');
    return state.current;
  };
  return {
    get account() {
      return running().account;
    },
    get stack() {
      return running().stack;
    },
    get api() {
      return running().api;
    },
    get livekit() {
      return running().livekit;
    },
    get temporal() {
      return running().temporal;
    },
    get service() {
      return running().service;
    },
    get binaries() {
      return running().binaries;
    },
    get egressBin() {
      return running().egressBin;
    },
    get cluster() {
      return running().cluster;
    },
    restartService: (next) => running().restartService(next),
    workers: () => running().workers(),
    workerOf: (egressId) => running().workerOf(egressId),
    killWorkerOf: (egressId) => running().killWorkerOf(egressId),
    untilFleetIsEmpty: () => running().untilFleetIsEmpty(),
  };
}

interface Running extends TestStack {
  end(keepFiles: boolean): Promise<void>;
}

async function startRunning({
  stack: stackOptions = {},
  cluster: wanted,
  account: asked,
  ...given
}: Options): Promise<Running> {
  const stateDir = await mkdtemp(join(tmpdir(), 'reelkit-e2e-'));
  nameLogs(join(stateDir, 'logs'));
  const named = given.realWorker ? process.env.REELKIT_EGRESS_BIN : '';
  const egressBin = named || (await ensureStandIn(() => {}));
  const binaries = await ensureComponents(['ffmpeg', 'ffprobe'], () => {});
  const stack = await startStack({ stateDir, redisPersistence: true, ...stackOptions });
  const connection = Connection.lazy({ address: stack.temporal.address });
  let service: ReelkitService | undefined;
  let cluster: TestCluster | undefined;
  let account: TestAccount | undefined;
  const onPlatform = (options: ServiceOptions): ServiceOptions => {
    if (account) return { ...options, capacity: account.capacity };
    return cluster
      ? { ...options, capacity: { ...cluster.capacity, watchNodes: options.watchNodes ?? false } }
      : options;
  };
  try {
    if (wanted) cluster = await startCluster(stack, egressBin, withMedia(wanted, given.media));
    if (asked) account = await startAccount(stack, egressBin, asked);
    service = await startService(stack, egressBin, onPlatform(given));
  } catch (error) {
    await cluster?.stop();
    await account?.stop();
    await stack.stop();
    throw error;
  }
  const api = createApi(() => (service as ReelkitService).url, stack.livekit);
  const workers = async () => {
    if (account) return account.workers();
    return cluster ? cluster.kubelet.processes().map(({ pod, pid }) => ({ id: pod, pid })) : livingWorkers(stateDir);
  };
  const workerOf = async (egressId: string): Promise<LiveWorker> => {
    const shows = (fleets: FleetView[]) =>
      fleets.flatMap(({ workers: all }) => all).find(({ egressIds }) => egressIds.includes(egressId));
    const fleets = await waitFor(`a worker shows ${egressId}`, api.fleets, (seen) => shows(seen) !== undefined);
    const id = shows(fleets)?.id ?? '';
    const worker = (await workers()).find((one) => one.id === id);
    if (!worker) throw new Error(`worker ${id} has no process`);
    return worker;
  };

  return {
    stack,
    api,
    livekit: createLiveKit(stack.livekit),
    temporal: new Client({
      connection,
      namespace: stack.temporal.namespace,
      dataConverter: clientDataConverter(loadKeyring({ keyFile: service.keyFile }).keys),
    }),
    get service() {
      return service as ReelkitService;
    },
    get cluster() {
      if (!cluster) throw new Error('this stack was asked for without a cluster');
      return cluster;
    },
    get account() {
      if (!account) throw new Error('this stack was asked for without an account');
      return account;
    },
    binaries,
    egressBin,
    async restartService(next) {
      await service?.stop();
      service = await startService(stack, egressBin, onPlatform(next));
    },
    workers,
    workerOf,
    async killWorkerOf(egressId) {
      const { id, pid } = await workerOf(egressId);
      await killTree(pid);
      return id;
    },
    async untilFleetIsEmpty() {
      await waitFor('no worker process', workers, ({ length }) => length === 0);
    },
    async end(keepFiles) {
      await service?.stop();
      await Promise.all((await workersFolders(stateDir)).map(stopAllProcessWorkers));
      await connection.close();
      await cluster?.stop();
      await account?.stop();
      await stack.stop();
      const left = await leftAfter(stateDir);
      if (!keepFiles) await rm(stateDir, { recursive: true, force: true });
      expect(left, 'processes that outlived the test file').toEqual([]);
    },
  };
}

async function startService(stack: Stack, egressBin: string, options: ServiceOptions): Promise<ReelkitService> {
  const { fleet, capacity, api, config, media, workerEnv, egress, apiPort } = options;
  const place =
    apiPort === undefined ? stack.api : { host: '127.0.0.1', port: apiPort, url: `http://127.0.0.1:${apiPort}` };
  const service = await createReelkitService({
    stack: { ...stack, api: place },
    egressBin,
    config: {
      logLevel: 'debug',
      shutdownGrace: '10s',
      ...config,
      api,
      fleet: { ...FLEET, ...fleet },
      capacity: isPlatform(capacity)
        ? capacity
        : {
            coresPerWorker: 4,
            ...capacity,
            env: {
              [stateDirVariable]: stack.stateDir,
              ...(media ? {} : WITHOUT_MEDIA),
              ...workerEnv,
            },
          },
    },
    egress,
    env: capacity?.provider === 'ecs' || capacity?.provider === 'asg' ? NOBODY : {},
    readyTimeoutMs: SERVICE_READY_MS,
  });
  await service.start();
  return service;
}

const WITHOUT_MEDIA = { STANDIN_MEDIA: 'none' };

function withMedia(cluster: ClusterOptions, media: boolean | undefined): ClusterOptions {
  return media ? cluster : { ...cluster, workerEnv: { ...WITHOUT_MEDIA, ...cluster.workerEnv } };
}

/** Each worker writes its own process id into its folder, and its command line names the folder. */
/** A process that was just ended needs a moment. @returns those that are still there later */
async function leftAfter(stateDir: string): Promise<(number | LiveWorker)[]> {
  for (const sinceMs = performance.now(); ; await sleep(50)) {
    const left = [...(await findLeftovers(stateDir)), ...(await livingWorkers(stateDir))];
    if (left.length === 0 || performance.now() - sinceMs > LEAVING_MS) return left;
  }
}

async function livingWorkers(stateDir: string): Promise<LiveWorker[]> {
  return (await Promise.all((await workersFolders(stateDir)).map(livingIn))).flat();
}

async function livingIn(workersDir: string): Promise<LiveWorker[]> {
  const ids = await readdir(workersDir).catch(() => []);
  const found = await Promise.all(
    ids.map(async (id) => {
      const pid = Number(await readFile(join(workersDir, id, 'pid'), 'utf8').catch(() => '0'));
      const command = pid > 1 ? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') : '';
      return command.includes(join(workersDir, id)) ? [{ id, pid }] : [];
    }),
  );
  return found.flat();
}
