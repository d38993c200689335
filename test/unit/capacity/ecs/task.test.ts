// A task as a worker: where it answers in each network mode, what its state is called, why it is not running, when it is ended.
import type { Task } from '@aws-sdk/client-ecs';
import { describe, expect, it } from 'vitest';
import { ecsCapacity } from '../../../../src/capacity/ecs/config.ts';
import { definitionOf } from '../../../../src/capacity/ecs/definition.ts';
import { failureOf } from '../../../../src/capacity/ecs/failures.ts';
import { clientToken, startedBy, tokenOf, workerName } from '../../../../src/capacity/ecs/names.ts';
import { type Reading, workerOf } from '../../../../src/capacity/ecs/task.ts';

const settings = ecsCapacity.parse({
  provider: 'ecs',
  cluster: 'media',
  taskDefinition: 'egress',
  strategies: [{ capacityProvider: 'FARGATE' }],
});
const definition = definitionOf(
  {
    taskDefinitionArn: 'arn:egress:3',
    family: 'egress',
    cpu: '4096',
    containerDefinitions: [{ name: 'egress', stopTimeout: 7_200 }],
  },
  settings,
);
const NOW_MS = 1_000_000;
const reading: Reading = {
  fleet: 'main',
  settings,
  definition,
  instances: new Map(),
  firstSeenMs: () => NOW_MS,
};

function read(task: Partial<Task>, more: Partial<Reading> = {}) {
  const whole = {
    taskArn: 'arn:task/media/abc',
    startedBy: 'reelkit/main/t1',
    taskDefinitionArn: 'arn:egress:3',
    desiredStatus: 'RUNNING',
    lastStatus: 'RUNNING',
  };
  return workerOf({ ...whole, ...task }, { ...reading, ...more });
}

describe('a task answers', () => {
  it('at its own network interface', () => {
    const details = [{ name: 'privateIPv4Address', value: '10.0.0.7' }];
    expect(read({ attachments: [{ details }] })).toMatchObject({
      healthUrl: 'http://10.0.0.7:9090/',
      metricsUrl: 'http://10.0.0.7:9091/metrics',
    });
  });

  it('at its instance, on the port that bridge mode gave it', () => {
    const instances = new Map([['arn:ci', { address: '10.0.0.9', draining: false }]]);
    const networkBindings = [{ containerPort: 9_090, hostPort: 32_768 }];
    const task = {
      containerInstanceArn: 'arn:ci',
      containers: [{ name: 'guard' }, { name: 'egress', networkBindings }],
    };
    expect(read(task, { instances })).toMatchObject({
      healthUrl: 'http://10.0.0.9:32768/',
      metricsUrl: 'http://10.0.0.9:9091/metrics',
    });
  });

  it('nowhere, as long as nobody knows its address', () => {
    expect(read({ lastStatus: 'PROVISIONING' }).healthUrl).toBeUndefined();
  });
});

