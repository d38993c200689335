// When a worker has taken a start, by its own word: it tells IOInfo its record at once, while it still launches its handler.
import { EgressInfo } from '@livekit/protocol';
import { createRedisTransport } from '../src/bus/redis.ts';
import { requestChannel } from '../src/bus/topics.ts';
import { decodeRequest } from '../src/bus/wire.ts';

export interface Acceptances {
  /** Unix ms, by the worker's id of the egress. */
  atMs(egressId: string): number | undefined;
  close(): Promise<void>;
}

export async function watchAcceptances(redis: { address: string }): Promise<Acceptances> {
  const bus = await createRedisTransport(redis, { name: 'acceptances' });
  const seen = new Map<string, number>();
  await bus.subscribe(requestChannel({ service: 'IOInfo', method: 'CreateEgress' }), (message) => {
    const request = decodeRequest(message);
    if (!request) return;
    const { egressId } = EgressInfo.fromBinary(request.request);
    if (!seen.has(egressId)) seen.set(egressId, Date.now());
  });
  return { atMs: (egressId) => seen.get(egressId), close: () => bus.close() };
}
