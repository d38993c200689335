// The asg provider against an AWS of the tests' own, with instances that are real worker processes.
import { describe, expect, it } from 'vitest';
import { type AutoScalingOptions, createFakeAutoScaling } from '../../support/aws/autoscaling.ts';
import { AwsFault } from '../../support/aws/server.ts';
import { useAwsBed } from './aws-bed.ts';
import { eventually } from './eventually.ts';
import { workersOf } from './open.ts';
import { describeProvider, type Refusal } from './provider-contract.ts';

const ZONES = ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'];
const bed = useAwsBed();

async function account(options: Partial<AutoScalingOptions> = {}) {
  const worker = await bed.worker();
  const asg = createFakeAutoScaling({ ...worker, ...options });
  const { healthPort, metricsPort } = worker;
  const capacity = { provider: 'asg', group: asg.group, coresPerWorker: 4, healthPort, metricsPort } as const;
  return { asg, ...(await bed.account(asg, capacity)) };
}

/** Instances that only seem to run. */
const lean = (options: Partial<AutoScalingOptions> = {}) =>
  account({ egressBin: undefined as never, bootMs: 0, ...options });

async function subject() {
  const one = await account();
  return bed.subject(one, async () => one.asg.attach());
}

type Account = Awaited<ReturnType<typeof account>>;
function refused(name: string, kind: Refusal['kind'], message: RegExp, provoke: (it: Account) => unknown): Refusal {
  return {
    name,
    kind,
    message,
    async provoke() {
      const other = await lean();
      provoke(other);
      return { provider: await other.open(), undo: async () => undefined };
    },
  };
}

const REFUSALS: Refusal[] = [
  refused('no zone has capacity', 'no_capacity', /InsufficientInstanceCapacity/, ({ asg }) => {
    for (const zone of ZONES) asg.fullZones.add(zone);
  }),
  refused('the vCPU quota is used up', 'no_capacity', /VcpuLimitExceeded/, ({ aws }) =>
    aws.strike(
      new AwsFault('VcpuLimitExceeded', 'You have requested more vCPU capacity than your limit'),
      'LaunchInstances',
    ),
  ),
  refused('the account is throttled', 'retryable', /answered Throttling/, ({ aws }) =>
    aws.strike('throttle', 'LaunchInstances'),
  ),
  refused('the policy lacks the call', 'configuration', /Allow autoscaling:LaunchInstances in the policy/, ({ aws }) =>
    aws.strike('deny', 'LaunchInstances'),
  ),
];

describeProvider('asg', subject, REFUSALS);

