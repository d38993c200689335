// ECS as the provider meets it: tasks that are real egress workers, on Fargate or on instances that come when a task waits for one. What
// is documented of it is here: tokens, states and their order, refusals, lists that lag, notices, stops with a time limit.
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  DescribeCapacityProvidersCommandInput,
  DescribeClustersCommandInput,
  DescribeContainerInstancesCommandInput,
  DescribeTaskDefinitionCommandInput,
  DescribeTasksCommandInput,
  ListTasksCommandInput,
  RunTaskCommandInput,
  StopTaskCommandInput,
} from '@aws-sdk/client-ecs';
import { type EgressWorker, startWorker } from '../cluster/kubelet/worker.ts';
import { AwsFault, type Service } from './server.ts';

const ACCOUNT = 'arn:aws:ecs:eu-central-1:123456789012';
/** Fargate lets nobody finish for longer; tests need not wait for it. */
const FARGATE_STOP_LIMIT_MS = 120_000;

export interface EcsOptions {
  /** Working folders and logs. */
  dir: string;
  /** Absent: tasks only seem to run. */
  egressBin?: string;
  /** `EGRESS_CONFIG_BODY` of the task definition, without cluster_id. */
  egressConfig?: string;
  workerEnv?: Readonly<Record<string, string>>;
  /** From PROVISIONING to RUNNING, this long and as much more at random. @default 200 and 0 */
  bootMs?: number;
  jitterMs?: number;
  /** Tasks are on instances of a capacity provider `instances`, one a task, which boot as long again. Otherwise on Fargate. */
  onInstances?: boolean;
  /** Tasks that may run at once; more are refused as Fargate does. */
  maxTasks?: number;
  /** Strategies and launch types that have no capacity. */
  withoutCapacity?: Set<string>;
  /** Lists show what was launched so much later. */
  lagMs?: number;
  /** Between the notice of Spot or retirement and the end. */
  noticeMs?: number;
  healthPort: number;
  metricsPort: number;
}

interface FakeTask {
  id: string;
  arn: string;
  number: number;
  definition: string;
  startedBy: string | undefined;
  environment: { name?: string | undefined; value?: string | undefined }[];
  launchType: 'FARGATE' | 'EC2';
  provider: string | undefined;
  desired: 'RUNNING' | 'STOPPED';
  last: 'PROVISIONING' | 'PENDING' | 'RUNNING' | 'STOPPING' | 'STOPPED';
  version: number;
  createdAtMs: number;
  startedAtMs?: number;
  stoppingAtMs?: number;
  stoppedAtMs?: number;
  stopCode?: string;
  stoppedReason?: string;
  exitCode?: number;
  worker?: EgressWorker;
}

export type FakeEcs = ReturnType<typeof createFakeEcs>;

