// What Reelkit asks of workers: each on its own topic, and every answer, or none, becomes a reply that is sure of what it says.
import { EgressInfo, EgressStatus, StopEgressRequest, UpdateStreamRequest } from '@livekit/protocol';
import { describe, expect, it } from 'vitest';
import type { RpcCall, RpcClient, RpcReply } from '../../../src/bus/client.ts';
import { RpcError, type RpcHandler } from '../../../src/bus/server.ts';
import { ActiveEgresses } from '../../../src/livekit/request/index.ts';
import { createWorkers, DISPATCH_LIMIT_MS, WorkerRefusal, WorkerSilent } from '../../../src/livekit/workers.ts';
import { makeBed, RECORDING } from './bed.ts';

/** A caller that answers by script, and keeps what it was asked. */
function scripted(reply: RpcReply | Error) {
  const calls: RpcCall[] = [];
  const call = async (asked: RpcCall) => {
    calls.push(asked);
    if (reply instanceof Error) throw reply;
    return reply;
  };
  return { calls, workers: createWorkers({ call } as unknown as RpcClient) };
}

describe('a start', () => {
  it('is sent to the topic of one worker, waits a second for its claim, and has ten to be answered', async () => {
    const { calls, workers } = scripted({ ok: true, response: new Uint8Array(), serverId: 'SRV_1' });
    const request = new Uint8Array([1]);
    expect(await workers.start('worker-1', request)).toMatchObject({ kind: 'accepted', atMs: expect.any(Number) });
    expect(calls).toEqual([
      {
        service: 'EgressInternal',
        method: 'StartEgress',
        topic: 'worker-1',
        request,
        timeoutMs: DISPATCH_LIMIT_MS,
        claimTimeoutMs: 1_000,
      },
    ]);
  });

  it.each<[what: string, granted: boolean, code: string, kind: string]>([
    ['that nobody claimed', false, 'no_claim', 'not_granted'],
    ['that was refused before any grant', false, 'unavailable', 'not_granted'],
    ['that could not be sent', false, 'unavailable', 'not_granted'],
    ['that timed out before any grant', false, 'deadline_exceeded', 'not_granted'],
    ['that was granted and not answered', true, 'deadline_exceeded', 'no_answer'],
    ['that was granted while this process ends', true, 'canceled', 'no_answer'],
    ['that the worker refused', true, 'invalid_argument', 'error'],
    ['that the worker had no room for', true, 'resource_exhausted', 'error'],
  ])('%s', async (_, granted, code, kind) => {
    const { workers } = scripted({ ok: false, code, message: 'words', granted });
    const reply = await workers.start('worker-1', new Uint8Array());
    expect(reply).toMatchObject({ kind, message: 'words' });
    expect('code' in reply ? reply.code : undefined).toBe(kind === 'error' ? code : undefined);
  });

  it('of which nobody can say whether it was sent may run', async () => {
    const { workers } = scripted(new Error('broken'));
    expect(await workers.start('worker-1', new Uint8Array())).toEqual({ kind: 'no_answer', message: 'broken' });
  });

  it('reaches no other worker', async () => {
    const { server, client } = makeBed();
    const started: string[] = [];
    const take =
      (name: string): RpcHandler =>
      async () => {
        started.push(name);
        return new Uint8Array();
      };
    for (const topic of ['one', 'two'])
      await server().serve({
        service: 'EgressInternal',
        method: 'StartEgress',
        topic,
        affinity: () => 1,
        handle: take(topic),
      });
    const workers = createWorkers(await client());
    expect((await workers.start('two', new Uint8Array())).kind).toBe('accepted');
    expect(started).toEqual(['two']);
  });
});

describe('a stop, and a change of streams', () => {
  const info = new EgressInfo({ egressId: `${RECORDING}_1`, status: EgressStatus.EGRESS_ENDING });

  async function worker(handle: RpcHandler) {
    const { server, client } = makeBed();
    const queue = { service: 'EgressHandler', topic: `${RECORDING}_1`, isMine: () => true, handle };
    await server().serveQueue({ ...queue, method: 'StopEgress' });
    await server().serveQueue({ ...queue, method: 'UpdateStream' });
    return createWorkers(await client());
  }

  it('go to the attempt, and bring back what its worker says of it', async () => {
    const asked: Uint8Array[] = [];
    const workers = await worker(async (request) => {
      asked.push(request);
      return info.toBinary();
    });
    expect(await workers.stop(`${RECORDING}_1`)).toEqual(info);
    const change = { egressId: `${RECORDING}_1`, add: ['rtmp://a/b'], remove: ['rtmp://c/d'] };
    expect(await workers.updateStream(change)).toEqual(info);
    expect(StopEgressRequest.fromBinary(asked[0] ?? new Uint8Array()).egressId).toBe(`${RECORDING}_1`);
    expect(UpdateStreamRequest.fromBinary(asked[1] ?? new Uint8Array())).toMatchObject({
      egressId: `${RECORDING}_1`,
      addOutputUrls: ['rtmp://a/b'],
      removeOutputUrls: ['rtmp://c/d'],
    });
  });

  it("are refused in the worker's words", async () => {
    const workers = await worker(async () => {
      throw new RpcError('failed_precondition', 'egress with status EGRESS_COMPLETE cannot be stopped');
    });
    const stopped = await workers.stop(`${RECORDING}_1`).catch((error: unknown) => error);
    expect(stopped).toBeInstanceOf(WorkerRefusal);
    expect(stopped).toMatchObject({ code: 'failed_precondition', message: expect.stringContaining('EGRESS_COMPLETE') });
  });

  it.each<[string, RpcReply]>([
    ['nobody claims', { ok: false, code: 'no_claim', message: '', granted: false }],
    ['it was granted and not answered', { ok: false, code: 'deadline_exceeded', message: '', granted: true }],
  ])('are silent when %s', async (_, reply) => {
    const { workers } = scripted(reply);
    await expect(workers.stop(RECORDING)).rejects.toThrow(new WorkerSilent(RECORDING));
    await expect(workers.updateStream({ egressId: RECORDING, add: [], remove: [] })).rejects.toThrow(WorkerSilent);
  });

  it('fail while the bus is away: nobody was asked, so it may well run', async () => {
    const { workers } = scripted({ ok: false, code: 'unavailable', message: 'redis is away', granted: false });
    const stopped = await workers.stop(RECORDING).catch((error: unknown) => error);
    expect(stopped).toEqual(new Error('the workers could not be asked: redis is away'));
    expect(stopped).not.toBeInstanceOf(WorkerSilent);
  });
});

describe('the list of what runs', () => {
  const listed = (...replies: { response?: Uint8Array }[]) =>
    createWorkers({ multi: async () => replies } as unknown as RpcClient).active();

  it('is of every worker that answers, without what cannot be read', async () => {
    const one = new ActiveEgresses({ egressIds: ['EG_1', 'EG_1_2'] }).toBinary();
    const other = new ActiveEgresses({ egressIds: ['EG_2'] }).toBinary();
    const found = await listed({ response: one }, { response: other }, {}, { response: new Uint8Array([10, 9, 1]) });
    expect(found).toEqual(new Set(['EG_1', 'EG_1_2', 'EG_2']));
  });

  it('is unknown while nobody can be asked', async () => {
    const multi = () => Promise.reject(new Error('the bus is away'));
    await expect(createWorkers({ multi } as unknown as RpcClient).active()).rejects.toThrow('the bus is away');
  });
});
