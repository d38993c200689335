// Workers as everybody has them, on LiveKit's own Redis, beside Reelkit: how one tries it, what a spare does, and the way back. The steps
// are those of docs/operations.md.
import { join } from 'node:path';
import { execa } from 'execa';
import { EgressStatus, EncodedFileOutput } from 'livekit-server-sdk';
import { beforeAll, expect, test } from 'vitest';
import type { Child } from '../../src/dev/child.ts';
import { repositoryRoot } from '../../src/dev/components/sources.ts';
import { createReelkitService, type ReelkitService } from '../../src/dev/reelkit-service.ts';
import { startEgressWorker } from '../support/plain-worker.ts';
import { useStack } from '../support/stack.ts';
import { waitFor } from '../support/stack-wait.ts';

const fleet = { minWorkers: 0, maxWorkers: 2, cooldown: '30s', costs: { audioRoomComposite: 1 } };
const e2e = useStack({ fleet, capacity: { coresPerWorker: 16 } });

/** A busy worker takes up to 80 % of its cores. */
const CORES = 8;
const PLAIN_HOLDS = 6;

let plain: Child;
let workerAlone: ReelkitService;

const startPlainWorker = () =>
  startEgressWorker({ stack: e2e.stack, redis: e2e.stack.redis, egress: e2e.egressBin, cores: CORES });

interface Started {
  id: string;
  room: string;
  isOurs: boolean;
}

/** As an application starts it; whose it is, is asked of Temporal. */
async function start(): Promise<Started> {
  const room = await e2e.livekit.createRoom('beside');
  const file = new EncodedFileOutput({ filepath: `${e2e.service.recordingsDir}/${room}.ogg` });
  const { egressId: id } = await e2e.livekit.egresses.startRoomCompositeEgress(room, { file }, { audioOnly: true });
  const isOurs = await e2e.temporal.workflow
    .getHandle(id)
    .describe()
    .then(
      () => true,
      () => false,
    );
  await untilStatus(id, EgressStatus.EGRESS_ACTIVE);
  return { id, room, isOurs };
}

async function startMany(count: number): Promise<Started[]> {
  const all: Started[] = [];
  for (let i = 0; i < count; i++) all.push(await start());
  return all;
}

const untilStatus = (id: string, status: EgressStatus) =>
  waitFor(
    `${id} in status ${status}`,
    async () => (await e2e.livekit.egresses.listEgress({ egressId: id }))[0]?.status,
    (seen) => seen === status,
    60_000,
  );

async function stop({ id }: Started) {
  await e2e.livekit.egresses.stopEgress(id);
  await untilStatus(id, EgressStatus.EGRESS_COMPLETE);
}

async function doctor() {
  const { stdout } = await execa(
    join(repositoryRoot, 'bin/reelkit'),
    ['doctor', '--json', '--config', e2e.service.configFile],
    { env: e2e.stack.env, reject: false },
  );
  const checks = JSON.parse(stdout) as { name: string; ok: boolean; detail: string }[];
  return checks.find(({ name }) => name === "LiveKit's Redis");
}

beforeAll(async () => {
  await e2e.service.stop();
  workerAlone = await createReelkitService({
    stack: e2e.stack,
    name: 'worker-alone',
    egressBin: e2e.egressBin,
    config: { fleet, capacity: { coresPerWorker: 16, env: { STANDIN_MEDIA: 'none' } } },
    command: ['worker'],
    env: { REELKIT_HEALTH_PORT: String(e2e.stack.api.port) },
    readyTimeoutMs: 90_000,
  });
  plain = await startPlainWorker();
});

test("Reelkit's Temporal worker alone takes nothing from LiveKit", async () => {
  await workerAlone.start();
  const [first] = await startMany(1);
  expect(first?.isOurs).toBe(false);
  if (first) await stop(first);
  await workerAlone.stop();
});

test('with the API, Reelkit gets every start, and an idle plain worker none', async () => {
  await e2e.service.start();
  const all = await startMany(6);
  expect(all.filter(({ isOurs }) => isOurs)).toHaveLength(6);
  await Promise.all(all.map(stop));
});

test('without Reelkit the plain worker records; once busy it goes on taking some, which Reelkit leaves alone and names', async () => {
  await e2e.service.stop();
  const spare = await start();
  expect(spare.isOurs).toBe(false);
  await e2e.service.start();
  const all = await startMany(PLAIN_HOLDS + 4);
  const theirs = all.filter(({ isOurs }) => !isOurs);
  // It is as eager as Reelkit while it has room, and silent when it has none.
  expect(theirs.length).toBeGreaterThan(0);
  expect(theirs.length).toBeLessThan(PLAIN_HOLDS);
  expect(await doctor()).toMatchObject({
    ok: false,
    detail: expect.stringMatching(
      /^1 listener beside Reelkit takes LiveKit's requests, .*: give each such worker a cluster_id/,
    ),
  });
  const { decisions } = await e2e.api.fleet();
  expect(decisions.map(({ line }) => line).join('\n')).not.toMatch(/orphan|not of Reelkit/);
  // Each is stopped by whoever runs it.
  await Promise.all([spare, ...all].map(stop));
});

test('a plain worker that is sent SIGTERM finishes what it has and takes nothing more', async () => {
  await e2e.service.stop();
  const last = await start();
  expect(last.isOurs).toBe(false);
  await e2e.service.start();
  process.kill(plain.pid, 'SIGTERM');
  await waitFor('only Reelkit listens', doctor, (check) => check?.ok === true, 30_000);
  const all = await startMany(3);
  expect(all.filter(({ isOurs }) => isOurs)).toHaveLength(3);
  await untilStatus(last.id, EgressStatus.EGRESS_ACTIVE);
  await Promise.all([last, ...all].map(stop));
  await plain.ended;
});

test('the way back: plain workers get the starts, and what Reelkit has open ends with its room and is told to LiveKit', async () => {
  const ours = await start();
  expect(ours.isOurs).toBe(true);
  plain = await startPlainWorker();
  await e2e.service.stop();
  await workerAlone.start();
  const next = await start();
  expect(next.isOurs).toBe(false);
  await expect(e2e.livekit.egresses.stopEgress(ours.id)).rejects.toMatchObject({ status: 408 });
  await e2e.livekit.closeRoom(ours.room);
  await untilStatus(ours.id, EgressStatus.EGRESS_COMPLETE);
  expect(await e2e.temporal.workflow.getHandle(ours.id).result()).toMatchObject({ stage: 'completed' });
  await stop(next);
  await workerAlone.stop();
});
