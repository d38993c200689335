// What the unit tests of the bus stand on: processes on one broker in memory, each with a server, and a caller.
import { createRpcClient, type RpcCall, type RpcClientOptions } from '../../../src/bus/client.ts';
import { createRpcServer, type RpcServerOptions, type ServeOptions } from '../../../src/bus/server.ts';
import { claimChannel, grantChannel, requestChannel } from '../../../src/bus/topics.ts';
import { encodeClaim, encodeGrant, encodeReply, encodeRequest, type WireRequest } from '../../../src/bus/wire.ts';
import { createMemoryBroker } from '../../support/memory-bus.ts';

export const METHOD = { service: 'EgressInternal', method: 'StartEgress' };
export const BYTES = new Uint8Array([1, 2, 3]);
/** Everything is over in a few turns of the event loop; this only bounds a failure. */
export const LONG_MS = 2_000;

export function makeBed() {
  const broker = createMemoryBroker();
  const bus = broker.connect();
  const warnings: string[] = [];
  const log = { warn: (_: unknown, words: string) => warnings.push(words) } as unknown as RpcServerOptions['log'];
  return {
    broker,
    bus,
    warnings,
    server: (options: RpcServerOptions = {}) => createRpcServer(broker.connect(), { log, ...options }),
    client: (options: RpcClientOptions = {}) => createRpcClient(broker.connect(), options),
    call: (change: Partial<RpcCall> = {}): RpcCall => ({ ...METHOD, request: BYTES, timeoutMs: LONG_MS, ...change }),
    /** What a server does with every request, unless told otherwise. */
    serving: (change: Partial<ServeOptions> = {}): ServeOptions => ({
      ...METHOD,
      affinity: () => 1,
      handle: async (request) => request,
      ...change,
    }),
    async sendRequest(change: Partial<WireRequest> = {}, name: { topic?: string } = {}) {
      const now = Date.now();
      const times = { sentAtMs: now, expiryMs: now + LONG_MS };
      const ids = { requestId: 'REQ_1', clientId: 'CLI_1' };
      const message = { ...ids, ...times, multi: false, metadata: {}, request: BYTES, ...change };
      await bus.publish(requestChannel({ ...METHOD, ...name }), encodeRequest(message));
    },
    claim: (clientId: string, requestId: string, serverId: string, affinity = 1, handling = false) =>
      bus.publish(claimChannel(METHOD.service, clientId), encodeClaim({ requestId, serverId, affinity, handling })),
    grant: (requestId: string, serverId: string) =>
      bus.publish(grantChannel(METHOD), encodeGrant({ requestId, serverId })),
    reply: (requestId: string, serverId: string) =>
      encodeReply({ requestId, serverId, sentAtMs: Date.now(), response: BYTES }),
    /** Channels on which something was published, in order. */
    channels: () => broker.published.map(({ channel }) => channel),
    grants: () => broker.published.filter(({ channel }) => channel === grantChannel(METHOD)).length,
  };
}

/** All that is under way in memory has happened. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
}
