// Readiness with each dependency there or away: what is asked, and what is said of what is missing.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Client } from '@temporalio/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createReadiness, type ReadinessParts } from '../../../src/api/readiness.ts';
import type { BusHealth } from '../../../src/bus/transport.ts';
import { type Buses, lateTransport } from '../../../src/service/buses.ts';
import { createMemoryBroker } from '../../support/memory-bus.ts';

async function livekit(status = 200): Promise<string> {
  const server = createServer((_, response) => response.writeHead(status).end('OK'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A Temporal that answers, with so many that poll the task queue. */
function temporal({ pollers = 1, away = false } = {}): Client {
  const answer = <T>(value: T) => (away ? Promise.reject(new Error('14 UNAVAILABLE')) : Promise.resolve(value));
  return {
    withDeadline: <T>(_: number, call: () => Promise<T>) => call(),
    workflowService: {
      describeNamespace: () => answer({ namespaceInfo: { capabilities: { syncUpdate: true } } }),
      describeTaskQueue: () => answer({ pollers: Array.from({ length: pollers }, () => ({})) }),
    },
  } as unknown as Client;
}

function buses(livekitHealth: BusHealth = HEALTHY, workersHealth: BusHealth = HEALTHY): Buses {
  const bus = (health: BusHealth) => ({ transport: { health: () => health } });
  return { livekit: bus(livekitHealth), workers: bus(workersHealth) } as unknown as Buses;
}
const HEALTHY: BusHealth = { ok: true, reconnects: 0 };
const AWAY: BusHealth = { ok: false, problem: 'redis workers: connect ECONNREFUSED', reconnects: 2 };

async function read(change: Partial<ReadinessParts> = {}) {
  return createReadiness({
    client: temporal(),
    settings: { address: '127.0.0.1:7233', namespace: 'default' } as ReadinessParts['settings'],
    livekitUrl: await livekit(),
    taskQueue: 'reelkit',
    stopping: new AbortController().signal,
    buses: () => buses(),
    ...change,
  })();
}

describe('readiness', () => {
  it('is given when Temporal, LiveKit, both Redis and a Temporal worker are there', async () => {
    const { status, checks } = await read();
    expect(Object.keys(checks).sort()).toEqual([
      'livekit',
      'livekitRedis',
      'temporal',
      'temporalWorker',
      'workersRedis',
    ]);
    expect(Object.values(checks).filter(({ ok }) => !ok)).toEqual([]);
    expect(status).toBe('ready');
  });

  it('waits until both Redis were reached for the first time', async () => {
    const { status, checks } = await read({ buses: () => undefined });
    expect(status).toBe('not_ready');
    expect(checks).toMatchObject({
      livekitRedis: { ok: false, detail: 'not connected yet' },
      workersRedis: { ok: false, detail: 'not connected yet' },
      temporal: { ok: true },
    });
  });

  it.each([
    ['livekitRedis', buses(AWAY)],
    ['workersRedis', buses(HEALTHY, AWAY)],
  ])('names the Redis that is away: %s', async (name, found) => {
    const { status, checks } = await read({ buses: () => found });
    expect(status).toBe('not_ready');
    expect(Object.entries(checks).filter(([, { ok }]) => !ok)).toEqual([
      [name, { ok: false, detail: 'redis workers: connect ECONNREFUSED' }],
    ]);
  });

  it.each<[string, string, Partial<ReadinessParts> | (() => Promise<Partial<ReadinessParts>>)]>([
    ['temporal', 'UNAVAILABLE', { client: temporal({ away: true }), workerRuns: () => true }],
    ['livekit', 'answered 503: check LIVEKIT_URL', async () => ({ livekitUrl: await livekit(503) })],
    ['livekit', 'does not answer at http://127.0.0.1:1', { livekitUrl: 'ws://127.0.0.1:1' }],
    ['temporalWorker', 'start `reelkit worker`', { client: temporal({ pollers: 0 }) }],
    ['temporalWorker', 'does not run (yet)', { workerRuns: () => false }],
  ])('names what else is missing, and the remedy: %s %s', async (name, words, change) => {
    const { status, checks } = await read(typeof change === 'function' ? await change() : change);
    expect(status).toBe('not_ready');
    expect(Object.entries(checks).filter(([, { ok }]) => !ok)).toEqual([
      [name, { ok: false, detail: expect.stringContaining(words) }],
    ]);
  });

  it('ends with the process, whatever was found a moment ago', async () => {
    const stop = new AbortController();
    const ask = createReadiness({
      client: temporal(),
      settings: { address: 'a', namespace: 'default' } as ReadinessParts['settings'],
      livekitUrl: await livekit(),
      taskQueue: 'reelkit',
      stopping: stop.signal,
      buses: () => buses(),
    });
    expect((await ask()).status).toBe('ready');
    stop.abort();
    expect(await ask()).toMatchObject({ status: 'not_ready', checks: { process: { detail: 'is shutting down' } } });
  });
});

describe('whoever looks at a bus before it is connected', () => {
  it('finds it away, and from then on the bus itself', async () => {
    let bus: ReturnType<ReturnType<typeof createMemoryBroker>['connect']> | undefined;
    const late = lateTransport(() => bus);
    await expect(late.channels('*')).rejects.toThrow('not connected to Redis yet');
    expect(late.health()).toMatchObject({ ok: false, reconnects: -1 });
    bus = createMemoryBroker().connect();
    await late.setKey('a', '1', 1_000);
    expect(await late.getKeys(['a', 'b'])).toEqual(['1', null]);
    expect(late.health()).toEqual({ ok: true, reconnects: 0 });
  });
});
