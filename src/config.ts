// Reelkit's configuration: one schema over file, environment and defaults. Every key is documented here.
// Environment wins over the file. Errors name the key, the value and the remedy; secrets are never printed.
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { DEFAULT_COSTS } from './fleet/cost.ts';
import { parseDuration } from './recording/duration.ts';
import { checkPathTemplate, DEFAULT_PATH_TEMPLATE } from './recording/path-template.ts';
import { recordingRequestSchema } from './recording/request.ts';
import type { SourceKind } from './recording/rules.ts';
import { isKeyId, isKeyText, MAX_KEYS } from './temporal/keys.ts';

const duration = (fallback: string) =>
  z
    .string()
    .refine((text) => parseDuration(text) !== undefined, { error: 'must be a duration such as "30s", "15m" or "1h"' })
    .transform((text) => parseDuration(text) ?? 0)
    .prefault(fallback);

const webUrl = z.string().refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
  error: 'must be an http or https URL, for example http://127.0.0.1:8080',
});

const secret = z.string().min(1);

const redisAddress = z.string().regex(/^[^\s/@]+:\d{1,5}$/, { error: 'must be host:port, for example redis:6379' });

/** The keys of LiveKit's own `redis` section, in camel case. */
const redis = z
  .strictObject({
    /** A single Redis, host:port. */
    address: redisAddress.optional(),
    username: z.string().default(''),
    password: z.string().default(''),
    db: z.coerce.number().int().min(0).default(0),
    tls: z
      .strictObject({
        enabled: z.boolean().default(false),
        /** PEM file of the authority that signed the server's certificate. */
        caFile: z.string().min(1).optional(),
        /** Accepts any certificate. */
        insecure: z.boolean().default(false),
      })
      .prefault({}),
    sentinelMasterName: z.string().min(1).optional(),
    sentinelAddresses: z.array(redisAddress).default([]),
    sentinelUsername: z.string().default(''),
    sentinelPassword: z.string().default(''),
    clusterAddresses: z.array(redisAddress).default([]),
  })
  .superRefine((settings, context) => {
    const ways = [
      settings.address !== undefined,
      settings.sentinelAddresses.length > 0,
      settings.clusterAddresses.length > 0,
    ];
    if (ways.filter(Boolean).length !== 1) {
      const message =
        'needs exactly one of address (a single Redis), sentinelAddresses with sentinelMasterName, and clusterAddresses';
      context.addIssue({ code: 'custom', message });
    } else if (settings.sentinelAddresses.length > 0 && settings.sentinelMasterName === undefined) {
      context.addIssue({ code: 'custom', path: ['sentinelMasterName'], message: 'is needed with sentinelAddresses' });
    }
  });

const workers = z.strictObject({
  /**
   * WORKERS_REDIS_ADDRESS, _USERNAME, _PASSWORD. The workers' own Redis: a server of its own, not another database of LiveKit's,
   * because messages reach every database.
   */
  redis,
});

const livekit = z.strictObject({
  /** LIVEKIT_URL. http(s) or ws(s) URL of the LiveKit server. */
  url: z.string().refine((text) => URL.canParse(text) && /^(wss?|https?):$/.test(new URL(text).protocol), {
    error: 'must be the URL of your LiveKit server, for example wss://livekit.example.com',
  }),
  /** LIVEKIT_API_KEY, LIVEKIT_API_SECRET. The same pair signs API tokens and webhooks. */
  apiKey: z.string().min(1),
  apiSecret: secret,
  /** LIVEKIT_REDIS_ADDRESS, _USERNAME, _PASSWORD. The Redis that LiveKit itself uses: there Reelkit takes its egress requests. */
  redis,
});

const temporal = z.strictObject({
  /** TEMPORAL_* are read by Temporal's own envconfig (address, namespace, API key, TLS, profile); these override nothing of it. */
  taskQueue: z.string().min(1).default('reelkit'),
  /** REELKIT_HEALTH_PORT. Where `reelkit worker` serves /healthz, /readyz and /metrics; it has no port by default. */
  healthPort: z.coerce.number().int().min(0).max(65_535).optional(),
});

const api = z.strictObject({
  /** REELKIT_HOST, REELKIT_PORT. */
  host: z.string().default('127.0.0.1'),
  port: z.coerce.number().int().min(0).max(65_535).default(8080),
  /** Requests a minute from one address, for each route that changes something. */
  requestsPerMinute: z.coerce.number().int().min(1).default(6_000),
});

