// What tasks there are: two lists, and their descriptions by the hundred. AWS's lists lag behind its launches, so what was launched in the
// last minute is asked for by name.
import { DescribeInstancesCommand, type EC2Client } from '@aws-sdk/client-ec2';
import {
  DescribeContainerInstancesCommand,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  type ECSClient,
  paginateListTasks,
  type Task,
} from '@aws-sdk/client-ecs';
import { defined } from '../../common/defined.ts';
import { toCapacityError } from '../aws/errors.ts';
import { createFresh } from '../aws/fresh.ts';
import { createRecent } from '../aws/recent.ts';
import type { Worker } from '../provider.ts';
import type { EcsCapacity } from './config.ts';
import { type Definition, definitionOf } from './definition.ts';
import { type InstanceFacts, idOf, type Reading, workerOf } from './task.ts';

const PAGE = 100;
const DEFINITION_MS = 60_000;
/** ECS shows what has stopped for an hour at least. */
const REMEMBERED_TASKS = 5_000;

export interface Launched {
  topic: string;
  token: string;
  cores: number;
  atMs: number;
}

export interface EcsClients {
  ecs: ECSClient;
  /** Asked for the addresses of instances only. */
  ec2: EC2Client;
}

export type Inventory = ReturnType<typeof createInventory>;

export function createInventory({ ecs, ec2 }: EcsClients, settings: EcsCapacity, fleet: string) {
  const { cluster } = settings;
  const [family = ''] = settings.taskDefinition.split(':');
  const recent = createRecent<Launched>();
  const seenAtMs = new Map<string, number>();
  const ec2Ids = new Map<string, string>();
  const addresses = new Map<string, string>();
  const definition = createFresh(readDefinition, DEFINITION_MS);

  async function readDefinition(): Promise<Definition> {
    const command = new DescribeTaskDefinitionCommand({ taskDefinition: settings.taskDefinition });
    const { taskDefinition = {} } = await ecs.send(command).catch((error: unknown) => {
      throw toCapacityError(error, 'ecs:DescribeTaskDefinition', `read task definition ${settings.taskDefinition}`);
    });
    return definitionOf(taskDefinition, settings);
  }

  async function arnsOf(desiredStatus: 'RUNNING' | 'STOPPED'): Promise<string[]> {
    const found: string[] = [];
    for await (const { taskArns = [] } of paginateListTasks(
      { client: ecs, pageSize: PAGE },
      { cluster, family, desiredStatus },
    ))
      found.push(...taskArns);
    return found;
  }

  async function describe(ids: readonly string[]): Promise<Task[]> {
    const chunks = Array.from({ length: Math.ceil(ids.length / PAGE) }, (_, index) =>
      ids.slice(index * PAGE, (index + 1) * PAGE),
    );
    const answers = await Promise.all(
      chunks.map((tasks) => ecs.send(new DescribeTasksCommand({ cluster, tasks })).catch(failed('ecs:DescribeTasks'))),
    );
    return answers.flatMap(({ tasks = [] }) => tasks);
  }

  async function tasks(): Promise<Task[]> {
    const [running, stopped] = await Promise.all([arnsOf('RUNNING'), arnsOf('STOPPED')]).catch(failed('ecs:ListTasks'));
    const listed = new Set([...running, ...stopped].map(idOf));
    return describe([...listed, ...recent.entries().flatMap(([id]) => (listed.has(id) ? [] : [id]))]);
  }

  /** Of tasks without a network interface of their own: address and state of the instance under each. */
  async function instancesOf(found: readonly Task[]): Promise<Map<string, InstanceFacts>> {
    const arns = new Set(
      found.flatMap(({ containerInstanceArn, lastStatus }) =>
        containerInstanceArn && lastStatus !== 'STOPPED' ? [containerInstanceArn] : [],
      ),
    );
    for (const arn of ec2Ids.keys()) if (!arns.has(arn)) forget(arn);
    if (arns.size === 0) return new Map();
    const containerInstances = [...arns];
    const states = new Map<string, string | undefined>();
    for (let start = 0; start < containerInstances.length; start += PAGE) {
      const command = new DescribeContainerInstancesCommand({
        cluster,
        containerInstances: containerInstances.slice(start, start + PAGE),
      });
      const answer = await ecs.send(command).catch(failed('ecs:DescribeContainerInstances'));
      for (const { containerInstanceArn = '', ec2InstanceId, status } of answer.containerInstances ?? []) {
        states.set(containerInstanceArn, status);
        if (ec2InstanceId) ec2Ids.set(containerInstanceArn, ec2InstanceId);
      }
    }
    await learnAddresses(containerInstances.flatMap((arn) => ec2Ids.get(arn) ?? []));
    return new Map(
      containerInstances.map((arn) => [
        arn,
        { ...defined({ address: addresses.get(ec2Ids.get(arn) ?? '') }), draining: states.get(arn) === 'DRAINING' },
      ]),
    );
  }

  function forget(arn: string): void {
    addresses.delete(ec2Ids.get(arn) ?? '');
    ec2Ids.delete(arn);
  }

  /** They never change. */
  async function learnAddresses(ids: readonly string[]): Promise<void> {
    const unknown = ids.filter((id) => !addresses.has(id));
    if (unknown.length === 0) return;
    const answer = await ec2
      .send(new DescribeInstancesCommand({ InstanceIds: unknown }))
      .catch(failed('ec2:DescribeInstances'));
    for (const { InstanceId = '', PrivateIpAddress } of (answer.Reservations ?? []).flatMap(
      ({ Instances = [] }) => Instances,
    ))
      if (PrivateIpAddress) addresses.set(InstanceId, PrivateIpAddress);
  }

  function failed(action: Parameters<typeof toCapacityError>[1]) {
    return (error: unknown): never => {
      throw toCapacityError(error, action, `list the tasks of family ${family} in cluster ${cluster}`);
    };
  }

  function firstSeenMs(id: string): number {
    const known = seenAtMs.get(id) ?? Date.now();
    seenAtMs.delete(id);
    seenAtMs.set(id, known);
    if (seenAtMs.size > REMEMBERED_TASKS) seenAtMs.delete(seenAtMs.keys().next().value as string);
    return known;
  }

  return {
    definition,
    describe,

    async workers(): Promise<Worker[]> {
      // Later it is only refreshed: a pass must not wait for it.
      const refreshed = definition.get().catch(() => undefined);
      if (!definition.known()) await refreshed;
      const found = await tasks();
      const instances = await instancesOf(found);
      const reading: Reading = {
        fleet,
        settings,
        definition: definition.known(),
        instances,
        firstSeenMs,
      };
      const workers = found.map((task) => workerOf(task, reading));
      const shown = new Set(workers.map(({ id }) => id));
      return [
        ...workers,
        ...recent.entries().flatMap(([id, launched]) => (shown.has(id) ? [] : [unseen(id, launched)])),
      ];
    },

    launched: (id: string, launch: Launched) => recent.add(id, launch),
  };
}

/** ECS does not show it yet. */
function unseen(id: string, { topic, token, cores, atMs }: Launched): Worker {
  return { id, topic, token, state: 'requested', owned: true, launchedAtMs: atMs, cpuCores: cores };
}
