// The tests' AWS itself, spoken to by AWS's own clients: what its models refuse is refused, in three protocols, and faults come as AWS's.
import { AutoScalingClient, DescribeAutoScalingGroupsCommand } from '@aws-sdk/client-auto-scaling';
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2';
import { ECSClient, ListTasksCommand, RunTaskCommand } from '@aws-sdk/client-ecs';
import { afterEach, describe, expect, it } from 'vitest';
import { AwsFault, type FakeAws, type Service, startFakeAws } from '../../support/aws/server.ts';

const credentials = { accessKeyId: 'nobody', secretAccessKey: 'nothing' };
const atMs = Date.UTC(2026, 10, 30, 12);
const asked: unknown[] = [];

const SERVICES: Service[] = [
  {
    name: 'ecs',
    actions: {
      RunTask: () => ({ tasks: [{ taskArn: 'arn:task', createdAt: atMs / 1_000 }], failures: [] }),
      ListTasks: () => ({ taskArns: 'no list' }),
    },
  },
  {
    name: 'autoscaling',
    actions: {
      DescribeAutoScalingGroups(input) {
        asked.push(input);
        throw new AwsFault('ValidationError', 'group <name> not found');
      },
    },
  },
  {
    name: 'ec2',
    actions: {
      DescribeInstances(input) {
        asked.push(input);
        const LaunchTime = new Date(atMs);
        return {
          Reservations: [{ Instances: [{ InstanceId: 'i-1', LaunchTime, Tags: [{ Key: 'a', Value: '<b>&' }] }] }],
        };
      },
    },
  },
];

let aws: FakeAws;
const options = async () => {
  aws = await startFakeAws(SERVICES);
  return { endpoint: aws.url, region: 'eu-central-1', credentials, maxAttempts: 1 };
};
afterEach(() => aws?.close());

describe("the tests' AWS", () => {
  it('answers ECS as its client reads it, and refuses what the model does', async () => {
    const ecs = new ECSClient(await options());
    const { tasks } = await ecs.send(new RunTaskCommand({ taskDefinition: 'egress:1' }));
    expect(tasks?.[0]?.createdAt?.getTime()).toBe(atMs);
    const wrong = new RunTaskCommand({ taskDefinition: 'egress:1', launchType: 'LAMBDA' as never });
    await expect(ecs.send(wrong)).rejects.toMatchObject({ name: 'InvalidParameterException' });
    expect(aws.violations).toEqual([expect.stringContaining('launchType is LAMBDA')]);
  });

  it('notices an answer that is none of AWS', async () => {
    await new ECSClient(await options()).send(new ListTasksCommand({})).catch(() => undefined);
    expect(aws.violations).toEqual([expect.stringContaining('taskArns is no list')]);
  });

  it('reads and writes the Query protocol and that of EC2, lists, times and awkward texts included', async () => {
    const ec2 = new EC2Client(await options());
    const Filters = [{ Name: 'tag:a', Values: ['1', '2'] }];
    const { Reservations } = await ec2.send(new DescribeInstancesCommand({ Filters, MaxResults: 5 }));
    expect(Reservations?.[0]?.Instances?.[0]).toMatchObject({ InstanceId: 'i-1', Tags: [{ Key: 'a', Value: '<b>&' }] });
    expect(Reservations?.[0]?.Instances?.[0]?.LaunchTime?.getTime()).toBe(atMs);
    expect(asked.at(-1)).toEqual({ Filters, MaxResults: 5 });
    const groups = new AutoScalingClient({ endpoint: aws.url, region: 'eu-central-1', credentials });
    const AutoScalingGroupNames = ['one', 'two'];
    await expect(groups.send(new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames }))).rejects.toMatchObject({
      name: 'ValidationError',
      message: 'group <name> not found',
    });
    expect(asked.at(-1)).toEqual({ AutoScalingGroupNames });
    expect(aws.violations).toEqual([]);
  });

  it.each([
    ['throttle', 'ThrottlingException'],
    ['deny', 'AccessDeniedException'],
    ['unavailable', 'ServiceUnavailable'],
  ] as const)('says %s in the words of the service, until it is undone', async (fate, name) => {
    const ecs = new ECSClient(await options());
    const undo = aws.strike(fate, 'RunTask');
    const command = new RunTaskCommand({ taskDefinition: 'egress:1' });
    await expect(ecs.send(command)).rejects.toMatchObject({ name });
    undo();
    expect((await ecs.send(command)).tasks).toHaveLength(1);
  });
});
