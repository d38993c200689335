// A burst on ECS and on an Auto Scaling group of the tests' own AWS: from nothing to all recording, half of them ended, and back to nothing.
// What is counted is what must never happen, how long a recording waits for the call that launches its worker, and what a pass asks of AWS.
import { setTimeout as sleep } from 'node:timers/promises';
import { capacitySettings, createCapacity } from '../src/capacity/registry.ts';
import { createFakeAutoScaling } from '../test/support/aws/autoscaling.ts';
import { createFakeEcs } from '../test/support/aws/ecs.ts';
import { startFakeAws } from '../test/support/aws/server.ts';
import { type AccountOptions, NOBODY } from '../test/support/stack-account.ts';
import { type Bed, startBed, until } from './bed.ts';
import type { Bench } from './context.ts';
import { countRow, describe, everyOther, recordCrowd, stopMany } from './crowd.ts';
import { percentile } from './figures.ts';
import type { Row } from './rows.ts';

const BURST = 100;
/** 10 s, give or take 5. */
const BOOT = { bootMs: 5_000, jitterMs: 10_000 };
/** An audio-only egress costs one core; a busy worker of four takes three. */
const CORES_PER_WORKER = 4;
const WAIT_LIMIT_MS = 1_000;
/** Those that have nothing left go; there may be none. */
const SHRINK_LIMIT_MS = 20_000;
const PASS_WORKERS = [10, 1_000] as const;

type Kind = 'ecs' | 'asg';
const ACCOUNTS: Record<Kind, AccountOptions> = {
  ecs: { ecs: { ...BOOT, strategies: [{ capacityProvider: 'FARGATE' }] } },
  asg: { asg: BOOT },
};
/** The call that launches, and how many workers it asks for; the call that ends one, and which. */
const CALLS = {
  ecs: { launch: 'RunTask', count: () => 1, end: 'StopTask', victim: 'task' },
  asg: {
    launch: 'LaunchInstances',
    count: (input: Record<string, unknown>) => Number(input.RequestedCapacity),
    end: 'TerminateInstanceInAutoScalingGroup',
    victim: 'InstanceId',
  },
} as const;

export const benchEcs = (bench: Bench) => benchKind('ecs', bench);
export const benchAsg = (bench: Bench) => benchKind('asg', bench);

async function benchKind(kind: Kind, { report, times }: Bench): Promise<Row[]> {
  const passes = await callsPerPass(kind);
  const bed = await startBed({
    fleet: { minWorkers: 0, maxWorkers: 60, cooldown: '3s', watchInterval: '5s' },
    capacity: { account: ACCOUNTS[kind] },
  });
  try {
    return [...(await measureBurst(kind, bed, times(BURST), report)), passes];
  } finally {
    await bed.stop();
  }
}

async function measureBurst(kind: Kind, bed: Bed, size: number, report: (line: string) => void): Promise<Row[]> {
  const { workers } = bed.account;
  const rooms = await bed.createRooms(size, 'crowd');
  const crowd = await recordCrowd(bed, rooms, { pollMs: 1_000, untilAll: true });
  const full = workers().length;
  report(`${kind}: ${describe(crowd)}; all record after ${Math.max(...crowd.lastedMs)} ms on ${full} workers`);
  const views = await Promise.all(crowd.ids.map((id) => bed.show(id)));
  const waits = waitsOf(
    kind,
    bed,
    views.map(({ requestedAtMs }) => requestedAtMs),
  );
  await stopMany(bed, everyOther(crowd.ids, 0));
  await until(
    'some idle workers to go',
    async () => workers().length,
    (left) => left < full,
    SHRINK_LIMIT_MS,
  ).catch(() => undefined);
  const half = workers().length;
  await stopMany(bed, everyOther(crowd.ids, 1));
  await until(
    'no worker',
    async () => workers().length,
    (left) => left === 0,
  );
  const busy = await busyEnded(kind, bed, crowd.ids);
  const idle = await lookWhileIdle(bed);
  const how = `${size} SDK calls at once from no worker, boot 10 s ± 5 s; ${full} workers, ${half} once half had ended, then none`;
  return [
    countRow(`aws_burst_lost_${kind}`, crowd.lost, '', how),
    countRow(`aws_burst_doubled_${kind}`, crowd.doubled, '', 'rooms with more than one egress'),
    {
      ...countRow(`aws_busy_removed_${kind}`, busy, '', 'workers that were ended while a recording ran on them'),
      unit: 'workers',
    },
    {
      id: `aws_waiting_to_launch_ms_${kind}`,
      value: percentile(waits, 0.95),
      unit: 'ms',
      against: '',
      target: `≤ ${WAIT_LIMIT_MS}`,
      holds: percentile(waits, 0.95) <= WAIT_LIMIT_MS,
      how: `p95: from a recording's acceptance to the call that launches its worker, three to a worker, in order`,
    },
    {
      ...countRow(
        `aws_idle_calls_${kind}`,
        idle.calls,
        '',
        `calls to AWS in ${Math.round(idle.ms / 1_000)} s of a fleet with nothing to do`,
      ),
      unit: 'calls',
    },
  ];
}

