// Redis goes, comes back, or is there and says nothing: no call hangs, nothing is sent late, and every subscription returns.
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRpcClient } from '../../../src/bus/client.ts';
import { createRedisTransport } from '../../../src/bus/redis.ts';
import { createRpcServer } from '../../../src/bus/server.ts';
import type { BusTransport } from '../../../src/bus/transport.ts';
import { waitFor } from '../../support/stack-wait.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { type Bed, makeBed } from './bed.ts';

const START = { service: 'EgressInternal', method: 'StartEgress' };
const STOP = { service: 'EgressHandler', method: 'StopEgress' };
const REQUEST = new Uint8Array([1]);
/** One command, and a little. */
const SOON_MS = 1_500;
/** A heartbeat of 5 s and its limit, the same for the other connection, and a little. */
const NOTICED_MS = 15_000;
let bed: Bed;

beforeAll(async () => {
  bed = await makeBed(['redis']);
});
afterAll(() => bed?.end());

async function serveBoth(bus: BusTransport) {
  const server = createRpcServer(bus);
  const handle = async (request: Uint8Array) => request;
  return [
    await server.serve({ ...START, affinity: () => 1, takeOverAfterMs: 1_000, handle }),
    await server.serveQueue({ ...STOP, topic: '*', isMine: () => true, handle }),
  ];
}

function healthIs(bus: BusTransport, ok: boolean) {
  return waitFor(
    `health is ${ok}`,
    async () => bus.health(),
    (health) => health.ok === ok,
    NOTICED_MS,
  );
}

async function timed(action: () => Promise<unknown>): Promise<{ failed: unknown; tookMs: number }> {
  const sinceMs = performance.now();
  const failed = await action().then(
    () => undefined,
    (error: unknown) => error,
  );
  return { failed, tookMs: performance.now() - sinceMs };
}

describe('Redis that is killed', () => {
  it('brings all subscriptions back when it returns, twice', async () => {
    const [one, two] = [await bed.livekitBus(), await bed.livekitBus()];
    const served = await serveBoth(one);
    const client = await createRpcClient(two);
    const start = { ...START, request: REQUEST, timeoutMs: 5_000 };
    const stop = { ...STOP, topic: 'EG_1', queue: true, request: REQUEST, timeoutMs: 5_000 };
    for (const round of [1, 2]) {
      expect(await client.call(start)).toMatchObject({ ok: true });
      expect(await client.call(stop)).toMatchObject({ ok: true });
      await bed.stack.kill('redis');
      await healthIs(one, false);
      await healthIs(two, false);
      await waitFor(
        'health says why',
        async () => one.health().problem ?? '',
        (problem) => problem.includes('ECONNREFUSED'),
        NOTICED_MS,
      );

      const calls = [
        () => one.publish('c', REQUEST),
        () => one.lock('k', 1_000),
        () => one.channels('*'),
        () => one.subscribers('c'),
        () => one.getKeys(['k']),
      ];
      for (const call of calls) {
        const { failed, tookMs } = await timed(call);
        expect(failed).toMatchObject({ name: 'BusUnavailableError' });
        expect(tookMs).toBeLessThan(SOON_MS);
      }
      expect(await client.call(start)).toMatchObject({ ok: false, code: 'unavailable', granted: false });

      await bed.stack.restart('redis');
      await healthIs(one, true);
      await healthIs(two, true);
      expect(one.health().reconnects).toBeGreaterThanOrEqual(round);
    }
    expect(await client.call(start)).toMatchObject({ ok: true });
    expect(await client.call(stop)).toMatchObject({ ok: true });
    for (const one of served) await one.stop();
  });

  it('gets nothing that was said while it was away', async () => {
    const [one, two] = [await bed.livekitBus(), await bed.livekitBus()];
    const heard: number[] = [];
    await two.subscribe('numbers', ([number = 0]) => heard.push(number));
    await bed.stack.kill('redis');
    await healthIs(one, false);
    await expect(one.publish('numbers', new Uint8Array([1]))).rejects.toThrow();
    await bed.stack.restart('redis');
    await healthIs(one, true);
    await healthIs(two, true);
    await one.publish('numbers', new Uint8Array([2]));
    await waitFor(
      'the second',
      async () => heard,
      (found) => found.includes(2),
      5_000,
    );
    expect(heard).toEqual([2]);
  });

  it('gets no subscription of somebody who left while it was away', async () => {
    const one = await bed.livekitBus();
    const unsubscribe = await one.subscribe('left', () => undefined);
    await bed.stack.kill('redis');
    await healthIs(one, false);
    await unsubscribe();
    await expect(one.subscribe('refused', () => undefined)).rejects.toThrow('refused');
    await bed.stack.restart('redis');
    await healthIs(one, true);
    expect(await one.channels('left')).toEqual([]);
    expect(await one.channels('refused')).toEqual([]);
  });

  it('is not waited for at the start longer than is said', async () => {
    await bed.stack.kill('redis');
    const { address } = bed.stack.redis;
    await expect(createRedisTransport({ address }, { name: 'livekit', connectTimeoutMs: 300 })).rejects.toThrow(
      /^redis livekit: no connection within 0.3 s: .*ECONNREFUSED/,
    );
    const later = await createRedisTransport({ address }, { connectTimeoutMs: 0 });
    expect(later.health().ok).toBe(false);
    await bed.stack.restart('redis');
    await healthIs(later, true);
    await later.close();
  });
});

describe('Redis that is there and says nothing', () => {
  it('is noticed without a call, and all subscriptions return with its words', async () => {
    const proxy = await startTcpProxy(Number(bed.stack.redis.address.split(':')[1]));
    const [one, two] = [await bed.connect(`127.0.0.1:${proxy.port}`, 'frozen'), await bed.livekitBus()];
    const served = await serveBoth(one);
    const client = await createRpcClient(two);
    const start = { ...START, request: REQUEST, timeoutMs: 5_000 };
    expect(await client.call(start)).toMatchObject({ ok: true });
    proxy.freeze(true);
    await healthIs(one, false);
    const { failed, tookMs } = await timed(() => one.publish('c', REQUEST));
    expect(failed).toMatchObject({ name: 'BusUnavailableError' });
    expect(tookMs).toBeLessThan(SOON_MS);
    proxy.freeze(false);
    await healthIs(one, true);
    expect(one.health().reconnects).toBeGreaterThan(0);
    expect(await client.call(start)).toMatchObject({ ok: true });
    for (const one of served) await one.stop();
    await one.close();
    await proxy.stop();
  });
});

describe('Redis that refuses pattern subscriptions', () => {
  it('says so to who asks, and everything else goes on', async () => {
    const admin = new Redis(`redis://${bed.stack.redis.address}`);
    await admin.call('ACL', 'SETUSER', 'limited', 'on', '>secret', '~*', 'allchannels', '+@all', '-psubscribe');
    admin.disconnect();
    const { address } = bed.stack.redis;
    const bus = await createRedisTransport({ address, username: 'limited', password: 'secret' });
    const heard: number[] = [];
    await bus.subscribe('numbers', ([number = 0]) => heard.push(number));
    const { failed, tookMs } = await timed(() => bus.psubscribe('a*', () => undefined));
    expect(String(failed)).toContain('NOPERM');
    expect(tookMs).toBeLessThan(SOON_MS);
    await bus.publish('numbers', new Uint8Array([7]));
    await waitFor(
      'the number',
      async () => heard,
      (found) => found.includes(7),
      5_000,
    );
    expect(bus.health()).toMatchObject({ ok: true, reconnects: 0 });
    await bus.close();
  });
});
