// The ecs provider against an AWS of the tests' own, with tasks that are real worker processes: on Fargate, and on instances.
import { describe, expect, it } from 'vitest';
import type { FleetConfigInput } from '../../../src/config/fleet.ts';
import { createFakeEcs, type EcsOptions } from '../../support/aws/ecs.ts';
import { AwsFault } from '../../support/aws/server.ts';
import { useAwsBed } from './aws-bed.ts';
import { eventually } from './eventually.ts';
import { workersOf } from './open.ts';
import { describeProvider, type Refusal } from './provider-contract.ts';

const bed = useAwsBed();

async function account(options: Partial<EcsOptions> = {}) {
  const worker = await bed.worker();
  const ecs = createFakeEcs({ ...worker, ...options });
  const { healthPort, metricsPort } = worker;
  return { ecs, ...(await bed.account(ecs, { ...capacityOf(options.onInstances), healthPort, metricsPort })) };
}

function capacityOf(onInstances = false): Extract<FleetConfigInput['capacity'], { provider: 'ecs' }> {
  const place = onInstances
    ? { strategies: [{ capacityProvider: 'instances' }] }
    : { strategies: [{ capacityProvider: 'FARGATE' }], network: { subnets: ['subnet-1'] } };
  return { provider: 'ecs', cluster: 'media', taskDefinition: 'egress', ...place };
}

async function subject(options: Partial<EcsOptions> = {}) {
  const one = await account(options);
  return bed.subject(one, () => one.ecs.runByHand());
}

function refused(
  name: string,
  kind: Refusal['kind'],
  message: RegExp,
  provoke: (it: Awaited<ReturnType<typeof account>>) => () => void,
): Refusal {
  return {
    name,
    kind,
    message,
    async provoke() {
      const other = await account();
      const undo = provoke(other);
      return { provider: await other.open(), undo: async () => undo() };
    },
  };
}

const REFUSALS: Refusal[] = [
  refused('the vCPU quota is used up', 'no_capacity', /limit on the number of vCPUs/, ({ ecs }) => {
    ecs.state.maxTasks = 0;
    return () => undefined;
  }),
  refused('Fargate has no capacity', 'no_capacity', /Capacity is unavailable at this time/, ({ ecs }) => {
    ecs.withoutCapacity.add('FARGATE');
    return () => undefined;
  }),
  refused('the account is throttled', 'retryable', /ecs:RunTask answered ThrottlingException/, ({ aws }) =>
    aws.strike('throttle', 'RunTask'),
  ),
  refused(
    'the policy lacks ecs:RunTask',
    'configuration',
    /AccessDeniedException.*Allow ecs:RunTask in the policy/,
    ({ aws }) => aws.strike('deny', 'RunTask'),
  ),
];

describeProvider('ecs, on Fargate', () => subject(), REFUSALS);
describeProvider('ecs, on instances', () => subject({ onInstances: true }));

describe('a launch', () => {
  it('takes the next strategy when one has no capacity, and its repeat adds nothing, although the first has some by then', async () => {
    const { ecs, aws, open } = await account();
    ecs.withoutCapacity.add('FARGATE_SPOT');
    const provider = await open({
      strategies: [{ capacityProvider: 'FARGATE_SPOT' }, { capacityProvider: 'FARGATE' }],
    });
    const { launched, problems } = await provider.launch(3, 'next');
    expect([launched.length, problems]).toEqual([3, []]);
    ecs.withoutCapacity.clear();
    const successor = await open({
      strategies: [{ capacityProvider: 'FARGATE_SPOT' }, { capacityProvider: 'FARGATE' }],
    });
    expect((await successor.launch(3, 'next')).launched.sort()).toEqual(launched.sort());
    expect(ecs.tasks().map(({ provider: name }) => name)).toEqual(['FARGATE', 'FARGATE', 'FARGATE']);
    expect(aws.violations).toEqual([]);
  });

  it('says which workers are missing when there is room for some only', async () => {
    const { ecs, open } = await account();
    ecs.state.maxTasks = 2;
    const { launched, problems } = await (await open()).launch(5, 'some');
    expect(launched).toHaveLength(2);
    expect(problems).toEqual([expect.objectContaining({ kind: 'no_capacity', count: 3 })]);
  });

  it('whose answers are lost makes each worker once, and shows them before the lists do', async () => {
    const { ecs, aws, open } = await account({ lagMs: 1_500 });
    aws.strike('cut', 'RunTask', 2);
    const provider = await open();
    const { launched } = await provider.launch(3, 'lost');
    expect(launched).toHaveLength(3);
    expect(ecs.tasks()).toHaveLength(3);
    const states = (await workersOf(provider)).map(({ state, owned }) => [state, owned]);
    expect(states).toEqual([1, 2, 3].map(() => ['requested', true]));
    await eventually(async () => (await provider.list(Date.now())).workers.every(({ state }) => state === 'running'));
  });

  it('repeated after a new revision of the task definition adopts what it made', async () => {
    const { ecs, open } = await account();
    const { launched } = await (await open()).launch(2, 'revision');
    ecs.state.revision = 2;
    const successor = await open();
    expect((await successor.launch(2, 'revision')).launched.sort()).toEqual(launched.sort());
    expect(ecs.tasks()).toHaveLength(2);
    expect((await workersOf(successor)).map(({ outdated }) => outdated)).toEqual([true, true]);
  });

  it('survives a while of throttled calls', async () => {
    const { aws, open } = await account();
    aws.strike('throttle', 'RunTask', 2);
    expect((await (await open()).launch(1, 'slow')).launched).toHaveLength(1);
  });
});