const storage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('local'),
    /** Folder on the worker's own disk. */
    path: z.string().startsWith('/', { error: 'must be an absolute path on the worker' }),
  }),
  z.strictObject({
    type: z.literal('s3'),
    bucket: z.string().min(1),
    region: z.string().default(''),
    endpoint: z.string().default(''),
    /** Leave both keys out to use the worker's own role. */
    accessKey: z.string().default(''),
    secret: z.string().default(''),
    sessionToken: z.string().default(''),
    forcePathStyle: z.boolean().default(false),
    prefix: z.string().default(''),
  }),
  z.strictObject({
    type: z.literal('gcs'),
    bucket: z.string().min(1),
    /** Service account JSON; leave out to use the worker's own identity. */
    credentials: z.string().default(''),
    prefix: z.string().default(''),
  }),
  z.strictObject({
    type: z.literal('azure'),
    accountName: z.string().min(1),
    accountKey: secret,
    containerName: z.string().min(1),
    prefix: z.string().default(''),
  }),
]);

const processCapacity = z.strictObject({
  provider: z.literal('process'),
  /** REELKIT_EGRESS_BIN. The egress binary. */
  bin: z.string().min(1),
  /** Worker configuration in livekit/egress's own keys; ports and cluster_id are set for each worker. */
  configFile: z.string().min(1),
  /** State, logs and configuration of each worker; what is found here after a restart is adopted. */
  stateDir: z.string().min(1),
  /** CPU cores each worker's admission counts. */
  coresPerWorker: z.coerce.number().positive().default(4),
  /** Waits this long before it starts the binary: a stand-in for a booting node. */
  bootDelay: duration('0s'),
  env: z.record(z.string(), z.string()).default({}),
});

const staticCapacity = z.strictObject({
  provider: z.literal('static'),
  workers: z
    .array(
      z.strictObject({
        id: z.string().min(1),
        /** The worker's cluster_id, another one for each; the id by default. */
        topic: z.string().min(1).optional(),
        /** The worker's health_port. */
        healthUrl: webUrl,
        /** The worker's prometheus_port. */
        metricsUrl: webUrl.optional(),
        cpuCores: z.coerce.number().positive(),
      }),
    )
    .min(1),
});

const kubernetesName = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, {
  error: 'must be the name of a Kubernetes object: lower-case letters, digits, dashes and dots',
});

const kubernetesCapacity = z.strictObject({
  provider: z.literal('kubernetes'),
  /** Of the worker pods and their PodTemplate. Inside a cluster Reelkit's own by default, outside that of the context. */
  namespace: kubernetesName.optional(),
  /** The PodTemplate object from which each worker is made. */
  podTemplate: kubernetesName,
  /** The container of the template that runs the egress. */
  container: z.string().min(1).default('egress'),
  /** No recording lasts longer: the pods' terminationGracePeriodSeconds must exceed it. 24h is what the API allows. */
  longestRecording: duration('24h'),
  /** Outside a cluster; KUBECONFIG and ~/.kube/config are looked at by default. */
  kubeconfig: z.string().min(1).optional(),
  context: z.string().min(1).optional(),
  /**
   * A worker whose node is being emptied (cordoned, tainted, about to be removed) is asked to take nothing new, and finishes. Needs
   * the right to list and watch nodes.
   */
  watchNodes: z.boolean().default(false),
  /** Also retires idle pods with the fleet's label that Reelkit did not launch; by default they are used and left alone. */
  manageUnowned: z.boolean().default(false),
});

const fleetName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, { error: 'must be lower-case letters, digits and dashes' });

