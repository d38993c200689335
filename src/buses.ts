// The two buses of a process: LiveKit's Redis, where it is the egress worker, and the workers' Redis, where it is LiveKit.
import { createRpcClient, type RpcClient } from './bus/client.ts';
import { createRedisTransport } from './bus/redis.ts';
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

/** Connects when used first, and again whenever the connection was lost. */
export function createBuses(config: Pick<Config, 'livekit' | 'workers'>, log: Log): Buses {
  const open = (name: string, settings: Config['workers']['redis']): Bus => {
    const transport = createRedisTransport(settings, { name, log });
    return { transport, client: createRpcClient(transport), server: createRpcServer(transport, { log }) };
  };
  const livekit = open('LiveKit', config.livekit.redis);
  const workers = open('workers', config.workers.redis);
  return {
    livekit,
    workers,
    async close() {
      await Promise.allSettled([livekit.client.close(), workers.client.close()]);
      await Promise.allSettled([livekit.transport.close(), workers.transport.close()]);
    },
  };
}