/** The nth worker that is launched is for the recordings that came as 3n-2 to 3n. */
function waitsOf(kind: Kind, bed: Bed, requestedAtMs: number[]): number[] {
  const { launch, count } = CALLS[kind];
  const launches = bed.account.aws.calls
    .filter(({ action }) => action === launch)
    .flatMap(({ atMs, input }) => Array.from({ length: count(input) }, () => atMs));
  return requestedAtMs
    .toSorted((a, b) => a - b)
    .map((atMs, index) => Math.max(0, (launches[Math.floor(index / (CORES_PER_WORKER - 1))] ?? Number.NaN) - atMs))
    .filter((ms) => !Number.isNaN(ms));
}

async function busyEnded(kind: Kind, bed: Bed, ids: readonly string[]): Promise<number> {
  const parts = (await Promise.all(ids.map((id) => bed.show(id)))).flatMap((view) => view.parts);
  const { end, victim } = CALLS[kind];
  return bed.account.aws.calls.filter(({ action, input, atMs }) => {
    const runs = ({ worker, startedAtMs = Infinity, endedAtMs = Infinity }: (typeof parts)[number]) =>
      worker?.id === input[victim] && startedAtMs <= atMs && atMs < endedAtMs;
    return action === end && parts.some(runs);
  }).length;
}

const IDLE_MS = 20_000;
/** What a fleet still looks at when its last worker has gone comes first. */
const SETTLE_MS = 10_000;

async function lookWhileIdle({ account: { aws } }: Bed): Promise<{ calls: number; ms: number }> {
  const sinceLastMs = async () => Date.now() - (aws.calls.at(-1)?.atMs ?? 0);
  await until('the last look', sinceLastMs, (sinceMs) => sinceMs > SETTLE_MS);
  const [before, sinceMs] = [aws.calls.length, Date.now()];
  await sleep(IDLE_MS);
  return { calls: aws.calls.length - before, ms: Date.now() - sinceMs };
}

/** Workers that only seem to run. */
async function callsPerPass(kind: Kind): Promise<Row> {
  const [few, many] = await Promise.all(PASS_WORKERS.map((workers) => callsWith(kind, workers)));
  const [small, large] = [few ?? Number.NaN, many ?? Number.NaN];
  const pages = kind === 'ecs' ? 'lists and descriptions by pages of a hundred' : 'two calls, and a page a thousand';
  const most = kind === 'ecs' ? PASS_WORKERS[1] / PASS_WORKERS[0] : 1;
  return {
    id: `aws_calls_per_pass_${kind}`,
    value: large / small,
    unit: '',
    against: `${small} calls with ${PASS_WORKERS[0]} workers, ${large} with ${PASS_WORKERS[1]}`,
    target: 'pages only',
    holds: large / small <= most,
    how: pages,
  };
}

async function callsWith(kind: Kind, workers: number): Promise<number> {
  Object.assign(process.env, NOBODY);
  const lean = { dir: '', healthPort: 1, metricsPort: 2, bootMs: 0 };
  const ecs = createFakeEcs(lean);
  const asg = createFakeAutoScaling(lean);
  for (let made = 0; made < workers; made += 1) kind === 'ecs' ? await ecs.runByHand() : asg.attach();
  const aws = await startFakeAws(kind === 'ecs' ? ecs.services : asg.services);
  const settings = capacitySettings.parse(
    kind === 'ecs'
      ? {
          provider: 'ecs',
          endpoint: aws.url,
          cluster: 'media',
          taskDefinition: 'egress',
          strategies: [{ launchType: 'EC2' }],
        }
      : { provider: 'asg', endpoint: aws.url, group: asg.group, coresPerWorker: CORES_PER_WORKER },
  );
  const provider = await createCapacity(settings, { fleet: 'default', askWorker: async () => 'idle' });
  await provider.list(Date.now());
  const before = aws.calls.length;
  await provider.list(Date.now() + 1);
  const calls = aws.calls.length - before;
  await provider.close?.();
  await aws.close();
  return calls;
}
