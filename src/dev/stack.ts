// The local stack: LiveKit with its Redis, the workers' Redis and Temporal on free loopback ports, started together, ended together.
// It starts no egress workers and no Reelkit; those are the capacity provider's and reelkit-service.ts's.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { stopAllProcessWorkers } from '../capacity/process/provider.ts';
import { messageOf } from '../common/error-message.ts';
import { SEARCH_ATTRIBUTES } from '../recording/search-attributes.ts';
import { type Child, startChild } from './child.ts';
import { ensureComponents } from './components.ts';
import { endLeftovers, stateDirVariable } from './leftovers.ts';
import { freePorts, isPortFree } from './ports.ts';
import { type Report, reportNothing } from './reporter.ts';
import { livekitAnswers, livekitConfig } from './stack/livekit.ts';
import { redisAnswers, redisArgs } from './stack/redis.ts';
import { type SearchAttributes, type TemporalSettings, temporalAnswers, temporalArgs } from './stack/temporal.ts';

const stackParts = ['redis', 'workersRedis', 'livekit', 'temporal'] as const;
export type StackPart = (typeof stackParts)[number];

const portNames = [
  'redis',
  'workersRedis',
  'livekit',
  'rtcTcp',
  'rtcUdp',
  'temporal',
  'temporalHttp',
  'temporalUi',
  'temporalMetrics',
  'api',
] as const;
type StackPorts = Record<(typeof portNames)[number], number>;

export interface StackOptions {
  /** Everything the stack writes: configuration, logs, databases. */
  stateDir: string;
  /** All by default. LiveKit needs `redis`. */
  parts?: readonly StackPart[];
  /** Wanted ports; the others are chosen. A wanted port that is taken is an error. */
  ports?: Partial<StackPorts>;
  /** Receives progress, one line a part. Silent by default. */
  report?: Report;
  /** LiveKit's Redis keeps its data across `restart('redis')`. */
  redisPersistence?: boolean;
  /** Of LiveKit's key pair; made up by default. */
  apiSecret?: string;
  /** Also told of LiveKit's webhooks, besides Reelkit. */
  webhookUrls?: readonly string[];
  namespace?: string;
  searchAttributes?: SearchAttributes;
  temporalDynamicConfig?: Readonly<Record<string, unknown>>;
  emptyTimeoutSeconds?: number;
  departureTimeoutSeconds?: number;
}

export interface Stack {
  readonly livekit: { url: string; apiKey: string; apiSecret: string };
  /** LiveKit's own. */
  readonly redis: { address: string };
  /** The workers'. */
  readonly workersRedis: { address: string };
  readonly temporal: { address: string; namespace: string; uiUrl: string; metricsUrl: string };
  /** Where Reelkit's API is expected: LiveKit sends its webhooks there. */
  readonly api: { host: string; port: number; url: string };
  readonly stateDir: string;
  readonly logDir: string;
  /** For children: LIVEKIT_*, TEMPORAL_* and the mark by which `stop()` finds them. */
  readonly env: Readonly<Record<string, string>>;
  /** The process ids of the parts that run now. */
  pids(): Partial<Record<StackPart, number>>;
  /** Ends the part in order if it runs, and starts it again on the same ports with the same data. */
  restart(part: StackPart): Promise<void>;
  /** SIGKILL, for fault tests; `restart` brings it back. */
  kill(part: StackPart): Promise<void>;
  /** Ends every part and every leftover process of this state folder, egress workers too. May be called again. */
  stop(): Promise<void>;
}

interface PartPlan {
  label: string;
  args: string[];
  ready: () => Promise<boolean>;
  stopLimitMs: number;
}

const binaryOf = {
  redis: 'redis-server',
  workersRedis: 'redis-server',
  livekit: 'livekit-server',
  temporal: 'temporal',
} as const;
const startTries = 3;
const readyTimeoutMs = 120_000;
const leftoverLimitMs = 2_000;
/** Inside the state folder: the `stateDir` of Reelkit's `process` capacity provider. */
export const workersFolder = 'workers';