export function createFakeEcs(options: EcsOptions) {
  const { bootMs = 200, jitterMs = 0, onInstances = false, noticeMs = 2_000, healthPort, metricsPort } = options;
  const tasks = new Map<string, FakeTask>();
  const results = new Map<string, { parameters: string; answer: { tasks: string[]; failures: object[] } }>();
  const takenPorts = new Set<number>();
  const withoutCapacity = options.withoutCapacity ?? new Set<string>();
  const state = {
    revision: 1,
    stopTimeout: onInstances ? 90_000 : 120,
    cpu: '4096',
    container: 'egress',
    lagMs: options.lagMs ?? 0,
    maxTasks: options.maxTasks ?? Infinity,
  };
  let made = 0;

  const clusterArn = `${ACCOUNT}:cluster/media`;
  const definitionArn = (revision = state.revision) => `${ACCOUNT}:task-definition/egress:${revision}`;
  const addressOf = ({ number }: FakeTask) => `127.77.${Math.floor(number / 250)}.${(number % 250) + 1}`;
  const instanceArnOf = ({ id }: FakeTask) => `${ACCOUNT}:container-instance/media/${id}`;
  const isStopped = ({ last }: FakeTask) => last === 'STOPPED';
  const living = () => [...tasks.values()].filter((task) => !isStopped(task));

  function change(task: FakeTask, changes: Partial<FakeTask>): void {
    Object.assign(task, changes, { version: task.version + 1 });
  }

  function find(idOrArn: string): FakeTask | undefined {
    return tasks.get(idOrArn.split('/').at(-1) ?? '');
  }

  /** Its life; each step ends at once when it was asked to stop. */
  async function live(task: FakeTask): Promise<void> {
    const step = (bootMs + Math.random() * jitterMs) / 2;
    // An instance has to boot first.
    await sleep(onInstances ? step * 3 : step);
    if (task.desired === 'RUNNING') change(task, { last: 'PENDING' });
    await sleep(step);
    if (task.desired === 'STOPPED') {
      stopped(task, {});
      return;
    }
    if (options.egressBin) await startEgress(task, options.egressBin);
    change(task, { last: 'RUNNING', startedAtMs: Date.now() });
    const exit = await task.worker?.exit;
    if (exit) stopped(task, { exitCode: exit.exitCode });
  }

  async function startEgress(task: FakeTask, egressBin: string): Promise<void> {
    const dir = options.dir;
    mkdirSync(dir, { recursive: true });
    const topic = task.environment.find(({ name }) => name === 'REELKIT_TOPIC')?.value;
    const body = `${options.egressConfig ?? ''}\n${topic ? `cluster_id: ${topic}\n` : ''}`;
    const environment = task.environment.flatMap(({ name, value }) => (name && value ? [[name, value]] : []));
    task.worker = await startWorker(
      { egressBin, dir, workerEnv: options.workerEnv ?? {}, takenPorts },
      task.id,
      { ...Object.fromEntries(environment), EGRESS_CONFIG_BODY: body },
      { host: addressOf(task), health: healthPort, metrics: metricsPort },
    );
  }

  function stopped(task: FakeTask, { exitCode }: { exitCode?: number }): void {
    if (isStopped(task)) return;
    change(task, {
      desired: 'STOPPED',
      last: 'STOPPED',
      stoppedAtMs: Date.now(),
      stopCode: task.stopCode ?? 'EssentialContainerExited',
      stoppedReason: task.stoppedReason ?? 'Essential container in task exited',
      ...(exitCode === undefined ? {} : { exitCode }),
    });
  }

  function stop(task: FakeTask, stopCode: string, stoppedReason: string, limitMs: number): void {
    if (task.desired === 'STOPPED') return;
    change(task, { desired: 'STOPPED', stopCode, stoppedReason, stoppingAtMs: Date.now() });
    const { worker } = task;
    if (task.last !== 'RUNNING' || !worker) {
      stopped(task, {});
      return;
    }
    worker.term();
    const kill = setTimeout(() => void worker.kill(), limitMs);
    kill.unref();
    void worker.exit.then(() => clearTimeout(kill));
  }

  function run(input: RunTaskCommandInput): string[] | { reason: string } {
    const strategy = input.capacityProviderStrategy?.[0]?.capacityProvider ?? input.launchType ?? 'default';
    if (withoutCapacity.has(strategy)) {
      if (onInstances) return { reason: 'RESOURCE:CPU' };
      return {
        reason: 'Capacity is unavailable at this time. Please try again later or in a different availability zone',
      };
    }
    if (living().length >= state.maxTasks)
      return { reason: 'You’ve reached the limit on the number of vCPUs you can run concurrently' };
    made += 1;
    const id = randomUUID().replaceAll('-', '');
    const task: FakeTask = {
      id,
      arn: `${ACCOUNT}:task/media/${id}`,
      number: made,
      definition: definitionArn(Number(input.taskDefinition?.split(':').at(-1))),
      startedBy: input.startedBy,
      environment: input.overrides?.containerOverrides?.[0]?.environment ?? [],
      launchType: onInstances ? 'EC2' : 'FARGATE',
      provider: input.capacityProviderStrategy?.[0]?.capacityProvider,
      desired: 'RUNNING',
      last: 'PROVISIONING',
      version: 1,
      createdAtMs: Date.now(),
    };
    tasks.set(id, task);
    void live(task);
    return [id];
  }

  function runTask(input: RunTaskCommandInput) {
    const { count = 1, clientToken } = input;
    if (count > 10) throw new AwsFault('InvalidParameterException', 'count must be 10 or less');
    requireCluster(input.cluster);
    if (!onInstances && !input.networkConfiguration)
      throw new AwsFault(
        'InvalidParameterException',
        'Network Configuration must be provided when networkMode awsvpc is specified.',
      );
    const parameters = JSON.stringify({ ...input, clientToken: undefined });
    const known = clientToken === undefined ? undefined : results.get(clientToken);
    if (known && known.parameters !== parameters) {
      const resourceIds = known.answer.tasks.flatMap((id) => find(id)?.arn ?? []);
      throw new AwsFault('ConflictException', 'the token was used with other parameters', 400, { resourceIds });
    }
    if (!known) {
      const answer = { tasks: [] as string[], failures: [] as object[] };
      for (let index = 0; index < count; index += 1) {
        const one = run(input);
        if (Array.isArray(one)) answer.tasks.push(...one);
        else answer.failures.push({ arn: clusterArn, ...one });
      }
      if (clientToken === undefined)
        return { tasks: answer.tasks.map((id) => shown(find(id) as FakeTask)), failures: answer.failures };
      results.set(clientToken, { parameters, answer });
    }
    const { answer } = results.get(clientToken as string) as { answer: { tasks: string[]; failures: object[] } };
    return { tasks: answer.tasks.map((id) => shown(find(id) as FakeTask)), failures: answer.failures };
  }

  function requireCluster(name: string | undefined): void {
    if (name !== 'media') throw new AwsFault('ClusterNotFoundException', 'Cluster not found.');
  }

  const isVisible = ({ createdAtMs }: FakeTask) => Date.now() - createdAtMs >= state.lagMs;

  function listTasks({
    cluster,
    family,
    startedBy,
    desiredStatus = 'RUNNING',
    maxResults = 100,
    nextToken = '0',
  }: ListTasksCommandInput) {
    requireCluster(cluster);
    if (startedBy !== undefined && family !== undefined)
      throw new AwsFault('InvalidParameterException', 'startedBy must be the only filter');
    const found = [...tasks.values()].filter(
      (task) =>
        isVisible(task) && task.desired === desiredStatus && (startedBy === undefined || task.startedBy === startedBy),
    );
    const from = Number(nextToken);
    const page = found.slice(from, from + maxResults);
    return {
      taskArns: page.map(({ arn }) => arn),
      ...(from + maxResults < found.length && { nextToken: String(from + maxResults) }),
    };
  }

  function describeTasks({ cluster, tasks: asked = [] }: DescribeTasksCommandInput) {
    requireCluster(cluster);
    if (asked.length > 100) throw new AwsFault('InvalidParameterException', 'at most 100 tasks');
    const found = asked.map((id) => [id, find(id)] as const);
    const isThere = (task: FakeTask | undefined): task is FakeTask => task !== undefined && isVisible(task);
    return {
      tasks: found.flatMap(([, task]) => (isThere(task) ? [shown(task)] : [])),
      failures: found.flatMap(([arn, task]) => (isThere(task) ? [] : [{ arn, reason: 'MISSING' }])),
    };
  }

  function shown(task: FakeTask) {
    const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1_000);
    const hasHost = task.last !== 'PROVISIONING';
    return {
      taskArn: task.arn,
      clusterArn,
      taskDefinitionArn: task.definition,
      startedBy: task.startedBy,
      group: 'family:egress',
      launchType: task.launchType,
      capacityProviderName: task.provider,
      desiredStatus: task.desired,
      lastStatus: task.last === 'RUNNING' && task.desired === 'STOPPED' ? 'DEACTIVATING' : task.last,
      cpu: state.cpu,
      version: task.version,
      createdAt: seconds(task.createdAtMs),
      startedAt: seconds(task.startedAtMs),
      stoppingAt: seconds(task.stoppingAtMs),
      stoppedAt: seconds(task.stoppedAtMs),
      stopCode: task.stopCode,
      stoppedReason: task.stoppedReason,
      overrides: { containerOverrides: [{ name: state.container, environment: task.environment }] },
      containers: [
        {
          name: state.container,
          lastStatus: task.last,
          exitCode: task.exitCode,
          networkBindings: [],
          networkInterfaces: [],
        },
      ],
      ...(onInstances && hasHost && { containerInstanceArn: instanceArnOf(task) }),
      ...(!onInstances &&
        hasHost && {
          attachments: [
            {
              type: 'ElasticNetworkInterface',
              status: 'ATTACHED',
              details: [{ name: 'privateIPv4Address', value: addressOf(task) }],
            },
          ],
        }),
    };
  }

  const ecs: Service = {
    name: 'ecs',
    actions: {
      RunTask: runTask,
      ListTasks: listTasks,
      DescribeTasks: describeTasks,
      StopTask({ cluster, task: id = '' }: StopTaskCommandInput) {
        requireCluster(cluster);
        const task = find(id);
        if (!task) throw new AwsFault('InvalidParameterException', 'The referenced task was not found.');
        const limitMs = state.stopTimeout * 1_000;
        stop(
          task,
          'UserInitiated',
          'Task stopped by user',
          onInstances ? limitMs : Math.min(limitMs, FARGATE_STOP_LIMIT_MS),
        );
        return { task: shown(task) };
      },
      DescribeTaskDefinition({ taskDefinition = '' }: DescribeTaskDefinitionCommandInput) {
        const [family, revision = String(state.revision)] = taskDefinition.split(':');
        if (family !== 'egress' || Number(revision) > state.revision)
          throw new AwsFault('ClientException', 'Unable to describe task definition.');
        return {
          taskDefinition: {
            taskDefinitionArn: definitionArn(Number(revision)),
            family,
            revision: Number(revision),
            networkMode: onInstances ? 'host' : 'awsvpc',
            cpu: state.cpu,
            memory: '8192',
            containerDefinitions: [
              {
                name: state.container,
                image: 'livekit/egress:v1.14.0',
                entryPoint: ['/bin/sh', '-c'],
                command: ['EGRESS_CONFIG_BODY="$EGRESS_CONFIG\ncluster_id: $REELKIT_TOPIC" exec /entrypoint.sh'],
                stopTimeout: state.stopTimeout,
              },
            ],
          },
        };
      },
      DescribeClusters({ clusters: asked = [] }: DescribeClustersCommandInput) {
        const isOurs = asked[0] === 'media';
        const capacityProviders = onInstances ? ['instances'] : ['FARGATE', 'FARGATE_SPOT'];
        return {
          clusters: isOurs ? [{ clusterArn, clusterName: 'media', status: 'ACTIVE', capacityProviders }] : [],
          failures: isOurs ? [] : [{ arn: asked[0], reason: 'MISSING' }],
        };
      },
      DescribeCapacityProviders({ capacityProviders = [] }: DescribeCapacityProvidersCommandInput) {
        const autoScalingGroupProvider = {
          autoScalingGroupArn: 'arn:asg',
          managedScaling: { status: 'ENABLED' },
          managedDraining: 'ENABLED',
        };
        return {
          capacityProviders: capacityProviders.map((name) => ({ name, status: 'ACTIVE', autoScalingGroupProvider })),
          failures: [],
        };
      },
      DescribeContainerInstances({ containerInstances = [] }: DescribeContainerInstancesCommandInput) {
        const found = containerInstances.flatMap((arn) => find(arn) ?? []);
        return {
          containerInstances: found.map((task) => ({
            containerInstanceArn: instanceArnOf(task),
            ec2InstanceId: ec2IdOf(task),
            status: task.stopCode === 'SpotInterruption' ? 'DRAINING' : 'ACTIVE',
          })),
          failures: [],
        };
      },
    },
  };

  const ec2: Service = {
    name: 'ec2',
    actions: {
      DescribeInstances({ InstanceIds = [] }: { InstanceIds?: string[] }) {
        const found = [...tasks.values()].filter((task) => InstanceIds.includes(ec2IdOf(task)));
        return {
          Reservations: [
            { Instances: found.map((task) => ({ InstanceId: ec2IdOf(task), PrivateIpAddress: addressOf(task) })) },
          ],
        };
      },
    },
  };

  function ec2IdOf({ number }: FakeTask): string {
    return `i-${number.toString(16).padStart(17, '0')}`;
  }

  return {
    services: [ecs, ec2],
    /** What may change: revision, stopTimeout, cpu, container, lagMs, maxTasks. */
    state,
    withoutCapacity,
    tasks: () =>
      [...tasks.values()].map(({ id, last, desired, startedBy, stopCode, definition, worker, provider }) => ({
        id,
        last,
        desired,
        startedBy,
        stopCode,
        definition,
        provider,
        pid: worker?.pid,
      })),
    /** As a person would run one. @returns its id */
    async runByHand(): Promise<string> {
      const [id = ''] = run({ taskDefinition: definitionArn(), cluster: 'media' }) as string[];
      return id;
    },
    /** As when its machine dies. */
    async crash(id: string): Promise<void> {
      await tasks.get(id)?.worker?.kill();
    },
    notice(id: string, kind: 'SpotInterruption' | 'TerminationNotice'): void {
      const task = tasks.get(id);
      if (task)
        stop(
          task,
          kind,
          kind === 'SpotInterruption'
            ? 'Your Spot Task was interrupted.'
            : 'ECS is performing maintenance on the underlying infrastructure hosting the task',
          noticeMs,
        );
    },
    async close(): Promise<void> {
      for (const task of tasks.values()) {
        task.desired = 'STOPPED';
        await task.worker?.kill();
      }
    },
  };
}
