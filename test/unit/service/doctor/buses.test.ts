// The two Redis as `reelkit doctor` sees them, with LiveKit, workers and Reelkit on brokers in memory.
import { describe, expect, it } from 'vitest';
import { createRpcServer } from '../../../../src/bus/server.ts';
import { announce } from '../../../../src/livekit/installations.ts';
import { checkBuses, LIVEKITS_REDIS, WORKERS_REDIS } from '../../../../src/service/doctor/buses.ts';
import { createMemoryBroker } from '../../../support/memory-bus.ts';

const WAIT_MS = 150;
const START = { service: 'EgressInternal', method: 'StartEgress' };
type Broker = ReturnType<typeof createMemoryBroker>;

const quiet = async () => new Uint8Array();

/** As LiveKit: IOInfo, of which Reelkit has other parts. */
async function livekit(broker: Broker) {
  const server = createRpcServer(broker.connect(), { serverId: 'SRV_livekit' });
  for (const method of ['CreateEgress', 'UpdateEgress', 'GetEgress'])
    await server.serveQueue({ service: 'IOInfo', method, isMine: () => true, handle: quiet });
}

const started: string[] = [];
async function takesStarts(broker: Broker, { serverId, topic, ready = true }: Taker = {}) {
  const server = createRpcServer(broker.connect(), serverId === undefined ? {} : { serverId });
  await server.serve({
    ...START,
    ...(topic === undefined ? {} : { topic }),
    affinity: () => (ready ? 1 : undefined),
    async handle() {
      started.push(serverId ?? 'reelkit');
      return new Uint8Array();
    },
  });
}
interface Taker {
  serverId?: string;
  topic?: string;
  ready?: boolean;
}

async function hearsReports(broker: Broker) {
  const server = createRpcServer(broker.connect());
  for (const method of ['CreateEgress', 'UpdateEgress'])
    await server.serveQueue({ service: 'IOInfo', method, isMine: () => false, handle: quiet });
}

/** Everything as it should be: a LiveKit, two Reelkits, a worker with a topic. */
async function bed() {
  const [livekits, workers] = [createMemoryBroker(), createMemoryBroker()];
  await livekit(livekits);
  for (let i = 0; i < 2; i++) {
    await takesStarts(livekits);
    await hearsReports(workers);
  }
  await takesStarts(workers, { serverId: 'SRV_worker', topic: 'w1' });
  const check = async () => {
    const results = await checkBuses({ livekit: livekits.connect(), workers: workers.connect() }, WAIT_MS);
    expect(results.map(({ name }) => name)).toEqual([LIVEKITS_REDIS, WORKERS_REDIS]);
    return results.map(({ ok, detail }) => `${ok ? 'ok' : 'FAIL'} ${detail}`);
  };
  return { livekits, workers, check };
}

describe('the two Redis', () => {
  it('are fine with LiveKit and Reelkit on one, Reelkit and its workers on the other, and nothing is started', async () => {
    const { check } = await bed();
    expect(await check()).toEqual([
      'ok 1 LiveKit server listens; 2 Reelkits and nobody else takes requests',
      'ok its own server; 1 worker takes starts; 2 Reelkits hear their reports',
    ]);
    expect(started).toEqual([]);
  });

  it('are fine before anything but LiveKit runs', async () => {
    const [livekits, workers] = [createMemoryBroker(), createMemoryBroker()];
    await livekit(livekits);
    const results = await checkBuses({ livekit: livekits.connect(), workers: workers.connect() }, WAIT_MS);
    expect(results.map(({ ok }) => ok)).toEqual([true, true]);
    expect(results[0]?.detail).toContain('no Reelkit takes requests at the moment');
  });

  it('must not be one server: a message on one of them arrives on the other', async () => {
    const one = createMemoryBroker();
    await livekit(one);
    const [livekits, workers] = await checkBuses({ livekit: one.connect(), workers: one.connect() }, WAIT_MS);
    expect(livekits?.ok).toBe(true);
    expect(workers).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/^is the same server as LiveKit's.*own$/),
    });
  });
});

