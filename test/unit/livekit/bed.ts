// Two processes on one bus in memory: whoever stands for LiveKit or a worker, and Reelkit.
import type { Message } from '@bufbuild/protobuf';
import { createRpcClient, type RpcCall, type RpcReply } from '../../../src/bus/client.ts';
import { createRpcServer, type RpcServer } from '../../../src/bus/server.ts';
import { createMemoryBroker } from '../../support/memory-bus.ts';

export const RECORDING = 'EG_23456789abcd';

export interface Bed {
  broker: ReturnType<typeof createMemoryBroker>;
  /** Another process each time. */
  server: () => RpcServer;
  client: () => ReturnType<typeof createRpcClient>;
  /** As LiveKit and its workers ask: what nobody claims ends after `claimTimeoutMs`. */
  ask: (call: Ask) => Promise<RpcReply>;
  logged: { level: 'info' | 'warn'; fields: object; message: string }[];
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

export type Ask = Omit<RpcCall, 'request' | 'timeoutMs'> & {
  request: Message | Uint8Array;
  timeoutMs?: number;
};

export function makeBed(): Bed {
  const broker = createMemoryBroker();
  const logged: Bed['logged'] = [];
  const note = (level: 'info' | 'warn') => (fields: object, message: string) =>
    void logged.push({ level, fields, message });
  const client = () => createRpcClient(broker.connect());
  return {
    broker,
    server: () => createRpcServer(broker.connect()),
    client,
    async ask({ request, ...call }) {
      const bytes = request instanceof Uint8Array ? request : request.toBinary();
      const asking = await client();
      return asking.call({ timeoutMs: 300, claimTimeoutMs: 100, ...call, request: bytes });
    },
    logged,
    log: { info: note('info'), warn: note('warn') },
  };
}
