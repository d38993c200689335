import { describe, expect, it, vi } from 'vitest';
import { createRpcClient, type RpcClaim } from '../../../src/bus/client.ts';
import { RpcError } from '../../../src/bus/error.ts';
import { replyChannel, requestChannel } from '../../../src/bus/topics.ts';
import { decodeGrant, decodeRequest, encodeReply } from '../../../src/bus/wire.ts';
import { BYTES, METHOD, makeBed, settle } from './bed.ts';

const SHORT_MS = 30;

describe('a call', () => {
  it('is granted to the first claim and answered by it', async () => {
    const { server, client, call, serving } = makeBed();
    const one = server({ serverId: 'SRV_rk1' });
    await one.serve(serving());
    const granted: string[] = [];
    const caller = await client();
    const reply = await caller.call(call({ onGranted: (serverId) => granted.push(serverId) }));
    expect(reply).toEqual({ ok: true, response: BYTES, serverId: 'SRV_rk1' });
    expect(granted).toEqual(['SRV_rk1']);
  });

  it('is granted once, however many claim', async () => {
    const { server, client, call, serving, grants } = makeBed();
    for (let i = 0; i < 5; i++) await server().serve(serving());
    expect(await (await client()).call(call())).toMatchObject({ ok: true });
    await settle();
    expect(grants()).toBe(1);
  });

  it('is granted to the claim that the caller chooses', async () => {
    const { server, client, call, serving } = makeBed();
    await server({ serverId: 'SRV_rkBusy' }).serve(serving({ affinity: () => 1 }));
    await server({ serverId: 'SRV_rkIdle' }).serve(serving({ affinity: () => 0.5 }));
    const choose = ({ affinity }: RpcClaim) => affinity === 0.5;
    expect(await (await client()).call(call({ choose }))).toMatchObject({ ok: true, serverId: 'SRV_rkIdle' });
  });

  it('starts nothing when the caller chooses no claim', async () => {
    const { server, client, call, serving, grants } = makeBed();
    const handle = vi.fn(async () => BYTES);
    await server().serve(serving({ handle }));
    const reply = await (await client()).call(call({ choose: () => false, claimTimeoutMs: SHORT_MS }));
    expect(reply).toMatchObject({ ok: false, code: 'no_claim', granted: false });
    expect(grants()).toBe(0);
    expect(handle).not.toHaveBeenCalled();
  });

  it('ends with no_claim when nobody claims', async () => {
    const { client, call } = makeBed();
    const reply = await (await client()).call(call({ claimTimeoutMs: SHORT_MS }));
    expect(reply).toMatchObject({ ok: false, code: 'no_claim', granted: false });
  });

  it('grants nothing after the expiry of the request', async () => {
    const { bus, client, call, claim, grants } = makeBed();
    const caller = await client({ clientId: 'CLI_1' });
    await bus.subscribe(requestChannel(METHOD), () => void claim('CLI_1', 'REQ_1', 'SRV_late'));
    const reply = await caller.call(call({ requestId: 'REQ_1', expiryMs: Date.now() - 1, claimTimeoutMs: SHORT_MS }));
    expect(reply).toMatchObject({ code: 'no_claim', granted: false });
    expect(grants()).toBe(0);
  });

  it('says that a grant was given when no answer follows', async () => {
    const { server, client, call, serving } = makeBed();
    await server({ serverId: 'SRV_rk1' }).serve(serving({ handle: () => new Promise(() => undefined) }));
    const reply = await (await client()).call(call({ timeoutMs: SHORT_MS }));
    expect(reply).toMatchObject({ ok: false, code: 'deadline_exceeded', granted: true, serverId: 'SRV_rk1' });
  });

  it('gives the code and words of the server on', async () => {
    const { server, client, call, serving } = makeBed();
    const handle = async () => {
      throw new RpcError('already_exists', 'egress already exists');
    };
    await server().serve(serving({ handle }));
    expect(await (await client()).call(call())).toMatchObject({
      ok: false,
      code: 'already_exists',
      message: 'egress already exists',
      granted: true,
    });
  });

  it('takes any answer to the request, also one of a peer that was not granted it', async () => {
    const { bus, client, call, claim } = makeBed();
    const caller = await client({ clientId: 'CLI_1' });
    await bus.subscribe(requestChannel(METHOD), () => void claim('CLI_1', 'REQ_1', 'SRV_dies'));
    const peer = { requestId: 'REQ_1', serverId: 'SRV_peer', sentAtMs: 0, response: BYTES };
    const onGranted = () => void bus.publish(replyChannel(METHOD.service, 'CLI_1'), encodeReply(peer));
    expect(await caller.call(call({ requestId: 'REQ_1', onGranted }))).toMatchObject({
      ok: true,
      serverId: 'SRV_peer',
    });
  });

  it('ignores answers to other requests and answers that come late', async () => {
    const { bus, client, call } = makeBed();
    const caller = await client({ clientId: 'CLI_1' });
    const calling = caller.call(call({ requestId: 'REQ_1', timeoutMs: SHORT_MS }));
    const answer = (requestId: string) =>
      bus.publish(
        replyChannel(METHOD.service, 'CLI_1'),
        encodeReply({ requestId, serverId: 'SRV_1', sentAtMs: 0, response: BYTES }),
      );
    await answer('REQ_2');
    expect(await calling).toMatchObject({ ok: false });
    await answer('REQ_1');
    await settle();
  });

  it('waits for another claim when one server refuses a broadcast request, and reports the refusal when none comes', async () => {
    const { bus, client, call } = makeBed();
    const caller = await client({ clientId: 'CLI_1' });
    const error = { code: 'malformed_request', message: 'cannot read it' };
    const refusal = encodeReply({ requestId: 'REQ_1', serverId: 'SRV_1', sentAtMs: 0, response: BYTES, error });
    await bus.subscribe(requestChannel(METHOD), () => void bus.publish(replyChannel(METHOD.service, 'CLI_1'), refusal));
    const asked = call({ requestId: 'REQ_1', claimTimeoutMs: SHORT_MS });
    expect(await caller.call(asked)).toMatchObject({ code: 'malformed_request', granted: false });
    expect(await caller.call({ ...asked, claimTimeoutMs: undefined, queue: true })).toMatchObject({
      code: 'malformed_request',
      granted: false,
    });
  });

  it('waits without granting when the server of a queue says that it handles already', async () => {
    const { bus, client, call, claim, grants } = makeBed();
    const caller = await client({ clientId: 'CLI_1' });
    await bus.subscribe(requestChannel(METHOD), () => void claim('CLI_1', 'REQ_1', 'SRV_1', 1, true));
    const reply = await caller.call(call({ requestId: 'REQ_1', queue: true, timeoutMs: SHORT_MS }));
    expect(reply).toMatchObject({ code: 'deadline_exceeded', granted: true, serverId: 'SRV_1' });
    expect(grants()).toBe(0);
  });

  it('fails at once while the broker is away, and says that nothing was granted', async () => {
    const { broker, client, call } = makeBed();
    const caller = await client({ services: [METHOD.service] });
    broker.setAway(true);
    expect(await caller.call(call())).toMatchObject({ ok: false, code: 'unavailable', granted: false });
  });

  it('counts as granted when the grant may have been sent', async () => {
    const { broker, server, client, call, serving } = makeBed();
    await server().serve(serving());
    const caller = await client();
    const reply = await caller.call(call({ onGranted: () => broker.setAway(true) }));
    expect(reply).toMatchObject({ ok: false, code: 'deadline_exceeded', granted: true });
  });

  it('subscribes again with the next call when the first subscription failed', async () => {
    const { broker, server, client, call, serving } = makeBed();
    await server().serve(serving());
    const caller = await client();
    broker.setAway(true);
    expect(await caller.call(call())).toMatchObject({ code: 'unavailable' });
    broker.setAway(false);
    expect(await caller.call(call())).toMatchObject({ ok: true });
  });

  it('keeps no half of its subscriptions when the other half failed', async () => {
    const { broker, bus } = makeBed();
    const subscribe = vi.fn<typeof bus.subscribe>().mockImplementationOnce(bus.subscribe);
    const half = { ...bus, subscribe: subscribe.mockRejectedValueOnce(new Error('no')) };
    await expect(createRpcClient(half, { clientId: 'CLI_1', services: ['S'] })).rejects.toThrow('no');
    expect(await broker.connect().channels('*')).toEqual([]);
  });

  it('is canceled by the end of the client', async () => {
    const { client, call } = makeBed();
    const caller = await client();
    const calling = caller.call(call());
    await caller.close();
    expect(await calling).toMatchObject({ ok: false, code: 'canceled' });
    expect(await caller.call(call())).toMatchObject({ ok: false, code: 'canceled' });
  });

  it('carries its expiry, topic and ids', async () => {
    const { broker, client, call } = makeBed();
    const caller = await client({ clientId: 'CLI_1', now: () => 1_000 });
    const asked = call({ topic: 'w-a', requestId: 'REQ_1', timeoutMs: SHORT_MS, expiryMs: 6_000 });
    await caller.call(asked);
    expect(broker.published).toHaveLength(1);
    expect(broker.published[0]?.channel).toBe('EgressInternal|StartEgress|wu+002da|REQ');
    expect(decodeRequest(broker.published[0]?.message ?? BYTES)).toMatchObject({
      requestId: 'REQ_1',
      clientId: 'CLI_1',
      sentAtMs: 1_000,
      expiryMs: 6_000,
    });
  });
});

