// The kinds of Redis that LiveKit can stand on: with a password and TLS, behind Sentinel, and a Cluster.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRpcClient } from '../../../src/bus/client.ts';
import { createRedisTransport, type RedisSettings } from '../../../src/bus/redis.ts';
import { createRpcServer } from '../../../src/bus/server.ts';
import type { BusTransport } from '../../../src/bus/transport.ts';
import { type Child, startChild } from '../../../src/dev/child.ts';
import { ensureComponents } from '../../../src/dev/components.ts';
import { freePorts } from '../../../src/dev/ports.ts';
import { nameLogs, waitFor } from '../../support/stack-wait.ts';

const START = { service: 'EgressInternal', method: 'StartEgress', topic: 'w-a' };
const STOP = { service: 'EgressHandler', method: 'StopEgress' };
const REQUEST = new Uint8Array([1]);
const PASSWORD = 'not-in-any-error';
let folder: string;
let binary: string;
const children: Child[] = [];
const open: BusTransport[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-bus-'));
  nameLogs(folder);
  binary = (await ensureComponents(['redis-server'], () => {}))['redis-server'];
});
afterEach(async () => {
  for (const bus of open.splice(0)) await bus.close();
  for (const child of children.splice(0)) await child.stop();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function startRedis(port: number, args: string[], { tls = false, sentinel = false } = {}): Promise<Child> {
  const child = await startChild({
    name: `Redis on ${port}`,
    command: binary,
    args: [
      ...(sentinel ? args : ['--bind', '127.0.0.1', '--dir', folder, '--save', '', '--dbfilename', `${port}.rdb`]),
      ...(sentinel || tls ? [] : ['--port', `${port}`]),
      ...(sentinel ? [] : args),
    ],
    cwd: folder,
    logFile: join(folder, `${port}.log`),
    ready: async () =>
      /ready to accept|sentinel mode|Sentinel ID/i.test(await readFile(join(folder, `${port}.log`), 'utf8')),
    readyTimeoutMs: 20_000,
  });
  children.push(child);
  return child;
}

async function connect(settings: RedisSettings, name = 'place'): Promise<BusTransport> {
  const bus = await createRedisTransport(settings, { name });
  open.push(bus);
  return bus;
}

async function serveBoth(bus: BusTransport): Promise<void> {
  const server = createRpcServer(bus);
  const handle = async (request: Uint8Array) => request;
  await server.serve({ ...START, affinity: () => 1, takeOverAfterMs: 1_000, handle });
  await server.serveQueue({ ...STOP, topic: '*', isMine: () => true, handle });
}

async function expectAllAnswered(bus: BusTransport): Promise<void> {
  const client = await createRpcClient(bus);
  const calls = Array.from({ length: 20 }, (_, i) => [
    client.call({ ...START, request: REQUEST, timeoutMs: 5_000 }),
    client.call({ ...STOP, topic: `EG_${i}`, queue: true, request: REQUEST, timeoutMs: 5_000 }),
  ]);
  expect((await Promise.all(calls.flat())).filter(({ ok }) => !ok)).toEqual([]);
  await client.close();
}

async function expectKeys(bus: BusTransport): Promise<void> {
  expect(await bus.lock('lock', 60_000)).toBe(true);
  expect(await bus.lock('lock', 60_000)).toBe(false);
  const keys = Array.from({ length: 10 }, (_, i) => `key:${i}`);
  await Promise.all(keys.map((key) => bus.setKey(key, key, 60_000)));
  await bus.deleteKey('key:3');
  expect(await bus.getKeys(keys)).toEqual(keys.map((key) => (key === 'key:3' ? null : key)));
}

describe('a Redis with password and TLS', () => {
  it('is spoken to when its authority is known, and no error names the password', async () => {
    const [port = 0] = await freePorts(1);
    const [key, certificate] = [join(folder, 'tls.key'), join(folder, 'tls.crt')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    await execa('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-keyout', key, '-out', certificate, ...subject],
    ]);
    const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-auth-clients', 'no'];
    await startRedis(port, ['--port', '0', '--tls-port', `${port}`, ...files, '--requirepass', PASSWORD], {
      tls: true,
    });
    const settings: RedisSettings = { address: `127.0.0.1:${port}`, password: PASSWORD };
    const tls = { enabled: true, caFile: certificate };
    const bus = await connect({ ...settings, tls });
    await serveBoth(bus);
    await expectAllAnswered(await connect({ ...settings, tls: { enabled: true, insecure: true } }));
    await expectKeys(bus);

    const quick = { connectTimeoutMs: 1_000 };
    const wrong = { ...settings, password: `${PASSWORD}-but-wrong`, tls };
    const errors = await Promise.all([
      createRedisTransport({ ...settings, tls: { enabled: true } }, quick).catch(String),
      createRedisTransport(wrong, quick).catch(String),
    ]);
    expect(errors[0]).toContain('self-signed certificate');
    expect(errors[1]).toMatch(/WRONGPASS|invalid/);
    expect(errors.join()).not.toContain(PASSWORD);
  });
});

describe('a Redis behind Sentinel', () => {
  it('is found, and found again after a failover', async () => {
    const [first = 0, second = 0, sentinel = 0] = await freePorts(3);
    const master = await startRedis(first, []);
    await startRedis(second, ['--replicaof', '127.0.0.1', `${first}`]);
    const config = join(folder, 'sentinel.conf');
    await execa('tee', [config], {
      input: [
        `port ${sentinel}`,
        'bind 127.0.0.1',
        `sentinel monitor mymaster 127.0.0.1 ${first} 1`,
        'sentinel down-after-milliseconds mymaster 500',
        'sentinel failover-timeout mymaster 2000',
      ].join('\n'),
      stdout: 'ignore',
    });
    await startRedis(sentinel, [config, '--sentinel'], { sentinel: true });
    const asker = new Redis({ host: '127.0.0.1', port: sentinel });
    await waitFor(
      'Sentinel knows the replica',
      async () => ((await asker.call('SENTINEL', 'replicas', 'mymaster')) as unknown[]).length,
      (replicas) => replicas === 1,
      30_000,
    );
    const settings = { sentinelAddresses: [`127.0.0.1:${sentinel}`], sentinelMasterName: 'mymaster' };
    const [one, two] = [await connect(settings), await connect(settings)];
    await serveBoth(one);
    await expectAllAnswered(two);
    await expectKeys(one);
    await master.kill('SIGKILL');
    for (const bus of [one, two]) {
      await waitFor(
        'the replica took over',
        async () => bus.health(),
        ({ ok, reconnects }) => ok && reconnects > 0,
        60_000,
      );
    }
    await expectAllAnswered(two);
    asker.disconnect();
  });
});

describe('a Redis Cluster', () => {
  it('is one bus, whatever node one is connected to, also after a node is gone', async () => {
    const ports = await freePorts(3);
    const nodes = await Promise.all(
      ports.map((port) =>
        startRedis(port, [
          ...['--cluster-enabled', 'yes', '--cluster-config-file', join(folder, `${port}.nodes`)],
          // Slots without a node do not matter here: nobody replaces the one that is killed.
          ...[
            '--cluster-port',
            `${port + 20_000}`,
            '--cluster-require-full-coverage',
            'no',
            '--cluster-node-timeout',
            '1000',
          ],
          ...['--cluster-allow-pubsubshard-when-down', 'yes'],
        ]),
      ),
    );
    await formCluster(ports);
    const settings = { clusterAddresses: ports.map((port) => `127.0.0.1:${port}`) };
    const buses = await Promise.all(Array.from({ length: 6 }, () => connect(settings)));
    const [one, two] = buses as [BusTransport, BusTransport];
    await serveBoth(one);
    await expectAllAnswered(two);
    await expectKeys(one);

    await Promise.all(buses.map((bus) => bus.subscribe('counted', () => undefined)));
    expect(await two.subscribers('counted')).toBe(buses.length);
    expect(await two.channels('counted')).toEqual(['counted']);

    await nodes[2]?.kill('SIGKILL');
    for (const bus of buses) {
      await waitFor(
        'every bus is whole',
        async () => bus.health(),
        ({ ok }) => ok,
        60_000,
      );
    }
    await waitFor(
      'all are counted again',
      () => two.subscribers('counted'),
      (found) => found === buses.length,
      60_000,
    );
    const client = await createRpcClient(two);
    const call = () => client.call({ ...START, request: REQUEST, timeoutMs: 5_000 });
    await waitFor('calls are answered again', call, ({ ok }) => ok, 60_000);
  });
});

const SLOTS = 16_384;

async function formCluster(ports: number[]): Promise<void> {
  const clients = ports.map((port) => new Redis({ host: '127.0.0.1', port }));
  for (const [i, client] of clients.entries()) {
    const [first, next] = [i, i + 1].map((index) => Math.floor((index * SLOTS) / ports.length)) as [number, number];
    await client.call('CLUSTER', 'ADDSLOTSRANGE', String(first), String(next - 1));
    await client.call('CLUSTER', 'MEET', '127.0.0.1', String(ports[0]), String((ports[0] ?? 0) + 20_000));
  }
  for (const client of clients) {
    await waitFor(
      'the node sees the cluster',
      async () => String(await client.call('CLUSTER', 'INFO')),
      (info) => info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${ports.length}`),
      30_000,
    );
    client.disconnect();
  }
}
