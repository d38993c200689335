// The watcher as it stands on an instance: a real shell, curl and AWS CLI, a metadata service, and a real worker that records.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { repositoryRoot } from '../../../src/dev/components/sources.ts';
import { ensureComponents } from '../../../src/dev/components.ts';
import { reportToStderr } from '../../../src/dev/reporter.ts';
import { type FakeImds, startImds } from '../../support/aws/imds.ts';
import { AwsFault, type FakeAws, startFakeAws } from '../../support/aws/server.ts';
import { startWorker } from '../../support/cluster/kubelet/worker.ts';
import { NOBODY } from '../../support/stack-account.ts';
import { useAwsBed } from '../capacity/aws-bed.ts';
import { eventually } from '../capacity/eventually.ts';

const ID = 'i-0123456789abcdef0';
const bed = useAwsBed();
let cli: string;
let aws: FakeAws;
let imds: FakeImds;
let egress: Awaited<ReturnType<typeof startWorker>>;
let watcher: ChildProcess | undefined;
let made = 0;

beforeAll(async () => {
  cli = (await ensureComponents(['aws'], reportToStderr)).aws;
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
  const { healthPort: health, metricsPort: metrics, egressConfig, ...worker } = await bed.worker();
  egress = await startWorker(
    { ...worker, takenPorts: new Set() },
    `watched-${made}`,
    { EGRESS_CONFIG_BODY: `${egressConfig}\ncluster_id: watched-${made}\n`, LIVEKIT_CPU_REQUEST: '4' },
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
      HOME: bed.folder,
      AWS_ACCESS_KEY_ID: NOBODY.AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY: NOBODY.AWS_SECRET_ACCESS_KEY,
      AWS_ENDPOINT_URL: aws.url,
      REELKIT_GROUP: 'recorders',
      REELKIT_IMDS: imds.url,
      REELKIT_STOP: `kill -TERM ${egress.pid}`,
      REELKIT_RUNS: `kill -0 ${egress.pid}`,
      REELKIT_STATE: join(bed.folder, `told-${made}`),
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

const record = () => bed.occupier.occupyOnceReady(`watched-${made}`);
const sent = (action: string) => aws.calls.filter((call) => call.action === action);
/** As applications see it: nothing can be sent there any more. */
const takesNothing = () =>
  bed.occupier.occupy(`watched-${made}`).then(
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
