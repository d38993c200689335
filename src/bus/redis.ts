// The bus on Redis: one server, Sentinel or Cluster. One connection asks and publishes, another listens. Nothing waits for a
// Redis that is away: every call ends within seconds. No error of ioredis is passed on, for it carries arguments.
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Log } from '../telemetry/log.ts';
import {
  COMMAND_TIMEOUT_MS,
  commandOptions,
  connectionOptions,
  type HostAndPort,
  placeOf,
  type RedisPlace,
  type RedisSettings,
  retryDelayMs,
  sentinelOptions,
} from './redis-options.ts';
import { createSubscriber } from './subscriber.ts';
import type { BusTransport } from './transport.ts';

export type { RedisSettings } from './redis-options.ts';

export interface RedisTransportOptions {
  log?: Pick<Log, 'info' | 'warn'>;
  /** Which Redis this is, for logs, errors and CLIENT LIST: `livekit`, `workers`. */
  name?: string;
  /** To wait for the first connection; 0 does not wait. @default 10000 */
  connectTimeoutMs?: number;
}

/** That the broker did not do as asked. `message` names the broker and Redis' own words, and no argument. */
export class BusUnavailableError extends Error {
  override readonly name = 'BusUnavailableError';
}

const FIRST_CONNECT_TIMEOUT_MS = 10_000;
const CONFIRM_TIMEOUT_MS = 2_000;
const HEARTBEAT_MS = 5_000;
const READY_POLL_MS = 20;

export async function createRedisTransport(
  settings: RedisSettings,
  { log, name = 'bus', connectTimeoutMs = FIRST_CONNECT_TIMEOUT_MS }: RedisTransportOptions = {},
): Promise<BusTransport> {
  const place = placeOf(settings);
  // Made once: nothing about a connection is read from a file later.
  const options = {
    ...connectionOptions(settings, name),
    ...(place.kind === 'sentinel' ? sentinelOptions(settings, place) : {}),
  };
  let problem: string | undefined;
  const onProblem = (error: unknown) => {
    const words = wordsOf(error);
    if (words !== problem) log?.warn({ redis: name, problem: words }, 'trouble with Redis');
    problem = words;
  };

  const commands = connectCommands(options, place);
  commands.on('error', onProblem);
  commands.on('ready', () => {
    problem = undefined;
    log?.info({ redis: name }, 'connected to Redis');
  });
  const subscriber = createSubscriber({
    connect: () => connectSubscriber(options, place, commands),
    retryDelayMs,
    confirmTimeoutMs: CONFIRM_TIMEOUT_MS,
    heartbeatMs: HEARTBEAT_MS,
    onProblem,
  });
  const beat = () => {
    if (commands.status === 'ready') commands.ping().catch(onProblem);
  };
  const heartbeat = setInterval(beat, HEARTBEAT_MS);
  heartbeat.unref();

  const isConnected = () => commands.status === 'ready' && subscriber.isComplete();
  const fail = (what: string, error: unknown) => new BusUnavailableError(`redis ${name}: ${what}: ${wordsOf(error)}`);
  const ask = async <T>(what: string, answer: Promise<T>): Promise<T> => {
    try {
      return await within(COMMAND_TIMEOUT_MS, answer);
    } catch (error) {
      // While it is away ioredis only says that it cannot write.
      throw fail(what, commands.status === 'ready' ? error : (problem ?? 'not connected'));
    }
  };
  const listen = (
    kind: 'subscribe' | 'psubscribe',
    channel: string,
    listener: Parameters<BusTransport['subscribe']>[1],
  ) =>
    subscriber.subscribe(kind, channel, listener).catch((error: unknown) => {
      throw fail(`no subscription to ${channel}`, problem ?? error);
    });
  const close = async () => {
    clearInterval(heartbeat);
    subscriber.close();
    commands.disconnect();
  };

  if (connectTimeoutMs > 0 && !(await holdsWithin(connectTimeoutMs, isConnected))) {
    await close();
    throw fail(`no connection within ${connectTimeoutMs / 1_000} s`, problem ?? 'no answer');
  }
  return {
    publish: async (channel, message) => void (await ask('PUBLISH', commands.publish(channel, toBuffer(message)))),
    subscribe: (channel, listener) => listen('subscribe', channel, listener),
    psubscribe: (pattern, listener) => listen('psubscribe', pattern, listener),
    lock: async (key, holdMs) => (await ask('SET NX', commands.set(key, '1', 'PX', holdMs, 'NX'))) === 'OK',
    async channels(pattern) {
      const lists = nodesOf(commands).map((node) => node.call('PUBSUB', 'CHANNELS', pattern) as Promise<string[]>);
      return [...new Set((await ask('PUBSUB CHANNELS', Promise.all(lists))).flat())];
    },
    async subscribers(channel) {
      const counts = nodesOf(commands).map((node) => node.call('PUBSUB', 'NUMSUB', channel) as Promise<unknown[]>);
      const pairs = await ask('PUBSUB NUMSUB', Promise.all(counts));
      return pairs.reduce((sum: number, pair) => sum + Number(pair[1] ?? 0), 0);
    },
    setKey: async (key, value, ttlMs) => void (await ask('SET', commands.set(key, value, 'PX', ttlMs))),
    getKeys: (keys) => ask('GET', Promise.all(keys.map((key) => commands.get(key)))),
    deleteKey: async (key) => void (await ask('DEL', commands.del(key))),
    health() {
      const reconnects = subscriber.reconnects();
      if (isConnected()) return { ok: true, reconnects };
      return { ok: false, problem: `redis ${name}: ${problem ?? 'not connected'}`, reconnects };
    },
    close,
  };
}