/** Of one of several fleets. */
export const workersFolderOf = (fleet: string) => `${workersFolder}-${fleet}`;

/** Those of all fleets. */
export async function workersFolders(stateDir: string): Promise<string[]> {
  const names = await readdir(stateDir).catch(() => []);
  return names.filter((name) => name.startsWith(workersFolder)).map((name) => join(stateDir, name));
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const report = options.report ?? reportNothing;
  const parts = options.parts ?? stackParts;
  const binaries = await ensureComponents([...new Set(parts.map((part) => binaryOf[part]))], report);
  const stateDir = resolve(options.stateDir);
  await endEverythingIn(stateDir);
  for (let tries = 1; ; tries++) {
    const layout = await layOut(options, stateDir);
    try {
      return await startParts(layout, parts, binaries, report);
    } catch (error) {
      // Another process took a port between our choice and the part's start.
      if (tries === startTries || !/address already in use/i.test(messageOf(error))) throw error;
    }
  }
}

interface Layout {
  stateDir: string;
  logDir: string;
  ports: StackPorts;
  apiSecret: string;
  namespace: string;
  plans: Record<StackPart, PartPlan>;
}

const apiKey = 'devkey';

async function layOut(options: StackOptions, stateDir: string): Promise<Layout> {
  const ports = await choosePorts(options.ports ?? {});
  const logDir = join(stateDir, 'logs');
  const redisDir = join(stateDir, 'redis');
  for (const folder of [logDir, redisDir]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const apiSecret = options.apiSecret ?? randomBytes(24).toString('hex');
  const configFile = join(stateDir, 'livekit.yaml');
  const livekit = livekitConfig({
    ports: { http: ports.livekit, rtcTcp: ports.rtcTcp, rtcUdp: ports.rtcUdp },
    apiKey,
    apiSecret,
    redisAddress: loopback(ports.redis),
    webhookUrls: [`http://${loopback(ports.api)}/webhooks/livekit`, ...(options.webhookUrls ?? [])],
    emptyTimeoutSeconds: options.emptyTimeoutSeconds ?? 60,
    departureTimeoutSeconds: options.departureTimeoutSeconds ?? 10,
  });
  await writeFile(configFile, livekit, { mode: 0o600 });
  const namespace = options.namespace ?? 'default';
  const temporal: TemporalSettings = {
    ports: { grpc: ports.temporal, http: ports.temporalHttp, ui: ports.temporalUi, metrics: ports.temporalMetrics },
    databaseFile: join(stateDir, 'temporal.db'),
    namespace,
    searchAttributes: options.searchAttributes ?? SEARCH_ATTRIBUTES,
    codecUrl: `http://${loopback(ports.api)}/codec`,
    dynamicConfig: options.temporalDynamicConfig ?? {},
  };
  const redis = { port: ports.redis, folder: redisDir, persistent: options.redisPersistence ?? false };
  const plans: Layout['plans'] = {
    redis: {
      label: "LiveKit's Redis",
      args: redisArgs(redis),
      ready: () => redisAnswers(ports.redis),
      stopLimitMs: 5_000,
    },
    workersRedis: {
      label: "the workers' Redis",
      args: redisArgs({ port: ports.workersRedis, folder: redisDir, persistent: false }),
      ready: () => redisAnswers(ports.workersRedis),
      stopLimitMs: 5_000,
    },
    livekit: {
      label: 'LiveKit',
      args: ['--config', configFile],
      ready: () => livekitAnswers(ports.livekit),
      stopLimitMs: 1_000,
    },
    temporal: {
      label: 'Temporal',
      args: temporalArgs(temporal),
      ready: () => temporalAnswers(temporal),
      stopLimitMs: 5_000,
    },
  };
  return { stateDir, logDir, ports, apiSecret, namespace, plans };
}

async function choosePorts(wanted: Partial<StackPorts>): Promise<StackPorts> {
  for (const [name, port] of Object.entries(wanted)) {
    if (!(await isPortFree(port))) {
      throw new Error(`port ${port}, wanted for ${name}, is in use: choose another, or end what holds it`);
    }
  }
  const free = await freePorts(portNames.length);
  return { ...Object.fromEntries(portNames.map((name, i) => [name, free[i]])), ...wanted } as StackPorts;
}

async function startParts(
  layout: Layout,
  parts: readonly StackPart[],
  binaries: Record<(typeof binaryOf)[StackPart], string>,
  report: Report,
): Promise<Stack> {
  const running = new Map<StackPart, Child>();
  const { plans, logDir, stateDir } = layout;
  let stopped: Promise<void> | undefined;

  const start = async (part: StackPart) => {
    const startedAt = performance.now();
    const child = await startChild({
      name: plans[part].label,
      command: binaries[binaryOf[part]],
      args: plans[part].args,
      env: { [stateDirVariable]: stateDir },
      logFile: join(logDir, `${part}.log`),
      ready: plans[part].ready,
      readyTimeoutMs,
    });
    running.set(part, child);
    report(`${plans[part].label} ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  };
  const stopPart = async (part: StackPart) => running.get(part)?.stop(plans[part].stopLimitMs);
  const stopAll = async () => {
    // LiveKit takes its leave from Redis, so Redis goes last.
    await Promise.all([stopPart('livekit'), stopPart('temporal')]);
    await Promise.all([stopPart('redis'), stopPart('workersRedis')]);
    await endEverythingIn(stateDir);
  };

  const wanted = new Set(parts);
  // LiveKit gives up when Redis does not answer, so it follows; Temporal needs neither.
  const starts = [
    (async () => {
      if (wanted.has('redis')) await start('redis');
      if (wanted.has('livekit')) await start('livekit');
    })(),
    wanted.has('workersRedis') ? start('workersRedis') : Promise.resolve(),
    wanted.has('temporal') ? start('temporal') : Promise.resolve(),
  ];
  const failure = (await Promise.allSettled(starts)).find((result) => result.status === 'rejected');
  if (failure) {
    await stopAll();
    throw failure.reason;
  }
  return {
    ...addressesOf(layout),
    pids: () => Object.fromEntries([...running].filter(([, child]) => child.isRunning()).map(([p, c]) => [p, c.pid])),
    restart: async (part) => {
      await stopPart(part);
      await start(part);
    },
    kill: async (part) => running.get(part)?.kill('SIGKILL'),
    stop: () => {
      stopped ??= stopAll();
      return stopped;
    },
  };
}

/** Egress workers outlive Reelkit on purpose, and a killed parent leaves its children: here both end. */
async function endEverythingIn(stateDir: string): Promise<void> {
  await Promise.all((await workersFolders(stateDir)).map(stopAllProcessWorkers));
  await endLeftovers(stateDir, leftoverLimitMs);
}

function addressesOf({ stateDir, logDir, ports, apiSecret, namespace }: Layout) {
  const livekit = { url: `ws://${loopback(ports.livekit)}`, apiKey, apiSecret };
  const temporal = {
    address: loopback(ports.temporal),
    namespace,
    uiUrl: `http://${loopback(ports.temporalUi)}`,
    metricsUrl: `http://${loopback(ports.temporalMetrics)}/metrics`,
  };
  return {
    livekit,
    redis: { address: loopback(ports.redis) },
    workersRedis: { address: loopback(ports.workersRedis) },
    temporal,
    api: { host: '127.0.0.1', port: ports.api, url: `http://${loopback(ports.api)}` },
    stateDir,
    logDir,
    env: {
      LIVEKIT_URL: livekit.url,
      LIVEKIT_API_KEY: apiKey,
      LIVEKIT_API_SECRET: apiSecret,
      TEMPORAL_ADDRESS: temporal.address,
      TEMPORAL_NAMESPACE: namespace,
      [stateDirVariable]: stateDir,
    },
  };
}

function loopback(port: number): string {
  return `127.0.0.1:${port}`;
}
