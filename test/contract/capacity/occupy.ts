// A recording on a worker, by hand: a web page, which needs neither a room nor LiveKit.
import { BinaryWriter, WireType } from '@bufbuild/protobuf';
import { EncodedFileOutput, WebEgressRequest } from '@livekit/protocol';
import { createRedisTransport } from '../../../src/bus/redis.ts';
import { makeWorkersSide } from '../bus/bed.ts';
import { eventually } from './eventually.ts';

export interface Occupier {
  /** @returns once the worker has accepted it */
  occupy(topic: string): Promise<{ egressId: string; stop(): Promise<void> }>;
  /** The same as soon as the worker listens: it answers on its port a moment earlier. */
  occupyOnceReady(topic: string): Promise<{ egressId: string; stop(): Promise<void> }>;
  close(): Promise<void>;
}

export async function createOccupier(redis: { address: string }): Promise<Occupier> {
  const bus = await createRedisTransport(redis, { name: 'workers' });
  const side = await makeWorkersSide(bus);
  let made = 0;
  const occupier: Occupier = {
    async occupy(topic) {
      made += 1;
      const egressId = `EG_busy${String(made).padStart(4, '0')}`;
      const reply = await side.start({ topic, request: webRequest(egressId) });
      if (!reply.ok) throw new Error(`${topic} did not start: ${reply.message}`);
      return { egressId, stop: async () => void (await side.stop(egressId)) };
    },
    async occupyOnceReady(topic) {
      let busy: Awaited<ReturnType<Occupier['occupy']>> | undefined;
      await eventually(async () => {
        busy = await occupier.occupy(topic).catch(() => undefined);
        return busy !== undefined;
      });
      return busy as NonNullable<typeof busy>;
    },
    async close() {
      await side.end();
      await bus.close();
    },
  };
  return occupier;
}

/** rpc.StartEgressRequest. */
function webRequest(egressId: string): Uint8Array {
  const web = new WebEgressRequest({
    url: 'http://127.0.0.1:9/',
    fileOutputs: [new EncodedFileOutput({ filepath: `${egressId}.mp4` })],
  });
  return new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string(egressId)
    .tag(11, WireType.LengthDelimited)
    .bytes(web.toBinary())
    .finish();
}