describe("LiveKit's Redis", () => {
  it('has another installation of Reelkit, whose requests would be taken at random', async () => {
    const { livekits, workers } = await bed();
    const own = { id: 'one', namespace: 'production' };
    await announce(livekits.connect(), own);
    await announce(livekits.connect(), { id: 'two', namespace: 'staging' });
    const ask = async () =>
      (await checkBuses({ livekit: livekits.connect(), workers: workers.connect(), own }, WAIT_MS))[0];
    expect(await ask()).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/another installation of Reelkit .* "staging" \(two\)/),
    });
  });

  it("is not LiveKit's when no LiveKit listens there", async () => {
    const [livekits, workers] = [createMemoryBroker(), createMemoryBroker()];
    const [result] = await checkBuses({ livekit: livekits.connect(), workers: workers.connect() }, WAIT_MS);
    expect(result).toMatchObject({
      ok: false,
      detail: expect.stringMatching(/no LiveKit listens here.*livekit\.yaml/),
    });
  });

  it('has a plain worker beside Reelkit, which takes requests away: give it a cluster_id', async () => {
    const { livekits, check } = await bed();
    await takesStarts(livekits, { serverId: 'SRV_plain' });
    const [found] = await check();
    expect(found).toMatch(
      /^FAIL 1 listener beside Reelkit takes LiveKit's requests.*cluster_id and the workers' Redis$/,
    );
    expect(found).not.toContain('unless');
    expect(started).toEqual([]);
  });

  it('has plain workers that are busy and claim nothing at the moment', async () => {
    const { livekits, check } = await bed();
    for (const serverId of ['SRV_one', 'SRV_two']) await takesStarts(livekits, { serverId, ready: false });
    expect((await check())[0]).toMatch(/^FAIL 2 listeners beside Reelkit take LiveKit's requests/);
  });

  it('has a listener that may be a Reelkit without Temporal, which is said', async () => {
    const livekits = createMemoryBroker();
    await livekit(livekits);
    await takesStarts(livekits, { ready: false });
    const [found] = await checkBuses({ livekit: livekits.connect(), workers: new Error('away') }, WAIT_MS);
    expect(found).toMatchObject({
      ok: false,
      detail: expect.stringContaining('unless it is Reelkit without Temporal'),
    });
  });
});

describe("the workers' Redis", () => {
  it("is another LiveKit's", async () => {
    const { workers, check } = await bed();
    await livekit(workers);
    expect((await check())[1]).toMatch(
      /^FAIL 1 LiveKit server listens here and answers the workers.*no livekit\.yaml names$/,
    );
  });

  it('has workers without a cluster_id, which are never sent anything', async () => {
    const { workers, check } = await bed();
    await takesStarts(workers, { serverId: 'SRV_plain' });
    expect((await check())[1]).toMatch(
      /^FAIL 1 worker without a cluster_id is never sent anything: give each one of its own$/,
    );
  });
});

describe('a Redis that is away', () => {
  it('is told with the key that names it, and the other one is looked at all the same', async () => {
    const { livekits } = await bed();
    const problem = new Error('redis workers: no connection within 5 s: connect ECONNREFUSED 127.0.0.1:1');
    const [livekitsResult, workersResult] = await checkBuses(
      { livekit: livekits.connect(), workers: problem },
      WAIT_MS,
    );
    expect(livekitsResult?.ok).toBe(true);
    expect(workersResult).toEqual({
      name: WORKERS_REDIS,
      ok: false,
      detail: `${problem.message}: check workers.redis (WORKERS_REDIS_ADDRESS), and that Redis runs`,
    });
  });

  it('is told when it goes while it is asked', async () => {
    const { livekits, check } = await bed();
    livekits.setAway(true);
    const [first, second] = await check();
    expect(first).toMatch(/^FAIL the broker is away: check livekit\.redis \(LIVEKIT_REDIS_ADDRESS\)/);
    expect(second).toMatch(/^ok/);
  });
});