describe('a task that is', () => {
  it.each([
    ['PROVISIONING', 'RUNNING', 'requested'],
    ['PENDING', 'RUNNING', 'booting'],
    ['ACTIVATING', 'RUNNING', 'booting'],
    ['RUNNING', 'RUNNING', 'running'],
    ['RUNNING', 'STOPPED', 'draining'],
    ['DEACTIVATING', 'STOPPED', 'draining'],
    ['STOPPING', 'STOPPED', 'draining'],
    ['DEPROVISIONING', 'STOPPED', 'draining'],
    ['STOPPED', 'STOPPED', 'gone'],
    ['DELETED', 'STOPPED', 'gone'],
  ] as const)('%s, and is to be %s, is %s', (lastStatus, desiredStatus, state) => {
    expect(read({ lastStatus, desiredStatus }).state).toBe(state);
  });

  it('not running says why in the words of ECS', () => {
    expect(read({ lastStatus: 'PENDING' }).reason).toMatch(/image is pulled/);
    const failed = {
      lastStatus: 'STOPPED',
      desiredStatus: 'STOPPED',
      stopCode: 'TaskFailedToStart',
      stoppedReason: 'CannotPullContainerError: pull access denied',
    } as const;
    expect(read({ ...failed, containers: [{ name: 'egress', exitCode: 137 }] }).reason).toBe(
      'TaskFailedToStart: CannotPullContainerError: pull access denied: exit code 137',
    );
  });

  it('of another fleet, of a service or of nobody is a stranger', () => {
    for (const by of ['reelkit/other/t1', 'ecs-svc/123', undefined]) {
      const { owned, reason } = read({ startedBy: by });
      expect([owned, reason]).toEqual([false, expect.stringContaining('not launched by Reelkit')]);
    }
  });

  it('of an older revision is outdated', () => {
    expect(read({ taskDefinitionArn: 'arn:egress:2' }).outdated).toBe(true);
    expect(read({}).outdated).toBeUndefined();
  });

  it.each([
    ['its stopTimeout on an instance', { launchType: 'EC2' }, 7_200_000],
    ['two minutes on Fargate, whatever the definition says', { launchType: 'FARGATE' }, 120_000],
    ['two minutes of Spot on an instance', { launchType: 'EC2', stopCode: 'SpotInterruption' }, 120_000],
  ] as const)('being stopped ends after %s', (_, more, leftMs) => {
    const task = { ...more, desiredStatus: 'STOPPED', stoppingAt: new Date(NOW_MS) } as const;
    expect(read(task).endsAtMs).toBe(NOW_MS + leftMs);
  });

  it('on an instance that is drained is leaving', () => {
    const instances = new Map([['arn:ci', { draining: true }]]);
    expect(read({ containerInstanceArn: 'arn:ci' }, { instances }).leaving).toBe('its instance is being drained');
  });

  it('seen before ECS says when it was made counts from then', () => {
    expect(read({}).launchedAtMs).toBe(NOW_MS);
    expect(read({ createdAt: new Date(NOW_MS - 5_000) }).launchedAtMs).toBe(NOW_MS - 5_000);
    expect(read({ createdAt: new Date(NOW_MS + 5_000) }).launchedAtMs).toBe(NOW_MS);
  });
});

describe('a launch', () => {
  it('has names that ECS takes, the same for its repeat, and others for another', () => {
    const fleet = 'a'.repeat(60);
    const token = `pass/7:${'b'.repeat(200)}`;
    expect(startedBy(fleet, token)).toMatch(/^[\w/-]{1,128}$/);
    expect(clientToken(workerName(fleet, token, 100), 4)).toMatch(/^[\x21-\x7e]{1,64}$/);
    expect(workerName(fleet, token, 1)).toBe(workerName(fleet, token, 1));
    expect(new Set([workerName(fleet, token, 1), workerName(fleet, token, 2), workerName('b', token, 1)]).size).toBe(3);
    expect(tokenOf('main', startedBy('main', 't-1'))).toBe('t-1');
    expect(tokenOf('ma', startedBy('main', 't-1'))).toBeUndefined();
  });

  it.each([
    ['RESOURCE:CPU', 'no_capacity', 'RESOURCE_CPU'],
    ['RESOURCE:ENI', 'no_capacity', 'RESOURCE_ENI'],
    ['AGENT', 'retryable', 'AGENT'],
    ['EMPTY CAPACITY PROVIDER', 'no_capacity', 'EMPTY_CAPACITY_PROVIDER'],
    ['Capacity is unavailable at this time.', 'no_capacity', 'CAPACITY'],
    ['You’ve reached the limit on the number of vCPUs you can run concurrently', 'no_capacity', 'YOU'],
    ['ATTRIBUTE', 'configuration', 'ATTRIBUTE'],
    ['MemberOf placement constraint unsatisfied.', 'configuration', 'MEMBEROF'],
    ['InactiveTaskDefinition', 'configuration', 'INACTIVETASKDEFINITION'],
  ])('that ECS refuses with %j is %s', (reason, kind, code) => {
    expect(failureOf({ reason }, 'launch')).toMatchObject({ kind, code, message: expect.stringContaining(reason) });
  });
});