const fleet = z.strictObject({
  /** One fleet for each LiveKit deployment (each Redis). */
  name: fleetName.default('default'),
  minWorkers: z.coerce.number().int().min(0).default(0),
  maxWorkers: z.coerce.number().int().min(1).default(10),
  /** Free CPU cores kept ready beyond demand. */
  headroomCores: z.coerce.number().min(0).default(0),
  /** A worker must be idle this long before it is retired. */
  cooldown: duration('5m'),
  /** A worker that is not ready by then is replaced. Scheduled recordings count as demand this long before they are due. */
  bootTimeout: duration('10m'),
  /** Between passes while something waits or boots. */
  busyInterval: duration('2s'),
  /** Between passes while recordings run: the safety net for lost webhooks and dead workers. */
  watchInterval: duration('30s'),
  /** Egresses are called lost or orphaned when two looks this far apart agree. */
  confirmAfter: duration('10s'),
  /** CPU cores that admission charges; must equal the workers' own `cpu_cost`. */
  costs: z
    .strictObject(
      Object.fromEntries(
        Object.entries(DEFAULT_COSTS).map(([key, cores]) => [key, z.coerce.number().positive().default(cores)]),
      ) as unknown as { [K in keyof typeof DEFAULT_COSTS]: z.ZodDefault<z.ZodCoercedNumber> },
    )
    .prefault({}),
  capacity: z.discriminatedUnion('provider', [processCapacity, staticCapacity, kubernetesCapacity], {
    error: ({ input }) =>
      input === undefined
        ? 'needs a provider, for example {provider: static, workers: [{id: egress-1, healthUrl: http://egress-1:9090, cpuCores: 4}]}'
        : undefined,
  }),
});

const SOURCE_KINDS = ['room', 'web', 'participant', 'tracks'] as const satisfies SourceKind[];
const sourceKind = z.enum(SOURCE_KINDS);

const encryption = z.strictObject({
  /**
   * REELKIT_ENCRYPTION_KEYS, as `id:key,id:key`. The first one encrypts, all of them decrypt. Without any a key is made in
   * `keyFile` at the first start.
   */
  keys: z
    .array(
      z
        .strictObject({
          id: z.string().refine(isKeyId, { error: 'must be 1 to 64 letters, digits, dots, dashes or underscores' }),
          key: z
            .string()
            .refine(isKeyText, { error: 'must be 32 bytes in base64, as `openssl rand -base64 32` prints them' })
            .optional(),
          /** A file that holds the key in base64 and nothing else. */
          keyFile: z.string().min(1).optional(),
        })
        .refine(({ key, keyFile }) => (key === undefined) !== (keyFile === undefined), {
          error: 'needs either key or keyFile',
        }),
    )
    .min(1)
    .max(MAX_KEYS)
    .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, {
      error: 'must give each key an id of its own',
    })
    .optional(),
  /** REELKIT_ENCRYPTION_KEY_FILE. Keys one a line, `<id> <base64>`; in the state directory by default (see temporal/keys.ts). */
  keyFile: z.string().min(1).optional(),
  /** Origins of Temporal's Web UI that may ask this API to decrypt what they show. */
  uiOrigins: z
    .array(
      z.string().refine((text) => URL.canParse(text) && new URL(text).origin === text, {
        error: 'must be an origin, for example https://temporal.example.com',
      }),
    )
    .max(16)
    .default([]),
});

const { startWithin, maxDuration, priority, labels } = recordingRequestSchema.shape;

/** Defaults for requests that do not say (recording/rules.ts). For each field the first rule that matches and gives it decides. */
const rule = z.strictObject({
  match: z
    .strictObject({
      /** `*` stands for any characters, `?` for one. */
      room: z.string().min(1).max(256).optional(),
      source: z
        .union([sourceKind, z.array(sourceKind).min(1)], {
          error: `must be of ${SOURCE_KINDS.join(', ')}, one or a list`,
        })
        .optional(),
      /** Of the token that asked; what comes from LiveKit has none. */
      apiKey: z.string().min(1).max(256).optional(),
      labels: z.record(z.string(), z.string().max(255)).optional(),
    })
    .optional(),
  startWithin: startWithin.unwrap().optional(),
  maxDuration: maxDuration.unwrap().optional(),
  priority: priority.unwrap().optional(),
  labels: labels.unwrap().optional(),
  tenant: z.string().min(1).max(63).optional(),
  fleet: fleetName.optional(),
});

