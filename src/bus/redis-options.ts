// LiveKit's `redis:` settings as options of ioredis. Pure, but for reading the file of a certificate authority.

import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { RedisOptions } from 'ioredis';
import { backoffMs, withJitter } from '../common/backoff.ts';

/** camelCase of the keys of LiveKit's and its workers' `redis:`. */
export interface RedisSettings {
  /** `host:port` */
  address?: string | undefined;
  username?: string | undefined;
  password?: string | undefined;
  db?: number | undefined;
  tls?: { enabled: boolean; caFile?: string | undefined; insecure?: boolean | undefined } | undefined;
  sentinelMasterName?: string | undefined;
  sentinelAddresses?: readonly string[] | undefined;
  sentinelUsername?: string | undefined;
  sentinelPassword?: string | undefined;
  clusterAddresses?: readonly string[] | undefined;
}

export interface HostAndPort {
  host: string;
  port: number;
}

const DEFAULT_PORT = 6379;
const DEFAULT_SENTINEL_PORT = 26379;
export const COMMAND_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** A connection that was asked something and gives nothing for so long is dead. */
const SOCKET_TIMEOUT_MS = 3_000;
const KEEP_ALIVE_MS = 10_000;
const RETRY = { firstMs: 50, maxMs: 1_000 };

export type RedisPlace =
  | { kind: 'single'; node: HostAndPort }
  | { kind: 'sentinel'; sentinels: HostAndPort[]; masterName: string }
  | { kind: 'cluster'; nodes: HostAndPort[] };

/** Sentinel before cluster before address, as LiveKit decides. */
export function placeOf(settings: RedisSettings): RedisPlace {
  const { address, sentinelAddresses = [], sentinelMasterName, clusterAddresses = [] } = settings;
  if (sentinelAddresses.length > 0) {
    if (!sentinelMasterName) throw new Error('redis: sentinelAddresses need a sentinelMasterName');
    const sentinels = sentinelAddresses.map((one) => parseAddress(one, DEFAULT_SENTINEL_PORT));
    return { kind: 'sentinel', sentinels, masterName: sentinelMasterName };
  }
  if (clusterAddresses.length > 0) return { kind: 'cluster', nodes: clusterAddresses.map((one) => parseAddress(one)) };
  if (address) return { kind: 'single', node: parseAddress(address) };
  throw new Error('redis: one of address, sentinelAddresses and clusterAddresses is needed');
}

/** `host`, `host:port`, `[v6]:port` */
export function parseAddress(address: string, defaultPort = DEFAULT_PORT): HostAndPort {
  const [, v6, name, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/@]+))(?::(\d{1,5}))?$/.exec(address) ?? [];
  const host = v6 ?? name;
  const number = port === undefined ? defaultPort : Number(port);
  if (!host || number < 1 || number > 65_535)
    throw new Error('redis: an address is host:port, without scheme or password');
  return { host, port: number };
}

/** What every connection has in common. Commands fail rather than wait for a broker that is away. */
export function connectionOptions(settings: RedisSettings, name: string): RedisOptions {
  const tls = tlsOptions(settings);
  return {
    username: settings.username || undefined,
    password: settings.password || undefined,
    db: settings.db ?? 0,
    ...(tls ? { tls } : {}),
    connectionName: `reelkit-${name}`,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    disableClientInfo: true,
  };
}

/** For connections that only ask. A subscriber's is silent for long, and has a heartbeat instead. */
export const commandOptions: RedisOptions = { socketTimeout: SOCKET_TIMEOUT_MS };

export function sentinelOptions(settings: RedisSettings, place: RedisPlace & { kind: 'sentinel' }): RedisOptions {
  const tls = tlsOptions(settings);
  return {
    name: place.masterName,
    sentinels: place.sentinels,
    sentinelUsername: settings.sentinelUsername || undefined,
    sentinelPassword: settings.sentinelPassword || undefined,
    sentinelCommandTimeout: COMMAND_TIMEOUT_MS,
    sentinelRetryStrategy: retryDelayMs,
    ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: tls } : {}),
  };
}

export function retryDelayMs(tries: number): number {
  return withJitter(backoffMs(RETRY, tries));
}

function tlsOptions({ tls }: RedisSettings): ConnectionOptions | undefined {
  if (!tls?.enabled) return undefined;
  return {
    minVersion: 'TLSv1.2',
    ...(tls.caFile ? { ca: readFileSync(tls.caFile) } : {}),
    rejectUnauthorized: !tls.insecure,
  };
}
