// Who lives, as a real Redis and real worker processes tell it: who comes, who dies, and a Redis that is restarted under all of them.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRedisTransport } from '../../../src/bus/redis.ts';
import type { BusTransport } from '../../../src/bus/transport.ts';
import { createProcessProvider, stopAllProcessWorkers } from '../../../src/capacity/process/provider.ts';
import { ensureStandIn } from '../../../src/dev/components.ts';
import { writeEgressConfig } from '../../../src/dev/egress-config.ts';
import { reportToStderr } from '../../../src/dev/reporter.ts';
import { type Stack, startStack } from '../../../src/dev/stack.ts';
import { createPresence, type Presence, watchPresence } from '../../../src/livekit/presence.ts';
import { eventually } from '../capacity/eventually.ts';

/** Two looks of the watch, and the time a busy machine takes. */
const NOTICED_MS = 1_500;
const RESTARTED_MS = 4_000;

let folder: string;
let stack: Stack;
let transport: BusTransport;
let presence: Presence;
let provider: ReturnType<typeof createProcessProvider>;
const stateDir = () => join(folder, 'workers');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-presence-'));
  const bin = await ensureStandIn(reportToStderr);
  stack = await startStack({ stateDir: join(folder, 'stack'), parts: ['workersRedis'] });
  const configFile = join(folder, 'egress.yaml');
  await writeEgressConfig(configFile, { livekit: stack.livekit, redis: stack.workersRedis });
  transport = await createRedisTransport(stack.workersRedis, { name: 'workers' });
  presence = createPresence(transport);
  const settings = { bin, configFile, stateDir: stateDir(), coresPerWorker: 4, bootDelay: 0, env: {} };
  provider = createProcessProvider({ provider: 'process', ...settings });
});

afterEach(() => stopAllProcessWorkers(stateDir()));

afterAll(async () => {
  await transport?.close();
  await stack?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

async function launch(count: number, token: string): Promise<string[]> {
  const { launched } = await provider.launch(count, token);
  await eventually(async () => {
    const there = await presence.workers();
    return launched.every((id) => there.has(id));
  });
  return launched;
}

async function kill(id: string): Promise<void> {
  process.kill(Number(await readFile(join(stateDir(), id, 'pid'), 'utf8')), 'SIGKILL');
}

function watch() {
  const gone: string[] = [];
  const { stop } = watchPresence({ presence, onGone: ({ workers }) => gone.push(...workers) });
  return { gone, stop };
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('workers on the bus', () => {
  it('are there by their topics, whatever characters these have, and gone as soon as their processes are', async () => {
    const [one = '', other = ''] = await launch(2, 'a-b.c');
    const { gone, stop } = watch();
    await wait(NOTICED_MS);
    await kill(one);
    const sinceMs = performance.now();
    await eventually(async () => gone.length > 0);
    expect(performance.now() - sinceMs).toBeLessThan(NOTICED_MS);
    expect(gone).toEqual([one]);
    expect([...(await presence.workers())]).toEqual([other]);
    stop();
  });

  it('are not called gone when Redis is restarted under them, and are noticed again afterwards', async () => {
    const launched = await launch(2, 'restart');
    const { gone, stop } = watch();
    await wait(NOTICED_MS);
    await stack.restart('workersRedis');
    await wait(RESTARTED_MS);
    expect(gone).toEqual([]);
    expect([...(await presence.workers())].sort()).toEqual([...launched].sort());
    await kill(launched[0] ?? '');
    await eventually(async () => gone.length > 0);
    expect(gone).toEqual([launched[0]]);
    stop();
  });

  it('that died while Redis was away are called gone a moment after it is back', async () => {
    const [one = ''] = await launch(2, 'outage');
    const { gone, stop } = watch();
    await wait(NOTICED_MS);
    await stack.kill('workersRedis');
    await kill(one);
    await wait(NOTICED_MS);
    expect(gone).toEqual([]);
    await stack.restart('workersRedis');
    await eventually(async () => gone.length > 0);
    expect(gone).toEqual([one]);
    stop();
  });

  it('are cordoned for everybody, and not for ever', async () => {
    await presence.cordon('w-1', 400);
    await presence.cordon('w-2', 60_000);
    const another = await createRedisTransport(stack.workersRedis, { name: 'another' });
    const theirs = createPresence(another);
    expect([...(await theirs.cordoned(['w-1', 'w-2', 'w-3']))]).toEqual(['w-1', 'w-2']);
    await theirs.uncordon('w-2');
    await wait(500);
    expect([...(await presence.cordoned(['w-1', 'w-2']))]).toEqual([]);
    await another.close();
  });
});
