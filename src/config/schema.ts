// Reelkit's configuration: one schema over file, environment and defaults. Every key is documented here and in the parts beside this.
import { z } from 'zod';
import { checkPathTemplate, DEFAULT_PATH_TEMPLATE } from '../recording/path-template.ts';
import { encryption } from './encryption.ts';
import { fleet } from './fleet.ts';
import { livekit, workers } from './livekit.ts';
import { rule } from './rules.ts';
import { storage } from './storages.ts';
import { duration } from './values.ts';

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

/** The storage of requests that name none. */
export function defaultStorageOf(config: Pick<Config, 'defaultStorage' | 'storages'>): string {
  return config.defaultStorage ?? Object.keys(config.storages)[0] ?? '';
}