describe('200 calls at the same time', () => {
  it('each get their own answer', async () => {
    const { server, client, call, serving } = makeBed();
    await server().serve(serving());
    await server().serve(serving());
    const caller = await client();
    const requests = Array.from({ length: 200 }, (_, i) => new Uint8Array([i]));
    const replies = await Promise.all(requests.map((request) => caller.call(call({ request }))));
    expect(replies.map((reply) => reply.ok && reply.response)).toEqual(requests);
  });
});

describe('a dry run', () => {
  it('says who would take the request, and starts nothing', async () => {
    const { broker, server, client, serving } = makeBed();
    const handle = vi.fn(async () => BYTES);
    await server({ serverId: 'SRV_rk1' }).serve(serving({ affinity: () => 0.5, handle }));
    const claim = await (await client()).dryRun({ ...METHOD, request: BYTES });
    expect(claim).toEqual({ serverId: 'SRV_rk1', affinity: 0.5 });
    await settle();
    expect(handle).not.toHaveBeenCalled();
    expect(broker.published.some(({ message }) => decodeGrant(message))).toBe(false);
  });

  it('is undefined when nobody would', async () => {
    const { client, server, serving } = makeBed();
    await server().serve(serving({ affinity: () => undefined }));
    expect(await (await client()).dryRun({ ...METHOD, request: BYTES, claimTimeoutMs: SHORT_MS })).toBeUndefined();
  });

  it('throws while the broker is away', async () => {
    const { broker, client } = makeBed();
    const caller = await client();
    broker.setAway(true);
    await expect(caller.dryRun({ ...METHOD, request: BYTES })).rejects.toThrow('away');
  });
});

