// The two buses of a process: LiveKit's Redis, where it is the egress worker, and the workers' Redis, where it is LiveKit.
import { createRpcClient, type RpcClient } from './bus/client.ts';
import { createRedisTransport, type RedisSettings } from './bus/redis.ts';
import { createRpcServer, type RpcServer } from './bus/server.ts';
import type { BusTransport } from './bus/transport.ts';
import type { Config } from './config.ts';
import type { Log } from './log.ts';

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

/** Either Redis may still be away: it is connected to when it comes. */
export async function connectBuses(config: Pick<Config, 'livekit' | 'workers'>, log: Log): Promise<Buses> {
  const [livekit, workers] = await Promise.all([
    connect('livekit', config.livekit.redis, log),
    connect('workers', config.workers.redis, log),
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

async function connect(name: string, settings: RedisSettings, log: Log): Promise<Bus> {
  const transport = await createRedisTransport(settings, { name, log });
  return { transport, client: await createRpcClient(transport), server: createRpcServer(transport, { log }) };
}