describe('a launch', () => {
  it('takes the next zone when one is full or has room for some only, and its repeat adds nothing', async () => {
    const { asg, aws, open } = await lean();
    const provider = await open();
    asg.fullZones.add('eu-central-1a');
    asg.places.set('eu-central-1b', 2);
    const { launched, problems } = await provider.launch(5, 'zones');
    expect([launched.length, problems]).toEqual([5, []]);
    const zones = asg.instances().map(({ zone }) => zone);
    expect(zones.filter((zone) => zone === 'eu-central-1a')).toEqual([]);
    asg.fullZones.clear();
    expect((await (await open()).launch(5, 'zones')).launched.sort()).toEqual(launched.sort());
    expect(asg.instances()).toHaveLength(5);
    expect(aws.violations).toEqual([]);
  });

  it('says which workers are missing when all zones are full', async () => {
    const { asg, open } = await lean();
    for (const zone of ZONES) asg.places.set(zone, 1);
    const { launched, problems } = await (await open()).launch(5, 'some');
    expect(launched).toHaveLength(3);
    expect(problems).toEqual([
      expect.objectContaining({ kind: 'no_capacity', code: 'InsufficientInstanceCapacity', count: 2 }),
    ]);
  });

  it('whose answers are lost makes each worker once, and shows them before AWS lists them', async () => {
    const { asg, aws, open } = await lean({ lagMs: 1_000 });
    aws.strike('cut', 'LaunchInstances', 1);
    const provider = await open();
    const { launched } = await provider.launch(3, 'lost');
    expect(
      asg
        .instances()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(launched.sort());
    expect((await workersOf(provider)).map(({ state }) => state)).toEqual(['requested', 'requested', 'requested']);
    await eventually(async () => (await provider.list(Date.now())).workers.every(({ state }) => state === 'running'));
  });

  it('waits for the same launch of another process', async () => {
    const { asg, aws, open } = await lean();
    aws.strike(
      new AwsFault('IdempotentCallInProgress', 'a call with this token is in progress', 500),
      'LaunchInstances',
      4,
    );
    expect((await (await open()).launch(2, 'twice')).launched).toHaveLength(2);
    expect(asg.instances()).toHaveLength(2);
  });
});

describe('instances', () => {
  it('of an older launch template are outdated once there is a newer one', async () => {
    const { asg, open } = await lean();
    await (await open()).launch(1, 'old');
    asg.state.version = 2;
    const provider = await open();
    await provider.launch(1, 'new');
    expect((await workersOf(provider)).map(({ outdated }) => outdated)).toEqual([true, undefined]);
  });

  it('that somebody else ends are draining, and finish', async () => {
    const { asg, open } = await account();
    const provider = await open();
    const [id = ''] = (await provider.launch(1, 'outside')).launched;
    const find = async () => (await provider.list(Date.now())).workers[0];
    const busy = await bed.occupier.occupyOnceReady(id);
    asg.endFromOutside(id, 'instance refresh');
    expect((await find())?.state).toBe('draining');
    await busy.stop();
    await eventually(async () => (await find())?.state === 'gone');
  });

  it('cost two calls a look, and a page a thousand; nobody who looks costs nothing', async () => {
    const calls = async (workers: number) => {
      const { asg, aws, open } = await lean();
      asg.state.maxSize = 5_000;
      const provider = await open();
      for (let left = workers; left > 0; left -= 100) await provider.launch(Math.min(100, left), `many-${left}`);
      expect(asg.instances()).toHaveLength(workers);
      await provider.list(Date.now());
      const before = aws.calls.length;
      await provider.list(Date.now());
      await Promise.all(Array.from({ length: 50 }, () => provider.list()));
      return aws.calls.length - before;
    };
    expect(await calls(10)).toBe(2);
    expect(await calls(1_000)).toBe(2);
    expect(await calls(1_100)).toBe(3);
  });
});

describe('doctor', () => {
  const with_ = (group: Record<string, unknown>) => (it: Account) => {
    it.asg.state.group = group;
  };
  const GROUPS: [what: string, line: RegExp, change: (it: Account) => unknown][] = [
    [
      'a minimum',
      /MinSize is 2, below which AWS ends no instance: aws autoscaling update-auto-scaling-group .*--min-size 0/,
      with_({ MinSize: 2 }),
    ],
    [
      'ECS',
      /ECS sets its size \(tag AmazonECSManaged\)/,
      with_({
        Tags: [{ Key: 'AmazonECSManaged' }, { Key: 'reelkit:fleet', Value: 'default', PropagateAtLaunch: true }],
      }),
    ],
    ['another service', /an AWS service runs it \(Operator\)/, with_({ Operator: { Principal: 'x.amazonaws.com' } })],
    ['a warm pool', /it has a warm pool/, with_({ WarmPoolConfiguration: { MinSize: 1 } })],
    [
      'a mix of On-Demand and Spot',
      /its policy mixes On-Demand and Spot/,
      with_({ MixedInstancesPolicy: { InstancesDistribution: { OnDemandPercentageAboveBaseCapacity: 50 } } }),
    ],
    [
      'no protection',
      /not protected from scale-in: .*--new-instances-protected-from-scale-in/,
      with_({ NewInstancesProtectedFromScaleIn: false }),
    ],
    ['zones that are balanced', /suspend-processes .*AZRebalance/, with_({ SuspendedProcesses: [] })],
    [
      'launches that are suspended',
      /its process Launch is suspended: .*resume-processes/,
      with_({ SuspendedProcesses: [{ ProcessName: 'AZRebalance' }, { ProcessName: 'Launch' }] }),
    ],
    ['no tag', /do not get the tag reelkit:fleet=default/, with_({ Tags: [] })],
    [
      'a scaling policy',
      /scaling policy "cpu" sets its size, too: aws autoscaling delete-policy/,
      ({ asg }) => asg.state.policies.push('cpu'),
    ],
    ['a schedule', /scheduled action "night" sets its size, too/, ({ asg }) => asg.state.schedules.push('night')],
    [
      'no hook',
      /has no termination hook.*put-lifecycle-hook .*--heartbeat-timeout 3600/,
      ({ asg }) => {
        asg.state.hook = undefined;
      },
    ],
    [
      'a hook that is too short',
      /holds an instance for 50m at most, and a recording may last 1d/,
      ({ asg }) => {
        asg.state.hook = { HeartbeatTimeout: 30 };
      },
    ],
    [
      'instances of another size',
      /its instances have 8 vCPUs, and fleet.capacity.coresPerWorker says 4/,
      async ({ asg, open }) => {
        asg.state.vcpus = 8;
        await (await open()).launch(1, 'large');
      },
    ],
    [
      'no right to read policies',
      /Allow autoscaling:DescribePolicies in the policy/,
      ({ aws }) => aws.strike('deny', 'DescribePolicies'),
    ],
    [
      'no right to see instances',
      /Allow ec2:DescribeInstances in the policy/,
      ({ aws }) => aws.strike('deny', 'DescribeInstances'),
    ],
  ];

  it.each(GROUPS)('names %s, and what to do', async (_, line, change) => {
    const other = await lean();
    await change(other);
    expect(await (await other.open()).check()).toEqual([expect.stringMatching(line)]);
    expect(other.aws.violations).toEqual([]);
  });

  it('names a group that does not exist', async () => {
    const provider = await (await lean()).open({ group: 'nobody', region: 'eu-west-1' });
    expect(await provider.check()).toEqual([
      'Auto Scaling group "nobody" does not exist in region eu-west-1: correct fleet.capacity.group and region',
    ]);
  });
});
