// The two buses of a process: LiveKit's Redis, where it is the egress worker, and the workers' Redis, where it is LiveKit.

import { createRpcClient, type RpcClient } from '../bus/client.ts';
import { createRedisTransport, type RedisSettings } from '../bus/redis.ts';
import { createRpcServer, type RpcServer } from '../bus/server.ts';
import type { BusTransport } from '../bus/transport.ts';
import { backoffMs, withJitter } from '../common/backoff.ts';
import { messageOf } from '../common/error-message.ts';
import type { Config } from '../config/schema.ts';
import type { PresenceBus } from '../livekit/presence.ts';
import type { Log } from '../telemetry/log.ts';

export interface Bus {
  transport: BusTransport;
  client: RpcClient;
  server: RpcServer;
}

export interface Buses {
  livekit: Bus;
  workers: Bus;
  close(): Promise<void>;
}

/** For who looks at a bus before it is connected: until then every call fails as if Redis were away. */
export function lateTransport(get: () => BusTransport | undefined): PresenceBus {
  const use = <T>(call: (bus: BusTransport) => Promise<T>): Promise<T> => {
    const bus = get();
    return bus ? call(bus) : Promise.reject(new Error('not connected to Redis yet'));
  };
  return {
    channels: (pattern) => use((bus) => bus.channels(pattern)),
    setKey: (key, value, ttlMs) => use((bus) => bus.setKey(key, value, ttlMs)),
    getKeys: (keys) => use((bus) => bus.getKeys(keys)),
    deleteKey: (key) => use((bus) => bus.deleteKey(key)),
    health: () => get()?.health() ?? { ok: false, problem: 'not connected yet', reconnects: -1 },
  };
}

const RETRY = { firstMs: 500, maxMs: 5_000 };

/** Tried until both answer; each failure says which, and why. @throws once `stopping` aborts */
export async function connectBuses(
  config: Pick<Config, 'livekit' | 'workers'>,
  log: Log,
  stopping: AbortSignal,
): Promise<Buses> {
  const [livekit, workers] = await Promise.all([
    connect('livekit', config.livekit.redis, log, stopping),
    connect('workers', config.workers.redis, log, stopping),
  ]);
  return {
    livekit,
    workers,
    async close() {
      await Promise.allSettled([livekit.client.close(), workers.client.close()]);
      await Promise.allSettled([livekit.transport.close(), workers.transport.close()]);
    },
  };
}

async function connect(name: string, settings: RedisSettings, log: Log, stopping: AbortSignal): Promise<Bus> {
  for (let tries = 1; ; tries += 1) {
    stopping.throwIfAborted();
    try {
      const transport = await createRedisTransport(settings, { name, log });
      return { transport, client: await createRpcClient(transport), server: createRpcServer(transport, { log }) };
    } catch (error) {
      log.warn({ redis: name, problem: messageOf(error) }, 'waits for Redis');
      await new Promise((resolve) => setTimeout(resolve, withJitter(backoffMs(RETRY, tries))));
    }
  }
}