describe('a question to all servers', () => {
  const asked = { service: 'EgressInternal', method: 'ListActiveEgress', request: new Uint8Array() };

  it('collects their answers and errors until the time is over', async () => {
    const { bus, client } = makeBed();
    const caller = await client({ clientId: 'CLI_1' });
    const error = { code: 'internal', message: 'no' };
    await bus.subscribe(requestChannel(asked), (message) => {
      const request = decodeRequest(message);
      if (!request?.multi) throw new Error('not asked of all');
      const { requestId } = request;
      const answer = (reply: Uint8Array) => void bus.publish(replyChannel('EgressInternal', 'CLI_1'), reply);
      answer(encodeReply({ requestId, serverId: 'SRV_1', sentAtMs: 0, response: BYTES }));
      answer(encodeReply({ requestId, serverId: 'SRV_2', sentAtMs: 0, response: BYTES, error }));
    });
    const expected = [
      { serverId: 'SRV_1', response: BYTES },
      { serverId: 'SRV_2', error },
    ];
    expect(await caller.multi(asked, { waitMs: SHORT_MS })).toEqual(expected);
    const sinceMs = performance.now();
    expect(await caller.multi(asked, { waitMs: 60_000, expected: 2 })).toEqual(expected);
    expect(performance.now() - sinceMs).toBeLessThan(5_000);
  });
});