export const configSchema = z
  .strictObject({
    livekit,
    workers,
    temporal: temporal.prefault({}),
    api: api.prefault({}),
    /** Named storages; requests choose one by name and never carry keys. */
    storages: z.record(z.string(), storage).refine((all) => Object.keys(all).length > 0, {
      error: 'needs at least one storage, for example {local: {type: local, path: /recordings}}',
    }),
    /** The storage of requests that name none; the first one when absent. */
    defaultStorage: z.string().optional(),
    pathTemplate: z
      .string()
      .refine((template) => checkPathTemplate(template) === undefined, { error: 'is not a valid path template' })
      .default(DEFAULT_PATH_TEMPLATE),
    fleet,
    rules: z.array(rule).max(100).default([]),
    /** How everything that Temporal stores is encrypted. */
    encryption: encryption.prefault({}),
    /** REELKIT_LOG_LEVEL. */
    logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
    /** Limit of the whole orderly shutdown. */
    shutdownGrace: duration('15s'),
  })
  .superRefine((config, context) => {
    if (config.fleet.minWorkers > config.fleet.maxWorkers) {
      context.addIssue({
        code: 'custom',
        path: ['fleet', 'minWorkers'],
        message: `is above fleet.maxWorkers (${config.fleet.maxWorkers})`,
      });
    }
    if (config.defaultStorage !== undefined && !(config.defaultStorage in config.storages)) {
      context.addIssue({
        code: 'custom',
        path: ['defaultStorage'],
        message: `names no storage; known: ${Object.keys(config.storages).join(', ')}`,
      });
    }
  });

export type Config = z.output<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
export type Storage = z.output<typeof storage>;
export type FleetConfig = Config['fleet'];

/** The storage of requests that name none. */
export function defaultStorageOf(config: Pick<Config, 'defaultStorage' | 'storages'>): string {
  return config.defaultStorage ?? Object.keys(config.storages)[0] ?? '';
}

/** Environment variable -> key of the file. */
const ENVIRONMENT: Record<string, string> = {
  LIVEKIT_URL: 'livekit.url',
  LIVEKIT_API_KEY: 'livekit.apiKey',
  LIVEKIT_API_SECRET: 'livekit.apiSecret',
  LIVEKIT_REDIS_ADDRESS: 'livekit.redis.address',
  LIVEKIT_REDIS_USERNAME: 'livekit.redis.username',
  LIVEKIT_REDIS_PASSWORD: 'livekit.redis.password',
  WORKERS_REDIS_ADDRESS: 'workers.redis.address',
  WORKERS_REDIS_USERNAME: 'workers.redis.username',
  WORKERS_REDIS_PASSWORD: 'workers.redis.password',
  REELKIT_TASK_QUEUE: 'temporal.taskQueue',
  REELKIT_HEALTH_PORT: 'temporal.healthPort',
  REELKIT_HOST: 'api.host',
  REELKIT_PORT: 'api.port',
  REELKIT_LOG_LEVEL: 'logLevel',
  REELKIT_MIN_WORKERS: 'fleet.minWorkers',
  REELKIT_MAX_WORKERS: 'fleet.maxWorkers',
  REELKIT_HEADROOM_CORES: 'fleet.headroomCores',
  REELKIT_COOLDOWN: 'fleet.cooldown',
  REELKIT_ENCRYPTION_KEY_FILE: 'encryption.keyFile',
};
/** By the last part of a key; of encryption.keys by the whole of it: a key may stand where its id belongs. */
const SECRET_KEY = /secret|accessKey|accountKey|credentials|token|password|^key$|^encryption\.keys/i;
const HIDDEN = '(hidden)';

