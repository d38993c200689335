// A worker that is frozen and wakes up: around its grant, and while it records, for so long that its recording goes on elsewhere. What
// wakes up disturbs nobody, and is stopped within seconds.
import { readFile } from 'node:fs/promises';
import { Redis } from 'ioredis';
import { EncodedFileOutput } from 'livekit-server-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createReelkitService, type ReelkitService } from '../../src/dev/reelkit-service.ts';
import { type BusCuts, createBusCuts } from '../support/bus-cuts.ts';
import { type BusProxy, startBusProxy } from '../support/bus-proxy.ts';
import { type LivingEgresses, watchLivingEgresses } from '../support/living-egresses.ts';
import { useStack } from '../support/stack.ts';
import { waitFor } from '../support/stack-wait.ts';
import { receiveWebhooks } from '../support/webhooks.ts';

const STARTS = 20;
/** Two looks of the fleet, and a stop. */
const SECONDS_MS = 10_000;
/** What is silent on its port and on the bus is no passing trouble after that. */
const GIVEN_UP_MS = 180_000;

const webhooks = await receiveWebhooks();
const fleet = {
  minWorkers: 1,
  maxWorkers: 3,
  costs: { audioRoomComposite: 1 },
  cooldown: '10m',
  watchInterval: '2s',
  busyInterval: '500ms',
  confirmAfter: '2s',
};
const e2e = useStack({ fleet, capacity: { coresPerWorker: 32 }, stack: { webhookUrls: [webhooks.url] } });
let proxy: BusProxy;
let cuts: BusCuts;
let living: LivingEgresses;
let service: ReelkitService;

beforeAll(async () => {
  webhooks.trust(e2e.stack.livekit);
  proxy = await startBusProxy(e2e.stack.workersRedis.address);
  cuts = createBusCuts(proxy);
  living = await watchLivingEgresses(e2e.stack.workersRedis);
  await e2e.api.untilFleet('a worker', ({ workers }) => workers.some(({ state }) => state === 'ready'));
  await e2e.service.stop();
  service = await createReelkitService({
    stack: e2e.stack,
    egressBin: e2e.egressBin,
    name: 'dispatcher',
    config: {
      logLevel: 'debug',
      workers: { redis: { address: proxy.address } },
      fleet,
      capacity: { coresPerWorker: 32, env: { STANDIN_MEDIA: 'none' } },
    },
    readyTimeoutMs: 90_000,
  });
  await service.start();
});
afterAll(async () => {
  for (const { pid } of await e2e.workers()) signal(pid, 'SIGCONT');
  await service?.stop();
  await living?.stop();
  await proxy?.stop();
  await webhooks.close();
});

/** To the whole group of a worker. */
function signal(pid: number, name: NodeJS.Signals): void {
  process.kill(-pid, name);
}

async function start(): Promise<{ id: string; room: string }> {
  const room = await e2e.livekit.createRoom('frozen');
  const file = new EncodedFileOutput({ filepath: `${service.recordingsDir}/${room}.ogg` });
  const options = { audioOnly: true };
  const { egressId } = await e2e.livekit.egresses.startRoomCompositeEgress(room, { file }, options);
  return { id: egressId, room };
}

async function workerOf(egressId: string): Promise<number> {
  const { workers } = await e2e.api.untilFleet(`a worker shows ${egressId}`, (seen) =>
    seen.workers.some(({ egressIds }) => egressIds.includes(egressId)),
  );
  const id = workers.find(({ egressIds }) => egressIds.includes(egressId))?.id;
  return (await e2e.workers()).find((one) => one.id === id)?.pid ?? 0;
}

