// Reelkit itself as a child process on a local stack, for the demo, `make dev` and end-to-end tests: killed and started again at will.
// It talks to it as a stranger would: configuration file, environment, HTTP. It imports nothing of the service but types.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import type { FleetConfigInput } from '../config/fleet.ts';
import type { ConfigInput } from '../config/schema.ts';
import { type Child, startChild } from './child.ts';
import { repositoryRoot } from './components/sources.ts';
import { writeEgressConfig } from './egress-config.ts';
import { stateDirVariable } from './leftovers.ts';
import { httpAnswers } from './stack/http.ts';
import { type Stack, workersFolder, workersFolderOf } from './stack.ts';

type CapacityInput = FleetConfigInput['capacity'];
type ProcessCapacity = Extract<CapacityInput, { provider: 'process' }>;
type PlatformCapacity = Extract<CapacityInput, { provider: 'kubernetes' | 'ecs' | 'asg' }>;

export interface ReelkitServiceOptions {
  stack: Stack;
  /** Of its configuration and log, where one stack has several. */
  name?: string;
  /** The egress binary that the `process` capacity provider starts. */
  egressBin: string;
  /** Laid over the configuration for this stack, section by section. */
  config?: Partial<Omit<ConfigInput, 'fleet' | 'fleets' | 'livekit' | 'storages'>> & {
    storages?: ConfigInput['storages'];
    fleet?: Partial<Omit<FleetConfigInput, 'capacity'>>;
    /** Several fleets of processes; each has what `fleet` and `capacity` say, where it says nothing itself. */
    fleets?: (Partial<Omit<FleetConfigInput, 'capacity'>> & { name: string; capacity?: Partial<ProcessCapacity> })[];
    /** Changes to workers that are processes, or a platform in place of them. */
    capacity?: Partial<ProcessCapacity> | PlatformCapacity;
  };
  /** More of the egress worker's own configuration keys. */
  egress?: Record<string, unknown>;
  env?: NodeJS.ProcessEnv;
  /** Subcommand and arguments; `serve` by default. */
  command?: readonly string[];
  readyTimeoutMs?: number;
}

export interface ReelkitService {
  /** Of the HTTP API; the same for every start. */
  readonly url: string;
  readonly configFile: string;
  readonly logFile: string;
  /** Where local recordings go. */
  readonly recordingsDir: string;
  /** The keys that encrypt what Temporal stores; made by the first start. */
  readonly keyFile: string;
  pid(): number | undefined;
  /** Starts it and waits for `/readyz`. Does nothing when it runs. */
  start(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** SIGTERM, and SIGKILL after the limit. */
  stop(limitMs?: number): Promise<void>;
}

const stopLimitMs = 20_000;

/** Writes the configuration files and returns the service, not started yet. */
export async function createReelkitService(options: ReelkitServiceOptions): Promise<ReelkitService> {
  const { stack, config = {}, name = 'reelkit' } = options;
  const recordingsDir = join(stack.stateDir, 'recordings');
  const egressConfigFile = join(stack.stateDir, 'egress.yaml');
  const configFile = join(stack.stateDir, `${name}.yaml`);
  const logFile = join(stack.logDir, `${name}.log`);
  await mkdir(recordingsDir, { recursive: true });
  const { livekit, workersRedis: redis } = stack;
  await writeEgressConfig(egressConfigFile, { livekit, redis, costs: costsOf(config), extra: options.egress });
  await writePrivately(configFile, stringify(reelkitConfig(options, egressConfigFile, recordingsDir)));
  let child: Child | undefined;
  return {
    url: stack.api.url,
    configFile,
    logFile,
    recordingsDir,
    keyFile: keyFileIn(stack),
    pid: () => (child?.isRunning() ? child.pid : undefined),
    async start() {
      if (child?.isRunning()) return;
      child = await startChild({
        name: 'Reelkit',
        command: join(repositoryRoot, 'bin/reelkit'),
        args: [...(options.command ?? ['serve']), '--config', configFile],
        env: { ...stack.env, ...options.env },
        logFile,
        ready: () => httpAnswers(`${stack.api.url}/readyz`),
        readyTimeoutMs: options.readyTimeoutMs ?? 30_000,
      });
    },
    kill: async (signal) => child?.kill(signal),
    stop: async (limitMs = stopLimitMs) => child?.stop(limitMs),
  };
}

export function reelkitConfig(
  { stack, egressBin, config = {} }: Pick<ReelkitServiceOptions, 'stack' | 'egressBin' | 'config'>,
  egressConfigFile: string,
  recordingsDir: string,
): ConfigInput {
  const { fleet, fleets, capacity, storages, api, ...rest } = config;
  const processes = (folder: string, own: Partial<ProcessCapacity> = {}): ProcessCapacity => ({
    provider: 'process',
    bin: egressBin,
    configFile: egressConfigFile,
    stateDir: join(stack.stateDir, folder),
    ...own,
    // Workers outlive Reelkit on purpose; by this mark the stack finds them at its own end.
    env: { ...own.env, [stateDirVariable]: stack.stateDir },
  });
  const shared = isPlatform(capacity) ? undefined : capacity;
  return {
    livekit: { ...stack.livekit, redis: stack.redis },
    workers: { redis: stack.workersRedis },
    api: { host: stack.api.host, port: stack.api.port, ...api },
    storages: storages ?? { local: { type: 'local', path: recordingsDir } },
    encryption: { keyFile: keyFileIn(stack), uiOrigins: [stack.temporal.uiUrl] },
    // Everything is on this machine, receivers as well.
    webhooks: { allow: ['127.0.0.0/8', '::1'] },
    ...rest,
    ...(fleets
      ? {
          fleets: fleets.map(({ capacity: own, ...one }) => ({
            ...fleet,
            ...one,
            capacity: processes(workersFolderOf(one.name), { ...shared, ...own }),
          })),
        }
      : {
          fleet: {
            ...fleet,
            capacity: isPlatform(capacity) ? capacity : processes(workersFolder, capacity),
          },
        }),
  };
}

export function isPlatform(
  capacity: Partial<ProcessCapacity> | PlatformCapacity | undefined,
): capacity is PlatformCapacity {
  return capacity?.provider !== undefined && capacity.provider !== 'process';
}

function keyFileIn({ stateDir }: Pick<Stack, 'stateDir'>): string {
  return join(stateDir, 'encryption-keys');
}

/** The workers must charge what the fleet counts. */
function costsOf({ fleet }: NonNullable<ReelkitServiceOptions['config']>): Record<string, number> {
  return Object.fromEntries(Object.entries(fleet?.costs ?? {}).map(([key, cores]) => [key, Number(cores)]));
}

async function writePrivately(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { mode: 0o600 });
}