type Commands = Redis | Cluster;

function connectCommands(connection: RedisOptions, place: RedisPlace): Commands {
  const options = { ...connection, ...commandOptions };
  if (place.kind === 'cluster') {
    return new Cluster(place.nodes, {
      redisOptions: options,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryDelayMs,
      slotsRefreshTimeout: COMMAND_TIMEOUT_MS,
      // Where a certificate names hosts, the address of a node is one of them.
      dnsLookup: (address, callback) => callback(null, address),
    });
  }
  return new Redis({ ...options, ...nodeOf(place), enableOfflineQueue: false, retryStrategy: retryDelayMs });
}

/** Of a cluster any node will do, for it passes every message on to all; but one that lives. */
function connectSubscriber(connection: RedisOptions, place: RedisPlace, commands: Commands): Redis | undefined {
  const node = place.kind === 'cluster' ? liveNodeOf(commands) : nodeOf(place);
  if (!node) return undefined;
  const connectionName = `${connection.connectionName}-subscriber`;
  return new Redis({ ...connection, ...node, connectionName, lazyConnect: true, retryStrategy: () => null });
}

/** Where Sentinel is asked is in the options already. */
function nodeOf(place: RedisPlace): HostAndPort | Record<string, never> {
  return place.kind === 'single' ? place.node : {};
}

function liveNodeOf(commands: Commands): HostAndPort | undefined {
  const nodes = nodesOf(commands).filter(({ status }) => status === 'ready' || status === 'wait');
  const { host, port } = nodes[Math.floor(Math.random() * nodes.length)]?.options ?? {};
  return host === undefined || port === undefined ? undefined : { host, port };
}

/** Whoever listens may be connected to any of them, replicas too. */
function nodesOf(commands: Commands): Redis[] {
  return commands instanceof Cluster ? commands.nodes('all') : [commands];
}

function toBuffer(message: Uint8Array): Buffer {
  return Buffer.from(message.buffer, message.byteOffset, message.byteLength);
}

/** ioredis' own limits do not cover a cluster that redirects. */
async function within<T>(limitMs: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([answer, limit]);
  } finally {
    clearTimeout(timer);
  }
}

async function holdsWithin(limitMs: number, holds: () => boolean): Promise<boolean> {
  const until = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
  return true;
}

/** Redis' replies to AUTH and the like name no secret; ioredis' error objects do, in `command`. */
function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
