// The server against the real livekit-server: to it we are the egress worker, and nobody else is there.
import { EgressInfo, EgressStatus } from '@livekit/protocol';
import { EncodedFileOutput, EncodedFileType } from 'livekit-server-sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRpcServer, RpcError } from '../../../src/bus/server.ts';
import { waitFor } from '../../support/stack-wait.ts';
import { type Bed, makeBed } from './bed.ts';

const START = { service: 'EgressInternal', method: 'StartEgress' };
/** The SDK gives up after 10 s, and LiveKit answers at the earliest after 500 ms when affinity is below 1. */
const SOON_MS = 400;
let bed: Bed;
let room: string;
const file = () => new EncodedFileOutput({ fileType: EncodedFileType.MP4, filepath: 'a.mp4' });

beforeAll(async () => {
  bed = await makeBed(['redis', 'livekit']);
  room = await bed.livekit.createRoom('bus');
});
afterAll(() => bed?.end());

/** Field 1 of rpc.StartEgressRequest, which LiveKit writes first. */
function egressIdOf(request: Uint8Array): string {
  const [key, length = 0] = request;
  if (key !== 10) throw new Error('a request that does not begin with its id');
  return Buffer.from(request.subarray(2, 2 + length)).toString();
}

describe('towards LiveKit', () => {
  it('a start of an unmodified SDK is answered at once, without any worker', async () => {
    const server = createRpcServer(await bed.livekitBus());
    const served = await server.serve({
      ...START,
      affinity: () => 1,
      handle: async (request) =>
        new EgressInfo({
          egressId: egressIdOf(request),
          roomName: room,
          status: EgressStatus.EGRESS_STARTING,
          sourceType: 1,
        }).toBinary(),
    });
    const times: number[] = [];
    for (let i = 0; i < 10; i++) {
      const sinceMs = performance.now();
      const info = await bed.livekit.egresses.startRoomCompositeEgress(room, { file: file() });
      times.push(performance.now() - sinceMs);
      expect(info.egressId).toMatch(/^EG_\w+$/);
      expect(info.status).toBe(EgressStatus.EGRESS_STARTING);
    }
    times.sort((a, b) => a - b);
    expect(times.at(times.length / 2), `median of ${times.map(Math.round)} ms`).toBeLessThan(SOON_MS);
    await served.stop();
  });

  it('a refusal reaches the SDK with its code and words, and is not asked for again', async () => {
    let asked = 0;
    const served = await createRpcServer(await bed.livekitBus()).serve({
      ...START,
      affinity: () => 1,
      handle: async () => {
        asked += 1;
        throw new RpcError('invalid_argument', 'request has missing or invalid field: layout');
      },
    });
    await expect(bed.livekit.egresses.startRoomCompositeEgress(room, { file: file() })).rejects.toMatchObject({
      status: 400,
      code: 'invalid_argument',
      message: expect.stringContaining('request has missing or invalid field: layout'),
    });
    expect(asked).toBe(1);
    await served.stop();
  });

  it('StopEgress of any id is answered through one pattern subscription, also when two processes hold it', async () => {
    const stopped: (string | undefined)[] = [];
    const servers = await Promise.all(
      [1, 2].map(async () =>
        createRpcServer(await bed.livekitBus()).serveQueue({
          service: 'EgressHandler',
          method: 'StopEgress',
          topic: '*',
          isMine: () => true,
          handle: async (_, { topic }) => {
            stopped.push(topic);
            return new EgressInfo({ egressId: topic, status: EgressStatus.EGRESS_ENDING }).toBinary();
          },
        }),
      ),
    );
    const ids = Array.from({ length: 20 }, (_, i) => `EG_stop${i}`);
    const answers = await Promise.all(ids.map((id) => bed.livekit.egresses.stopEgress(id)));
    expect(answers.map(({ egressId, status }) => [egressId, status])).toEqual(
      ids.map((id) => [id, EgressStatus.EGRESS_ENDING]),
    );
    expect([...stopped].sort()).toEqual([...ids].sort());
    await Promise.all(servers.map((served) => served.stop()));
  });

  it('how many serve is counted by their subscriptions', async () => {
    const bus = await bed.livekitBus();
    const count = () => bus.subscribers('EgressInternal|StartEgress|REQ');
    await waitFor('nobody serves', count, (found) => found === 0);
    const served = await Promise.all(
      [1, 2].map(async () =>
        createRpcServer(await bed.livekitBus()).serve({ ...START, affinity: () => undefined, handle: async (r) => r }),
      ),
    );
    expect(await count()).toBe(2);
    await Promise.all(served.map((one) => one.stop()));
    expect(await count()).toBe(0);
  });
});