export class ConfigError extends Error {
  readonly problems: string[];
  constructor(problems: string[]) {
    super(`the configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * @param file path of a YAML or JSON file; `REELKIT_CONFIG` when absent
 * @throws ConfigError naming each key, its value and the remedy
 */
export function loadConfig(file: string | undefined, env: NodeJS.ProcessEnv = process.env): Config {
  const path = file ?? env.REELKIT_CONFIG;
  if (path !== undefined) return parseConfig(readConfigFile(path), env);
  try {
    return parseConfig({}, env);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError([NO_FILE, ...error.problems]);
    throw error;
  }
}

const NO_FILE =
  'no configuration file: name one with --config or REELKIT_CONFIG; docs/configuration.md begins with one to copy';

export function parseConfig(fromFile: unknown, env: NodeJS.ProcessEnv = {}): Config {
  const raw = structuredClone(isRecord(fromFile) ? fromFile : {});
  // A section that is missing counts as empty: the errors then name the keys that belong in it.
  for (const section of ['livekit', 'workers', 'storages', 'fleet']) raw[section] ??= {};
  for (const section of ['livekit', 'workers']) withRedis(raw[section]);
  const origins = applyEnvironment(raw, env);
  const parsed = configSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw new ConfigError(parsed.error.issues.map((issue) => describeIssue(issue, raw, origins)));
}

function withRedis(section: unknown): void {
  if (isRecord(section)) section.redis ??= {};
}

function readConfigFile(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError([
      `cannot read ${path}: ${(error as Error).message}; give an existing file with --config or REELKIT_CONFIG`,
    ]);
  }
  try {
    return parse(text);
  } catch (error) {
    throw new ConfigError([`${path} is not valid YAML: ${(error as Error).message}`]);
  }
}

/** @returns which variable set which key */
function applyEnvironment(raw: Record<string, unknown>, env: NodeJS.ProcessEnv): Map<string, string> {
  const origins = new Map<string, string>();
  for (const [variable, key] of Object.entries(ENVIRONMENT)) {
    const value = env[variable];
    if (value === undefined || value === '') continue;
    setAt(raw, key.split('.'), value);
    origins.set(key, variable);
  }
  const egressBin = env.REELKIT_EGRESS_BIN;
  if (egressBin && valueAt(raw, ['fleet', 'capacity', 'provider']) === 'process') {
    setAt(raw, ['fleet', 'capacity', 'bin'], egressBin);
    origins.set('fleet.capacity.bin', 'REELKIT_EGRESS_BIN');
  }
  const keys = env.REELKIT_ENCRYPTION_KEYS;
  if (keys) {
    setAt(raw, ['encryption', 'keys'], keys.split(',').map(encryptionKey));
    origins.set('encryption.keys', 'REELKIT_ENCRYPTION_KEYS');
  }
  return origins;
}

function encryptionKey(text: string): { id: string; key: string } {
  const [id = '', ...key] = text.trim().split(':');
  return { id, key: key.join(':') };
}

function describeIssue(issue: z.core.$ZodIssue, raw: unknown, origins: Map<string, string>): string {
  const path = issue.path.map(String);
  const key = path.join('.') || '(whole file)';
  const variable = origins.get(key) ?? variableFor(key) ?? variableFor(`${key}.address`);
  if (issue.code === 'unrecognized_keys') return unknownKeys(path, issue.keys);
  const value = valueAt(raw, path);
  const shown =
    value === undefined ? 'is missing' : `is ${SECRET_KEY.test(key) ? HIDDEN : JSON.stringify(value, hide)}`;
  return `${key} ${shown}: ${messageOf(issue)}${variable ? ` (set it in the file or as ${variable})` : ''}`;
}

/** The names only: what surrounds them may be the whole file. */
function unknownKeys(path: string[], keys: string[]): string {
  const names = keys.map((key) => [...path, key].join('.'));
  return `${names.join(', ')} ${names.length === 1 ? 'is not a key' : 'are not keys'} of the configuration: correct the name (docs/configuration.md lists all), or remove it`;
}

/** zod's "expected string, received undefined" says twice that it is missing. */
function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input'))
    return `must be ${/^[aeio]/.test(issue.expected) ? 'an' : 'a'} ${issue.expected}`;
  return issue.message;
}

function variableFor(key: string): string | undefined {
  return Object.entries(ENVIRONMENT).find(([, target]) => target === key)?.[0];
}

function valueAt(value: unknown, path: string[]): unknown {
  const entry = (inner: unknown, key: string) =>
    isRecord(inner) ? inner[key] : Array.isArray(inner) ? inner[Number(key)] : undefined;
  return path.reduce<unknown>(entry, value);
}

function setAt(target: Record<string, unknown>, path: string[], value: unknown): void {
  const [head, ...rest] = path;
  if (head === undefined) return;
  if (rest.length === 0) {
    target[head] = value;
    return;
  }
  const inner = isRecord(target[head]) ? (target[head] as Record<string, unknown>) : {};
  target[head] = inner;
  setAt(inner, rest, value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** For logs and `doctor`: the configuration with every secret replaced. */
export function redactConfig(config: Config): unknown {
  return JSON.parse(JSON.stringify(config, hide));
}

/** For JSON.stringify. A Redis is often written as a URL with its password in it. */
function hide(key: string, value: unknown): unknown {
  if (typeof value !== 'string' || value === '') return value;
  return SECRET_KEY.test(key) ? HIDDEN : value.replace(/^(\w+:\/\/)?[^/@\s]*:[^@\s]*@/, `$1${HIDDEN}@`);
}
