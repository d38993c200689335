// The watcher as it stands on an instance: a real shell, curl and AWS CLI, a metadata service, and a real worker that records.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { repositoryRoot } from '../../../src/dev/components/sources.ts';
import { ensureComponents, ensureStandIn } from '../../../src/dev/components.ts';
import { egressConfig } from '../../../src/dev/egress-config.ts';
import { freePorts } from '../../../src/dev/ports.ts';
import { reportToStderr } from '../../../src/dev/reporter.ts';
import { type Stack, startStack } from '../../../src/dev/stack.ts';
import { type FakeImds, startImds } from '../../support/aws/imds.ts';
import { AwsFault, type FakeAws, startFakeAws } from '../../support/aws/server.ts';
import { startWorker } from '../../support/cluster/kubelet/worker.ts';
import { eventually } from '../capacity/eventually.ts';
import { createOccupier, type Occupier } from '../capacity/occupy.ts';

const ID = 'i-0123456789abcdef0';
let folder: string;
let stack: Stack;
let occupier: Occupier;
let egressBin: string;
let cli: string;
let ports: number[];
let aws: FakeAws;
let imds: FakeImds;
let egress: Awaited<ReturnType<typeof startWorker>>;
let watcher: ChildProcess | undefined;
let made = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-watcher-'));
  egressBin = await ensureStandIn(reportToStderr);
  cli = (await ensureComponents(['aws'], reportToStderr)).aws;
  stack = await startStack({ stateDir: folder, parts: ['workersRedis'] });
  occupier = await createOccupier(stack.workersRedis);
  ports = await freePorts(2);
});
afterAll(async () => {
  await occupier?.close();
  await stack?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  made += 1;
  imds = await startImds(ID);
  aws = await startFakeAws([
    {
      name: 'autoscaling',
      actions: { RecordLifecycleActionHeartbeat: () => ({}), CompleteLifecycleAction: () => ({}) },
    },
  ]);
  const livekit = { url: 'ws://127.0.0.1:1', apiKey: 'key', apiSecret: 'secret' };
  const body = `${egressConfig({ livekit, redis: stack.workersRedis })}\ncluster_id: watched-${made}\n`;
  const [health = 0, metrics = 0] = ports;
  egress = await startWorker(
    { egressBin, dir: folder, workerEnv: { STANDIN_MEDIA: 'none' }, takenPorts: new Set() },
    `watched-${made}`,
    { EGRESS_CONFIG_BODY: body, LIVEKIT_CPU_REQUEST: '4' },
    { host: `127.79.0.${made}`, health, metrics },
  );
  watch();
});
afterEach(async () => {
  await unwatch();
  await egress.kill();
  expect(aws.violations).toEqual([]);
  await aws.close();
  await imds.close();
});

function watch(): void {
  watcher = spawn(join(repositoryRoot, 'deploy/aws/watcher/reelkit-watcher'), {
    detached: true,
    stdio: 'ignore',
    env: {
      PATH: `${dirname(cli)}:${process.env.PATH}`,
      HOME: folder,
      AWS_ACCESS_KEY_ID: 'nobody',
      AWS_SECRET_ACCESS_KEY: 'nothing',
      AWS_ENDPOINT_URL: aws.url,
      REELKIT_GROUP: 'recorders',
      REELKIT_IMDS: imds.url,
      REELKIT_STOP: `kill -TERM ${egress.pid}`,
      REELKIT_RUNS: `kill -0 ${egress.pid}`,
      REELKIT_STATE: join(folder, `told-${made}`),
      REELKIT_POLL_SECONDS: '0.2',
      REELKIT_HEARTBEAT_SECONDS: '1',
    },
  });
}

async function unwatch(): Promise<void> {
  const running = watcher;
  watcher = undefined;
  if (!running?.pid || running.exitCode !== null || running.signalCode !== null) return;
  process.kill(-running.pid, 'SIGKILL');
  await once(running, 'exit');
}

async function record(): Promise<{ stop(): Promise<void> }> {
  let busy: { stop(): Promise<void> } | undefined;
  await eventually(async () => {
    busy = await occupier.occupy(`watched-${made}`).catch(() => undefined);
    return busy !== undefined;
  });
  return busy as NonNullable<typeof busy>;
}

const sent = (action: string) => aws.calls.filter((call) => call.action === action);
/** As applications see it: nothing can be sent there any more. */
const takesNothing = () =>
  occupier.occupy(`watched-${made}`).then(
    () => false,
    () => true,
  );

it('lets a recording finish: one word to the egress, heartbeats while it records, and completion when it has ended', async () => {
  const busy = await record();
  expect(aws.calls).toEqual([]);
  imds.values['autoscaling/target-lifecycle-state'] = 'Terminated';
  await eventually(async () => sent('RecordLifecycleActionHeartbeat').length >= 2);
  expect(await takesNothing()).toBe(true);
  expect(egress.isRunning()).toBe(true);
  expect(sent('CompleteLifecycleAction')).toEqual([]);
  await busy.stop();
  await eventually(async () => sent('CompleteLifecycleAction').length === 1);
  expect((await egress.exit).exitCode).toBe(0);
  expect(sent('CompleteLifecycleAction')[0]?.input).toEqual({
    AutoScalingGroupName: 'recorders',
    LifecycleHookName: 'reelkit',
    LifecycleActionResult: 'CONTINUE',
    InstanceId: ID,
  });
  // It asks for nobody's end: the group has counted this one.
  expect(new Set(aws.calls.map(({ action }) => action))).toEqual(
    new Set(['RecordLifecycleActionHeartbeat', 'CompleteLifecycleAction']),
  );
});

it('that dies in the middle of it goes on where it was', async () => {
  const busy = await record();
  imds.values['autoscaling/target-lifecycle-state'] = 'Terminated';
  await eventually(async () => sent('RecordLifecycleActionHeartbeat').length >= 1);
  await unwatch();
  await busy.stop();
  await egress.exit;
  expect(sent('CompleteLifecycleAction')).toEqual([]);
  watch();
  await eventually(async () => sent('CompleteLifecycleAction').length === 1);
});

it('tells the egress of a Spot notice at once, and holds nothing before the group waits', async () => {
  const busy = await record();
  imds.values['spot/instance-action'] = JSON.stringify({ action: 'terminate', time: '2026-12-01T12:00:00Z' });
  await eventually(takesNothing);
  expect(aws.calls).toEqual([]);
  imds.values['autoscaling/target-lifecycle-state'] = 'Terminated';
  await eventually(async () => sent('RecordLifecycleActionHeartbeat').length >= 1);
  await busy.stop();
  await eventually(async () => sent('CompleteLifecycleAction').length === 1);
});

it('repeats a completion that AWS refused, until it is taken', async () => {
  aws.strike(new AwsFault('ValidationError', 'No active Lifecycle Action found'), 'CompleteLifecycleAction', 2);
  imds.values['autoscaling/target-lifecycle-state'] = 'Terminated';
  await egress.exit;
  await eventually(async () => sent('CompleteLifecycleAction').length === 3);
});