test('frozen from before its grant until long after: its starts go elsewhere, and what begins late ends', async () => {
  const [worker] = await e2e.workers();
  const kept = cuts.keep({ way: 'sent', method: 'StartEgress', kind: 'RCLAIM' });
  const started = await Promise.all(Array.from({ length: STARTS }, start));
  await kept.until(STARTS);
  signal(worker?.pid ?? 0, 'SIGSTOP');
  kept.release('passes');
  cuts.heal();
  const ids = started.map(({ id }) => id);
  const views = await Promise.all(ids.map((id) => e2e.api.untilStage(id, 'recording', 120_000)));
  signal(worker?.pid ?? 0, 'SIGCONT');
  await e2e.api.untilFleet('it answers again', ({ workers }) =>
    workers.some(({ id, state }) => id === worker?.id && state === 'ready'),
  );
  const believed = views.map(({ parts }) => parts.at(-1)?.egressId ?? '');
  await waitFor(
    'only what was started elsewhere lives',
    async () => living.now().sort(),
    (now) => now.join() === [...believed].sort().join(),
    SECONDS_MS,
  );
  const late = ids.filter((id) => living.of(id).length > 1);
  process.stdout.write(`${late.length} of ${STARTS} began late, two at once for ${most(ids)} ms at most\n`);
  expect(most(ids)).toBeLessThan(SECONDS_MS);
  for (const id of ids) {
    await e2e.livekit.egresses.stopEgress(id);
    const { parts } = await e2e.api.untilEnded(id);
    expect(parts).toMatchObject([{ egressId: believed[ids.indexOf(id)], files: [{}] }]);
  }
});

const most = (ids: string[]) => Math.max(...ids.map((id) => living.overlapMs(id)));

test.each<[string, boolean]>([
  ['and Redis has lost it', true],
  ['and nothing else is wrong', false],
])('frozen while it records, %s: the recording goes on elsewhere, and the zombie is stopped', async (_, isCutOff) => {
  const { id, room } = await start();
  await e2e.api.untilStage(id, 'recording', 90_000);
  const pid = await workerOf(id);
  signal(pid, 'SIGSTOP');
  const frozenMs = Date.now();
  if (isCutOff) await dropListeners();
  const { parts } = await waitFor(
    'a second part that records',
    () => e2e.api.show(id),
    (view) => view.stage === 'recording' && view.parts[1]?.startedAtMs !== undefined,
    GIVEN_UP_MS,
  );
  const second = parts[1]?.egressId ?? '';
  process.stdout.write(`given up and continued after ${Date.now() - frozenMs} ms\n`);
  expect(parts).toMatchObject([{ egressId: id, end: { status: 'LOST' } }, { egressId: `${id}_1` }]);

  signal(pid, 'SIGCONT');
  const wokenMs = Date.now();
  await waitFor(
    'the zombie is awake',
    () => workerOf(id).then(() => true),
    (is) => is,
    SECONDS_MS,
  ).catch(() => undefined);
  await waitFor(
    'it is stopped',
    async () => living.now(),
    (now) => !now.includes(id),
    SECONDS_MS,
  );
  process.stdout.write(`stopped ${Date.now() - wokenMs} ms after it woke up\n`);
  expect(living.now()).toContain(second);
  expect(await e2e.api.show(id)).toMatchObject({ stage: 'recording', parts: [{}, { egressId: second }] });

  // Redis may not show it again before it has heard that it is to stop.
  await waitFor(
    'its file to count',
    () => e2e.api.show(id),
    (view) => view.parts[0]?.files.length === 1,
    SECONDS_MS,
  );
  await e2e.livekit.egresses.stopEgress(id);
  const ended = await e2e.api.untilEnded(id);
  expect(ended.parts).toMatchObject([{ files: [{}] }, { files: [{}] }]);
  const written = (name: string) => readFile(`${service.recordingsDir}/${name}`, 'utf8');
  expect((await written(`${room}.ogg`)).trim().endsWith(`egress ${id}`)).toBe(true);
  expect((await written(`${room}-1.ogg`)).trim().endsWith(`egress ${second}`)).toBe(true);
  await waitFor(
    'its end',
    async () => webhooks.of(id),
    (told) => told.includes('egress_ended COMPLETE'),
    30_000,
  );
  for (const kind of ['egress_started', 'egress_ended'])
    expect(webhooks.of(id).filter((event) => event.startsWith(kind))).toHaveLength(1);
});

/** All who listen; who lives comes back at once. */
async function dropListeners(): Promise<void> {
  const [host = '', port = ''] = e2e.stack.workersRedis.address.split(':');
  const redis = new Redis(Number(port), host);
  await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  redis.disconnect();
}
