import { createHash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { RpcError } from '../../../src/bus/error.ts';
import { atWorkChannel, replyChannel, requestChannel } from '../../../src/bus/topics.ts';
import { decodeClaim, decodeReply, encodeRequest, MAX_MESSAGE_BYTES } from '../../../src/bus/wire.ts';
import { BYTES, METHOD, makeBed, settle } from './bed.ts';

const SHORT_MS = 40;
const CLAIM = 'EgressInternal|CLI_1|CLAIM';
const REPLY = 'EgressInternal|CLI_1|RES';

describe('a server', () => {
  it('claims with its affinity and handles nothing before the grant', async () => {
    const { broker, server, serving, sendRequest, grant } = makeBed();
    const handle = vi.fn(async () => BYTES);
    await server({ serverId: 'SRV_rk1' }).serve(serving({ affinity: () => 0.75, handle }));
    await sendRequest();
    await settle();
    const claim = broker.published.find(({ channel }) => channel === CLAIM);
    expect(decodeClaim(claim?.message ?? BYTES)).toMatchObject({
      requestId: 'REQ_1',
      serverId: 'SRV_rk1',
      affinity: 0.75,
    });
    expect(handle).not.toHaveBeenCalled();
    await grant('REQ_1', 'SRV_rk1');
    await settle();
    expect(handle).toHaveBeenCalledOnce();
  });

  it('leaves a request that was granted to another', async () => {
    const { server, serving, sendRequest, grant, channels } = makeBed();
    const handle = vi.fn(async () => BYTES);
    await server({ serverId: 'SRV_rk1' }).serve(serving({ handle }));
    await sendRequest();
    await settle();
    await grant('REQ_1', 'SRV_worker');
    await grant('REQ_1', 'SRV_rk1');
    await settle();
    expect(handle).not.toHaveBeenCalled();
    expect(channels()).not.toContain(REPLY);
  });

  it.each([
    ['whose affinity is undefined', () => undefined],
    ['whose affinity is negative', () => -1],
    [
      'whose affinity throws',
      () => {
        throw new Error('cannot read it');
      },
    ],
  ])('does not claim a request %s', async (_, affinity) => {
    const { server, serving, sendRequest, channels } = makeBed();
    await server().serve(serving({ affinity }));
    await sendRequest();
    await settle();
    expect(channels()).not.toContain(CLAIM);
  });

  it.each([
    ['that has expired', { expiryMs: Date.now() - 1 }],
    ['that is for all servers', { multi: true }],
    ['without an id', { requestId: '' }],
  ])('does not claim a request %s', async (_, change) => {
    const { server, serving, sendRequest, channels } = makeBed();
    await server().serve(serving());
    await sendRequest(change);
    await settle();
    expect(channels()).not.toContain(CLAIM);
  });

  it('does not handle a request that is granted after its expiry', async () => {
    const { server, serving, sendRequest, grant } = makeBed();
    const handle = vi.fn(async () => BYTES);
    const served = await server({ serverId: 'SRV_rk1' }).serve(serving({ handle }));
    await sendRequest({ expiryMs: Date.now() + SHORT_MS });
    await settle();
    await served.stop();
    await grant('REQ_1', 'SRV_rk1');
    await settle();
    expect(handle).not.toHaveBeenCalled();
  });

  it('hears of topics only its own, with their names', async () => {
    const { server, client, call, serving } = makeBed();
    const topics: (string | undefined)[] = [];
    await server().serve(
      serving({
        topic: 'w-a',
        handle: async (request, { topic }) => {
          topics.push(topic);
          return request;
        },
      }),
    );
    const caller = await client();
    expect(await caller.call(call({ topic: 'w-a' }))).toMatchObject({ ok: true });
    expect(await caller.call(call({ topic: 'w-b', claimTimeoutMs: SHORT_MS }))).toMatchObject({ code: 'no_claim' });
    expect(topics).toEqual(['w-a']);
  });

  it('answers an unexpected error as internal, without its words', async () => {
    const { server, client, call, serving, warnings } = makeBed();
    const handle = async () => {
      throw new Error('rtmp://live/secret-key');
    };
    await server().serve(serving({ handle }));
    const reply = await (await client()).call(call());
    expect(reply).toMatchObject({ ok: false, code: 'internal', message: 'internal error' });
    expect(warnings).toEqual(['a bus request failed unexpectedly']);
  });

  it('never answers an error that reads as success, nor one without end', async () => {
    const { server, client, call, serving } = makeBed();
    const errors = [new RpcError('not_found', ''), new RpcError('not_found', 'x'.repeat(100_000))];
    const handle = async () => {
      throw errors.shift() ?? new Error('called too often');
    };
    await server().serve(serving({ handle }));
    const caller = await client();
    expect(await caller.call(call())).toMatchObject({ code: 'not_found', message: 'not_found' });
    expect(await caller.call(call())).toMatchObject({ code: 'not_found', message: 'x'.repeat(2_000) });
  });

  it('says so when a response is too large to be sent', async () => {
    const { server, client, call, serving } = makeBed();
    await server().serve(serving({ handle: async () => new Uint8Array(MAX_MESSAGE_BYTES) }));
    expect(await (await client()).call(call())).toMatchObject({ ok: false, code: 'malformed_result' });
  });

  it('stays silent when there is nothing to answer', async () => {
    const { server, client, call, serving, channels } = makeBed();
    await server().serve(serving({ handle: async () => undefined }));
    const caller = await client({ clientId: 'CLI_1' });
    expect(await caller.call(call({ timeoutMs: SHORT_MS }))).toMatchObject({
      code: 'deadline_exceeded',
      granted: true,
    });
    expect(channels()).not.toContain(REPLY);
  });

  it('sends its reply when the broker is back, as long as the caller waits', async () => {
    const { broker, server, client, call, serving } = makeBed();
    const handle = async (request: Uint8Array) => {
      broker.setAway(true);
      setTimeout(broker.setAway, SHORT_MS, false);
      return request;
    };
    await server().serve(serving({ handle }));
    expect(await (await client()).call(call())).toMatchObject({ ok: true });
  });

  it('claims no more than it may have in flight', async () => {
    const { server, serving, sendRequest, channels } = makeBed();
    await server({ maxInFlight: 3 }).serve(serving());
    for (let i = 0; i < 10; i++) await sendRequest({ requestId: `REQ_${i}` });
    await settle();
    expect(channels().filter((channel) => channel === CLAIM)).toHaveLength(3);
  });

  it('claims a request once, however often it is delivered', async () => {
    const { server, serving, sendRequest, channels } = makeBed();
    await server().serve(serving());
    await sendRequest();
    await sendRequest();
    await settle();
    expect(channels().filter((channel) => channel === CLAIM)).toHaveLength(1);
  });
});

describe('a server that stops', () => {
  it('claims nothing from then on', async () => {
    const { server, client, call, serving } = makeBed();
    const served = await server().serve(serving());
    await served.stop();
    expect(await (await client()).call(call({ claimTimeoutMs: SHORT_MS }))).toMatchObject({ code: 'no_claim' });
  });

  it('waits for what it claimed, and answers it', async () => {
    const { server, client, call, serving } = makeBed();
    let finish: (response: Uint8Array) => void = () => undefined;
    const handle = vi.fn(() => new Promise<Uint8Array>((resolve) => (finish = resolve)));
    const served = await server().serve(serving({ handle }));
    const calling = (await client()).call(call());
    await vi.waitFor(() => expect(handle).toHaveBeenCalled());
    let stopped = false;
    const stopping = served.stop().then(() => {
      stopped = true;
    });
    await settle();
    expect(stopped).toBe(false);
    finish(BYTES);
    expect(await calling).toMatchObject({ ok: true });
    await stopping;
  });

  it('handles a claim that is granted while it stops', async () => {
    const { server, serving, sendRequest, grant, channels } = makeBed();
    const served = await server({ serverId: 'SRV_rk1' }).serve(serving());
    await sendRequest();
    await settle();
    const stopping = served.stop();
    await grant('REQ_1', 'SRV_rk1');
    await stopping;
    expect(channels()).toContain(REPLY);
  });
});

describe('a queue', () => {
  const STOP = { service: 'EgressHandler', method: 'StopEgress' };
  const call = (topic: string, text = topic) => ({
    ...STOP,
    topic,
    queue: true,
    request: new TextEncoder().encode(text),
    timeoutMs: 2_000,
    claimTimeoutMs: SHORT_MS,
  });

  it('is served by one of many servers, with one subscription for all topics', async () => {
    const { server, client, channels } = makeBed();
    const handled: string[] = [];
    for (let i = 0; i < 3; i++) {
      await server().serveQueue({
        ...STOP,
        topic: '*',
        isMine: () => true,
        handle: async (request, { topic = '' }) => {
          handled.push(topic);
          return request;
        },
      });
    }
    const caller = await client();
    for (const topic of ['EG_a', 'EG_b', 'EG-c']) expect(await caller.call(call(topic))).toMatchObject({ ok: true });
    await settle();
    expect(handled).toEqual(['EG_a', 'EG_b', 'EG-c']);
    expect(channels().filter((channel) => channel.endsWith('|CLAIM'))).toHaveLength(3);
  });

  it('takes no lock on what is not its own', async () => {
    const { broker, server, client } = makeBed();
    const worker = broker.connect();
    const locks: string[] = [];
    vi.spyOn(broker, 'connect').mockImplementationOnce(() => ({
      ...worker,
      lock: (key, holdMs) => {
        locks.push(key);
        return worker.lock(key, holdMs);
      },
    }));
    const isMine = vi.fn((_: Uint8Array, { topic }: { topic: string | undefined }) => topic === 'EG_mine');
    await server().serveQueue({ ...STOP, topic: '*', isMine, handle: async () => BYTES });
    const caller = await client();
    expect(await caller.call(call('EG_other'))).toMatchObject({ code: 'no_claim' });
    expect(isMine).toHaveBeenCalledOnce();
    expect(locks).toEqual([]);
    expect(await caller.call(call('EG_mine'))).toMatchObject({ ok: true });
    expect(locks).toHaveLength(1);
  });

  it("leaves a message to the worker that took psrpc's own lock on it", async () => {
    const { bus, server, channels } = makeBed();
    await server().serveQueue({ ...STOP, topic: 'EG_1', isMine: () => true, handle: async () => BYTES });
    const now = Date.now();
    const ids = { requestId: 'REQ_1', clientId: 'CLI_1' };
    const request = { ...ids, sentAtMs: now, expiryMs: now + 2_000, multi: false, metadata: {}, request: BYTES };
    const message = encodeRequest(request);
    const key = createHash('sha256').update(message).digest('base64');
    expect(await bus.lock(key, 5_000)).toBe(true);
    await bus.publish(requestChannel({ ...STOP, topic: 'EG_1' }), message);
    await settle();
    expect(channels().filter((channel) => channel.endsWith('|CLAIM'))).toEqual([]);
  });
});

describe('a peer that was granted a request', () => {
  const TAKE_OVER_MS = 30;
  /** A starved event loop is slow to say that it works. */
  const PATIENT_MS = 15 * TAKE_OVER_MS;

  it('and falls silent is replaced, by one', async () => {
    const { server, serving, sendRequest, grant, broker, warnings } = makeBed();
    const handle = vi.fn(async () => BYTES);
    for (const serverId of ['SRV_rk1', 'SRV_rk2']) {
      await server({ serverId }).serve(serving({ handle, takeOverAfterMs: TAKE_OVER_MS }));
    }
    await sendRequest();
    await settle();
    await grant('REQ_1', 'SRV_rkDead');
    await vi.waitFor(() => expect(handle).toHaveBeenCalled());
    await settle();
    await new Promise((resolve) => setTimeout(resolve, TAKE_OVER_MS));
    expect(handle).toHaveBeenCalledOnce();
    const replies = broker.published.filter(({ channel }) => channel === REPLY);
    expect(replies.map(({ message }) => decodeReply(message)?.requestId)).toEqual(['REQ_1']);
    expect(warnings).toHaveLength(1);
  });

  it.each([
    ['answers', 'SRV_rkPeer', true, true],
    ['is no process of Reelkit', 'SRV_worker', false, true],
    ['has a request that we would not have claimed', 'SRV_rkPeer', false, false],
  ])('is not replaced when it %s', async (_, peer, answers, claims) => {
    const { bus, server, serving, sendRequest, grant, reply } = makeBed();
    const handle = vi.fn(async () => BYTES);
    await server({ serverId: 'SRV_rk1' }).serve(
      serving({ handle, affinity: () => (claims ? 1 : undefined), takeOverAfterMs: TAKE_OVER_MS }),
    );
    await sendRequest();
    await settle();
    await grant('REQ_1', peer);
    if (answers) await bus.publish(replyChannel(METHOD.service, 'CLI_1'), reply('REQ_1', peer));
    await new Promise((resolve) => setTimeout(resolve, 2 * TAKE_OVER_MS));
    expect(handle).not.toHaveBeenCalled();
  });

  it('is not replaced while it works, however long, and is when it dies over it', async () => {
    const { bus, server, serving, sendRequest, grant, channels } = makeBed();
    let finish = () => {};
    const slow = vi.fn(
      () =>
        new Promise<Uint8Array>((resolve) => {
          finish = () => resolve(BYTES);
        }),
    );
    const other = vi.fn(async () => BYTES);
    await server({ serverId: 'SRV_rkSlow' }).serve(serving({ handle: slow, takeOverAfterMs: PATIENT_MS }));
    await server({ serverId: 'SRV_rkPeer' }).serve(serving({ handle: other, takeOverAfterMs: PATIENT_MS }));
    await sendRequest();
    await settle();
    await grant('REQ_1', 'SRV_rkSlow');
    const signs = () => channels().filter((channel) => channel.endsWith('|ATWORK')).length;
    await vi.waitFor(() => expect(signs()).toBeGreaterThan(6), 10_000);
    expect(other).not.toHaveBeenCalled();
    finish();
    await settle();
    const saidAtEnd = signs();
    await new Promise((resolve) => setTimeout(resolve, PATIENT_MS));
    expect(signs()).toBe(saidAtEnd);
    expect(other).not.toHaveBeenCalled();

    await sendRequest({ requestId: 'REQ_2' });
    await settle();
    await grant('REQ_2', 'SRV_rkDead');
    await bus.publish(atWorkChannel(METHOD), Buffer.from('REQ_1 REQ_2'));
    await vi.waitFor(() => expect(slow.mock.calls.length + other.mock.calls.length).toBe(2));
    finish();
  });

  it('is not replaced when its answer overtakes the grant', async () => {
    const { bus, server, serving, sendRequest, grant, reply } = makeBed();
    const handle = vi.fn(async () => BYTES);
    await server().serve(serving({ handle, takeOverAfterMs: TAKE_OVER_MS }));
    await sendRequest();
    await settle();
    await bus.publish(replyChannel(METHOD.service, 'CLI_1'), reply('REQ_1', 'SRV_rkPeer'));
    await grant('REQ_1', 'SRV_rkPeer');
    await new Promise((resolve) => setTimeout(resolve, 2 * TAKE_OVER_MS));
    expect(handle).not.toHaveBeenCalled();
  });

  it('is not replaced after the expiry of the request', async () => {
    const { server, serving, sendRequest, grant } = makeBed();
    const handle = vi.fn(async () => BYTES);
    await server().serve(serving({ handle, takeOverAfterMs: 2 * TAKE_OVER_MS }));
    await sendRequest({ expiryMs: Date.now() + TAKE_OVER_MS });
    await settle();
    await grant('REQ_1', 'SRV_rkDead');
    await new Promise((resolve) => setTimeout(resolve, 3 * TAKE_OVER_MS));
    expect(handle).not.toHaveBeenCalled();
  });

  it('is not replaced by one that does not take over', async () => {
    const { server, serving, sendRequest, grant } = makeBed();
    const handle = vi.fn(async () => BYTES);
    await server().serve(serving({ handle }));
    await sendRequest();
    await settle();
    await grant('REQ_1', 'SRV_rkDead');
    await new Promise((resolve) => setTimeout(resolve, TAKE_OVER_MS));
    expect(handle).not.toHaveBeenCalled();
  });
});
