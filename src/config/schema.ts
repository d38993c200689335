// Reelkit's configuration: one schema over file, environment and defaults. Every key is documented here and in the parts beside this.
import { z } from 'zod';
import { endingOf } from '../recording/file-type.ts';
import { checkPathTemplate, DEFAULT_PATH_TEMPLATE } from '../recording/path-template.ts';
import { encryption } from './encryption.ts';
import { fleet } from './fleet.ts';
import { fleetsOf, fleetsProblems, MAX_FLEETS } from './fleets.ts';
import { livekit, workers } from './livekit.ts';
import { rule, ruleLabelsProblem } from './rules.ts';
import { storage, storageName } from './storages.ts';
import { duration, isNetwork, secret } from './values.ts';
import { webhooks } from './webhooks.ts';

const temporal = z.strictObject({
  /** TEMPORAL_* are read by Temporal's own envconfig (address, namespace, API key, TLS, profile); these override nothing of it. */
  taskQueue: z.string().min(1).default('reelkit'),
  /** REELKIT_HEALTH_PORT. Where `reelkit worker` serves /healthz, /readyz and /metrics; it has no port by default. */
  healthPort: z.number().int().min(0).max(65_535).optional(),
  /** Calls to visibility that one process makes, twice as many at once after a quiet while. Temporal's own limit is 10 by default. */
  visibilityPerSecond: z.number().min(1).max(10_000).default(10),
});

const NO_NETWORK = 'must be an address, a network such as 10.0.0.0/8, loopback, linklocal or uniquelocal';

const api = z.strictObject({
  /** REELKIT_HOST, REELKIT_PORT. */
  host: z.string().default('127.0.0.1'),
  port: z.number().int().min(0).max(65_535).default(8080),
  /** Further key pairs whose tokens are accepted, beside livekit.apiKey: rules tell them apart by the key. */
  keys: z
    .array(z.strictObject({ apiKey: z.string().min(1).max(256), apiSecret: secret }))
    .max(100)
    .refine((keys) => new Set(keys.map(({ apiKey }) => apiKey)).size === keys.length, { error: 'names a key twice' })
    .default([]),
  /** Requests a minute of one caller (API key, identity and room of the token): so many that change something, and as many others. */
  requestsPerMinute: z.number().int().min(1).default(6_000),
  /** Event streams that one caller has open at a time. */
  streamsPerCaller: z.number().int().min(1).default(100),
  /** Proxies in front of this API whose X-Forwarded-For is believed: how many there are, or their networks. */
  trustProxy: z
    .union(
      [
        z.int().min(0).max(10),
        z
          .array(z.string().refine(isNetwork, { error: NO_NETWORK }))
          .min(1)
          .max(32),
      ],
      {
        error: 'must be the number of proxies in front, or a list of their networks such as [10.0.0.0/8, uniquelocal]',
      },
    )
    .default(0),
  /** Whose requests may bring a storage of their own, with its keys. Operators: access tokens without a room. */
  inlineStorage: z.enum(['operators', 'all', 'none']).default('operators'),
});

/** It stands for sound, pictures and tracks alike. */
function endingInTemplate(template: string): string | undefined {
  const ending = endingOf(template);
  return ending && `ends in ".${ending}", a kind of file, which what is recorded decides; leave the ending out`;
}

export const configSchema = z
  .strictObject({
    livekit,
    workers,
    temporal: temporal.prefault({}),
    api: api.prefault({}),
    /** Named storages; requests choose one by name. */
    storages: z.record(storageName, storage).refine((all) => Object.keys(all).length > 0, {
      error: 'needs at least one storage, for example {local: {type: local, path: /recordings}}',
    }),
    /** The storage of requests that name none; the first one when absent. */
    defaultStorage: z.string().optional(),
    pathTemplate: z
      .string()
      .superRefine((template, context) => {
        const problem = checkPathTemplate(template) ?? endingInTemplate(template);
        if (problem) context.addIssue({ code: 'custom', message: problem });
      })
      .default(DEFAULT_PATH_TEMPLATE),
    /** The fleet, where there is one. */
    fleet: fleet.optional(),
    /** Several: each as `fleet`, with a name of its own. The first one serves what neither its request nor a rule sends elsewhere. */
    fleets: z.array(fleet).min(1).max(MAX_FLEETS).optional(),
    rules: z.array(rule).max(100).default([]),
    /** Reelkit's own webhooks. */
    webhooks: webhooks.prefault({}),
    /** How everything that Temporal stores is encrypted. */
    encryption: encryption.prefault({}),
    /** REELKIT_LOG_LEVEL. */
    logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
    /** Limit of the whole orderly shutdown. */
    shutdownGrace: duration('15s', { min: '1s', max: '1h' }),
  })
  .superRefine((config, context) => {
    const again = config.api.keys.findIndex(({ apiKey }) => apiKey === config.livekit.apiKey);
    if (again >= 0)
      context.addIssue({
        code: 'custom',
        path: ['api', 'keys', again, 'apiKey'],
        message: 'is livekit.apiKey, which is accepted anyway: remove it here',
      });
    const labels = ruleLabelsProblem(config.rules);
    if (labels)
      context.addIssue({
        code: 'custom',
        path: ['rules'],
        message: `give labels that are too much together: ${labels}`,
      });
    const keys = [config.livekit, ...config.api.keys].map(({ apiKey }) => apiKey);
    for (const [index, { apiKey }] of config.webhooks.receivers.entries())
      if (apiKey !== undefined && !keys.includes(apiKey))
        context.addIssue({
          code: 'custom',
          path: ['webhooks', 'receivers', index, 'apiKey'],
          message: `names no API key; known: ${keys.join(', ')}`,
        });
    for (const problem of fleetsProblems(config)) context.addIssue({ code: 'custom', ...problem });
    if (config.defaultStorage !== undefined && !Object.hasOwn(config.storages, config.defaultStorage)) {
      context.addIssue({
        code: 'custom',
        path: ['defaultStorage'],
        message: `names no storage; known: ${Object.keys(config.storages).join(', ')}`,
      });
    }
  })
  .transform(({ fleet, fleets, ...rest }) => ({ ...rest, fleets: fleetsOf({ fleet, fleets }) }));

export type Config = z.output<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;

/** The storage of requests that name none. */
export function defaultStorageOf(config: Pick<Config, 'defaultStorage' | 'storages'>): string {
  return config.defaultStorage ?? Object.keys(config.storages)[0] ?? '';
}
