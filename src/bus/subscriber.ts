// The connection that listens. It keeps the list of what is wanted itself and makes all of it anew on every new connection:
// ioredis' own restoring loses what was not confirmed when a connection broke, and its cluster subscriber more.
import type { Redis } from 'ioredis';
import type { BusListener, Unsubscribe } from './transport.ts';
import { plain } from './wire.ts';

export interface SubscriberOptions {
  /** A connection that is not tried again when it ends; undefined when there is nowhere to connect to at the moment. */
  connect: () => Redis | undefined;
  /** How long to wait before the next connection. */
  retryDelayMs: (tries: number) => number;
  /** For a subscription to be confirmed. */
  confirmTimeoutMs: number;
  /** How often the connection is asked whether it lives. */
  heartbeatMs: number;
  onProblem: (error: unknown) => void;
}

export interface Subscriber {
  subscribe(kind: Kind, name: string, listener: BusListener): Promise<Unsubscribe>;
  /** Connected, with everything confirmed. */
  isComplete(): boolean;
  reconnects(): number;
  close(): void;
}

type Kind = 'subscribe' | 'psubscribe';

interface Wanted {
  kind: Kind;
  name: string;
  listeners: Set<BusListener>;
  confirmed: boolean;
  /** Told when it is confirmed or refused. */
  waiters: Set<(refusal?: Error) => void>;
}

export function createSubscriber(options: SubscriberOptions): Subscriber {
  const wanted = new Map<string, Wanted>();
  let redis: Redis | undefined;
  let ready = false;
  let closed = false;
  let connections = 0;
  let tries = 0;
  let retry: NodeJS.Timeout | undefined;

  const deliver = (key: string, channel: string, message: Uint8Array) => {
    for (const listener of wanted.get(key)?.listeners ?? []) {
      try {
        listener(message, channel);
      } catch (error) {
        options.onProblem(error);
      }
    }
  };

  const connect = () => {
    const connection = options.connect();
    if (!connection) return reconnectLater();
    redis = connection;
    connection.on('error', options.onProblem);
    connection.on('messageBuffer', (channel: Buffer, message: Buffer) =>
      deliver(keyOf('subscribe', String(channel)), String(channel), plain(message)),
    );
    connection.on('pmessageBuffer', (pattern: string | Buffer, channel: Buffer, message: Buffer) =>
      deliver(keyOf('psubscribe', String(pattern)), String(channel), plain(message)),
    );
    connection.on('ready', () => void restore(connection));
    connection.once('end', () => {
      if (redis !== connection) return;
      redis = undefined;
      ready = false;
      for (const one of wanted.values()) one.confirmed = false;
      reconnectLater();
    });
    connection.connect().catch(() => undefined);
  };
  const reconnectLater = () => {
    if (closed) return;
    tries += 1;
    retry = setTimeout(connect, options.retryDelayMs(tries));
  };

  const restore = async (connection: Redis) => {
    ready = true;
    connections += 1;
    await Promise.all([...wanted.values()].map((one) => confirm(connection, one)));
    if (redis === connection) tries = 0;
  };
  const confirm = async (connection: Redis, one: Wanted) => {
    try {
      await connection[one.kind](one.name);
      if (redis !== connection) return;
      one.confirmed = true;
      for (const waiter of one.waiters) waiter();
    } catch (error) {
      options.onProblem(error);
      if (isRefusal(error)) for (const waiter of one.waiters) waiter(error);
      // Whether it is subscribed is unknown: the next connection begins with a clean slate.
      else connection.disconnect();
    }
  };
  const forget = async (one: Wanted) => {
    wanted.delete(keyOf(one.kind, one.name));
    const connection = redis;
    if (!ready || !connection) return;
    await connection[one.kind === 'subscribe' ? 'unsubscribe' : 'punsubscribe'](one.name).catch(() =>
      connection.disconnect(),
    );
  };
  const untilConfirmed = (one: Wanted) =>
    new Promise<void>((resolve, reject) => {
      const waiter = (refusal?: Error) => {
        clearTimeout(timer);
        one.waiters.delete(waiter);
        if (refusal) reject(refusal);
        else resolve();
      };
      const timer = setTimeout(waiter, options.confirmTimeoutMs, new Error('the subscription was not confirmed'));
      one.waiters.add(waiter);
    });

  const beat = async () => {
    const connection = redis;
    if (!ready || !connection) return;
    await connection.ping().catch((error: unknown) => {
      options.onProblem(error);
      connection.disconnect();
    });
  };
  const heartbeat = setInterval(() => void beat(), options.heartbeatMs);
  heartbeat.unref();
  connect();

  return {
    async subscribe(kind, name, listener) {
      const key = keyOf(kind, name);
      const one = wanted.get(key) ?? { kind, name, listeners: new Set(), confirmed: false, waiters: new Set() };
      // A function of its own: the same listener may be wanted twice.
      const own: BusListener = (message, channel) => listener(message, channel);
      one.listeners.add(own);
      const unsubscribe = async () => {
        if (one.listeners.delete(own) && one.listeners.size === 0 && wanted.get(key) === one) await forget(one);
      };
      if (!wanted.has(key)) {
        wanted.set(key, one);
        if (ready && redis) void confirm(redis, one);
      }
      try {
        if (!one.confirmed) await untilConfirmed(one);
        return unsubscribe;
      } catch (error) {
        await unsubscribe();
        throw error;
      }
    },
    isComplete: () => ready && [...wanted.values()].every(({ confirmed }) => confirmed),
    reconnects: () => Math.max(0, connections - 1),
    close() {
      closed = true;
      clearInterval(heartbeat);
      clearTimeout(retry);
      redis?.disconnect();
    },
  };
}

/** Redis' own no, of an ACL for instance: another connection would hear the same. */
function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

function keyOf(kind: Kind, name: string): string {
  return `${kind} ${name}`;
}
