// What `reelkit doctor` learns of workers that it sends a start which each must refuse.
import { describe, expect, it } from 'vitest';
import { RpcError } from '../../../../src/bus/error.ts';
import { createRpcServer } from '../../../../src/bus/server.ts';
import { decodeStart, refusalOf } from '../../../../src/livekit/request/index.ts';
import { checkStarts } from '../../../../src/service/doctor/starts.ts';
import { egress, worker } from '../../../support/fleet.ts';
import { createMemoryBroker } from '../../../support/memory-bus.ts';

const START = { service: 'EgressInternal', method: 'StartEgress' };
type Handle = (request: Uint8Array) => Promise<Uint8Array>;

const refuses: Handle = async () => {
  throw new RpcError('invalid_argument', 'request has missing or invalid field: track_id');
};

async function bed(workers: { topic: string; handle?: Handle; ready?: boolean; busy?: boolean }[]) {
  const broker = createMemoryBroker();
  for (const { topic, handle = refuses, ready = true } of workers) {
    const server = createRpcServer(broker.connect());
    await server.serve({ ...START, topic, affinity: () => (ready ? 1 : undefined), handle });
  }
  const seen = workers.map(({ topic, busy }) => worker(topic, { topic, egresses: busy ? [egress('EG_a')] : [] }));
  return checkStarts('starts', broker.connect(), seen);
}

describe('a start that every worker refuses', () => {
  it('is one that LiveKit itself would never send on', async () => {
    let sent: Uint8Array | undefined;
    const handle: Handle = (request) => {
      sent = request;
      return refuses(request);
    };
    await bed([{ topic: 'w', handle }]);
    expect(refusalOf(decodeStart(sent ?? new Uint8Array()))?.code).toBe('invalid_argument');
  });

  it('is claimed and refused where all is well; a busy worker may have no room for it', async () => {
    expect(await bed([{ topic: 'a' }, { topic: 'b' }, { topic: 'c', ready: false, busy: true }])).toEqual({
      name: 'starts',
      ok: true,
      detail: '2 took a start and refused it, as they should; 1 had no room for it',
    });
  });

  it.each([
    ['an idle worker that takes none', { topic: 'w', ready: false }, /^w is idle and takes no start\. See its log/],
    [
      'a worker that cannot reach its own',
      { topic: 'w', handle: () => Promise.reject(new RpcError('internal', 'no session')) },
      /^w answered a start with "internal": no session\. /,
    ],
    [
      'a worker that accepts it',
      { topic: 'w', handle: async () => new Uint8Array() },
      /^w accepted a start that names/,
    ],
  ])('names %s', async (_, one, detail) => {
    expect(await bed([one])).toMatchObject({ ok: false, detail: expect.stringMatching(detail) });
  });

  it('is sent to nobody when there is nobody, and says that this was not tested', async () => {
    expect(await bed([])).toMatchObject({ ok: true, detail: expect.stringContaining('not tested') });
  });
});
