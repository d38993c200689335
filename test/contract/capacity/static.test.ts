// The static provider: workers that somebody else runs. What the contract asks of it, and no more.
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import { openCapacity, workersOf } from './open.ts';

const config = (workers: object[]) =>
  parseConfig({
    livekit: { url: 'ws://127.0.0.1:7880', apiKey: 'key', apiSecret: 'secret', redis: { address: '127.0.0.1:6379' } },
    workers: { redis: { address: '127.0.0.1:6380' } },
    storages: { local: { type: 'local', path: '/recordings' } },
    fleet: { capacity: { provider: 'static', workers } },
  }).fleets[0];

const one = { id: 'one', healthUrl: 'http://10.0.0.1:9090', metricsUrl: 'http://10.0.0.1:9091', cpuCores: 8 };
const two = { id: 'two', topic: 'pool-b', healthUrl: 'http://10.0.0.2:9090', cpuCores: 4 };

describe('the capacity provider static', async () => {
  const provider = await openCapacity(config([one, two]));

  it('lists each worker with its addresses, as not its own', async () => {
    expect(await workersOf(provider)).toEqual([
      { ...one, topic: 'one', state: 'running', launchedAtMs: 0, owned: false },
      { ...two, state: 'running', launchedAtMs: 0, owned: false },
    ]);
    expect(provider.limits).toEqual({ fixedWorkers: 2, coresPerWorker: 8 });
  });

  it('launches nothing, and says what to do instead', async () => {
    const message = expect.stringContaining('fleet.capacity.workers');
    const problems = [{ kind: 'configuration', code: 'configuration', message, count: 1 }];
    expect(await provider.launch(1, 't')).toEqual({ launched: [], problems });
  });

  it('neither drains nor removes', async () => {
    await provider.drain('one');
    await provider.remove('one');
    expect(await workersOf(provider)).toHaveLength(2);
  });
});