describe('a worker that AWS takes away', () => {
  it.each(['SpotInterruption', 'TerminationNotice'] as const)('by %s is told with its end', async (kind) => {
    const { ecs, open } = await account({ noticeMs: 600_000 });
    const provider = await open();
    const [id = ''] = (await provider.launch(1, 'notice')).launched;
    await eventually(async () => (await provider.list(Date.now())).workers[0]?.state === 'running');
    const [worker] = await workersOf(provider);
    const busy = await bed.occupier.occupyOnceReady(worker?.topic ?? '');
    const beforeMs = Date.now();
    ecs.notice(id, kind);
    const [seen] = (await provider.list(Date.now())).workers;
    expect(seen).toMatchObject({ state: 'draining', leaving: expect.any(String) });
    expect((seen?.endsAtMs ?? 0) - beforeMs).toBeGreaterThan(115_000);
    expect((seen?.endsAtMs ?? 0) - beforeMs).toBeLessThan(125_000);
    await busy.stop();
  });
});

describe('calls', () => {
  it('do not grow with the fleet until a page is full, then by page; nobody who looks costs nothing', async () => {
    const { aws, open } = await account();
    const passes = async (workers: number) => {
      const small = await lean(workers);
      await small.provider.list(Date.now());
      const before = small.aws.calls.length;
      await small.provider.list(Date.now());
      await Promise.all(Array.from({ length: 50 }, () => small.provider.list()));
      return small.aws.calls.length - before;
    };
    expect(await passes(10)).toBe(3);
    expect(await passes(1_000)).toBe(10 + 1 + 10);
    const idle = aws.calls.length;
    await open();
    expect(aws.calls.length).toBe(idle);
  });

  /** Tasks that only seem to run. */
  async function lean(workers: number) {
    const ecs = createFakeEcs({ dir: bed.folder, healthPort: 1, metricsPort: 2, bootMs: 0 });
    for (let index = 0; index < workers; index += 1) await ecs.runByHand();
    const { aws, open } = await bed.account(ecs, capacityOf());
    const provider = await open();
    return { aws, provider };
  }
});

/** Of the configuration. */
const andNothingElse = (_: unknown) => ({});

describe('doctor', () => {
  const ACCOUNTS: [
    what: string,
    lines: RegExp[],
    change: (it: Awaited<ReturnType<typeof account>>) => object,
    options?: Partial<EcsOptions>,
  ][] = [
    [
      'a cluster that does not exist',
      [/^cluster "other" does not exist: correct fleet.capacity.cluster and region$/],
      () => ({ cluster: 'other' }),
    ],
    [
      'a family that does not exist',
      [/could not read task definition nobody: ecs:DescribeTaskDefinition answered ClientException/],
      () => ({ taskDefinition: 'nobody' }),
    ],
    [
      'no such container',
      [/egress:1 has no container "recorder" \(it has "egress"\): correct fleet.capacity.container/],
      () => ({ container: 'recorder' }),
    ],
    [
      'too few cores',
      [/its cpu is 2 cores, and a room composite needs 4: set cpu to 4096 or more/],
      ({ ecs }) => andNothingElse(Object.assign(ecs.state, { cpu: '2048' })),
    ],
    ['no network', [/has network mode awsvpc: set fleet.capacity.network.subnets/], () => ({ network: undefined })],
    [
      'a short stopTimeout on instances',
      [/stopTimeout of container "egress" is 600, and a recording may last 1d.*Set at least 86700/],
      ({ ecs }) => andNothingElse(Object.assign(ecs.state, { stopTimeout: 600 })),
      { onInstances: true },
    ],
    [
      'a capacity provider of another cluster',
      [/stopTimeout/, /"FARGATE_SPOTS" is not one of cluster "media" \(it has FARGATE, FARGATE_SPOT\)/],
      () => ({ strategies: [{ capacityProvider: 'FARGATE_SPOTS' }] }),
    ],
    [
      'no right to stop',
      [/could not use cluster media: ecs:StopTask answered AccessDeniedException.*Allow ecs:StopTask in the policy/],
      ({ aws }) => andNothingElse(aws.strike('deny', 'StopTask')),
    ],
    [
      'no right to look at the cluster',
      [/ecs:DescribeClusters answered AccessDeniedException.*Allow ecs:DescribeClusters/],
      ({ aws }) => andNothingElse(aws.strike('deny', 'DescribeClusters')),
    ],
    [
      'no credentials that AWS knows',
      [/answered UnrecognizedClientException.*Give Reelkit credentials/],
      ({ aws }) =>
        andNothingElse(
          aws.strike(
            new AwsFault('UnrecognizedClientException', 'The security token included in the request is invalid.'),
          ),
        ),
    ],
  ];

  it.each(ACCOUNTS)('names %s, and what to do', async (_, lines, change, options) => {
    const other = await account(options);
    const provider = await other.open(change(other));
    const found = await provider.check();
    expect(found).toHaveLength(lines.length);
    for (const [index, line] of lines.entries()) expect(found[index]).toMatch(line);
  });

  it('warns that Fargate lets nobody finish', async () => {
    const provider = await (await account()).open();
    await provider.check();
    expect(provider.warnings?.()).toEqual([expect.stringMatching(/Fargate ends a task two minutes after/)]);
  });
});
