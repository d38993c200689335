// Workers as standalone tasks of ECS. Reelkit runs each task itself and stops exactly the one it chose: no service stands between them
// that would choose another or replace it (docs/decisions.md, "ECS and Auto Scaling groups").
import { EC2Client } from '@aws-sdk/client-ec2';
import {
  ConflictException,
  ECSClient,
  paginateListTasks,
  RunTaskCommand,
  StopTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import { defined } from '../../common/defined.ts';
import { clientOptions } from '../aws/clients.ts';
import { toCapacityError } from '../aws/errors.ts';
import { CPU_REQUEST, TOPIC, UNKNOWN_CORES } from '../egress-worker.ts';
import type { ProviderContext } from '../kind.ts';
import { launchAll } from '../launch-all.ts';
import { CapacityError, type CapacityProvider } from '../provider.ts';
import { findProblems, warningsOf } from './check.ts';
import type { EcsCapacity, EcsStrategy } from './config.ts';
import { type Definition, definitionProblems, drainLimitMs } from './definition.ts';
import { failureOf } from './failures.ts';
import { createInventory } from './inventory.ts';
import { clientToken, startedBy, tokenOf, workerName } from './names.ts';
import { idOf } from './task.ts';

/** AWS takes 40 RunTask a second of an account, 20 on Fargate; each lasts about a second there. */
const LAUNCHES_AT_ONCE = 20;
const LIST_MS = 3_000;
/** Pulling the image, on a machine that runs. */
const BOOT_MS = 60_000;

export function createEcsProvider(settings: EcsCapacity, { fleet, log }: ProviderContext): CapacityProvider {
  const options = clientOptions(settings);
  const clients = { ecs: new ECSClient(options), ec2: new EC2Client(options) };
  const { ecs } = clients;
  const { cluster, strategies } = settings;
  const inventory = createInventory(clients, settings, fleet);

  return {
    kind: 'ecs',

    get limits() {
      const definition = inventory.definition.known();
      return {
        coresPerWorker: definition?.cores ?? UNKNOWN_CORES,
        listEveryMs: LIST_MS,
        bootMs: BOOT_MS,
        ...defined({ drainLimitMs: definition && drainLimitMs(definition, settings) }),
      };
    },

    async list() {
      const asOfMs = Date.now();
      return { workers: await inventory.workers(), asOfMs };
    },

    async launch(count, token) {
      const definition = await usableDefinition();
      const earlier = strategies.length > 1 ? await launchedBefore(token) : new Map<string, string>();
      const ids = new Map<string, string>();
      const { launched, problems } = await launchAll({
        ids: Array.from({ length: count }, (_, index) => workerName(fleet, token, index + 1)),
        atOnce: LAUNCHES_AT_ONCE,
        launch: async (name) => ids.set(name, earlier.get(name) ?? (await launchOne(definition, name, token))),
        toError: (error) => toCapacityError(error, 'ecs:RunTask', `launch workers in cluster ${cluster}`),
      });
      return { launched: launched.flatMap((name) => ids.get(name) ?? []), problems };
    },

    drain: stopOwn,
    // ECS has no force: whoever was asked to stop has the container's stopTimeout.
    remove: stopOwn,

    check: () => findProblems(clients, inventory, settings),
    warnings: () => warningsOf(inventory.definition.known(), settings),

    async close() {
      clients.ecs.destroy();
      clients.ec2.destroy();
    },
  };

  /** @throws CapacityError of kind `configuration` when no worker can be made from it */
  async function usableDefinition(): Promise<Definition> {
    const definition = await inventory.definition.get();
    const problems = definitionProblems(definition, { ...settings, longestRecording: 0 });
    if (problems.length > 0) throw new CapacityError('configuration', problems.join('; '));
    return definition;
  }

  /** The first strategy with capacity. @returns the task's id */
  async function launchOne(definition: Definition, name: string, token: string): Promise<string> {
    let refused: CapacityError | undefined;
    for (const [attempt, strategy] of strategies.entries()) {
      try {
        const id = await runTask(definition, strategy, { name, token, attempt });
        inventory.launched(id, { topic: name, token, cores: definition.cores ?? UNKNOWN_CORES, atMs: Date.now() });
        return id;
      } catch (error) {
        refused = toCapacityError(error, 'ecs:RunTask', `launch a worker in cluster ${cluster}`);
        if (refused.kind !== 'no_capacity') throw refused;
        log?.info({ worker: name, strategy, problem: refused.code }, 'no capacity: the next strategy is tried');
      }
    }
    throw refused;
  }

  async function runTask(
    definition: Definition,
    strategy: EcsStrategy,
    { name, token, attempt }: { name: string; token: string; attempt: number },
  ): Promise<string> {
    const { launchType, capacityProvider } = strategy;
    const { network } = settings;
    const command = new RunTaskCommand({
      cluster,
      count: 1,
      taskDefinition: definition.arn,
      clientToken: clientToken(name, attempt),
      startedBy: startedBy(fleet, token),
      ...defined({ launchType }),
      ...(capacityProvider !== undefined && { capacityProviderStrategy: [{ capacityProvider }] }),
      ...(network && {
        networkConfiguration: {
          awsvpcConfiguration: {
            subnets: network.subnets,
            securityGroups: network.securityGroups,
            assignPublicIp: network.assignPublicIp ? 'ENABLED' : 'DISABLED',
          },
        },
      }),
      overrides: {
        containerOverrides: [
          {
            name: settings.container,
            environment: [
              { name: TOPIC, value: name },
              { name: CPU_REQUEST, value: String(definition.cores ?? UNKNOWN_CORES) },
            ],
          },
        ],
      },
    });
    try {
      const { tasks: [task] = [], failures: [failure] = [] } = await ecs.send(command);
      if (task) return idOf(task.taskArn);
      throw failureOf(failure, `launch a worker in cluster ${cluster}`);
    } catch (error) {
      // The same launch, repeated after the settings have changed: what it made then is there.
      const [made] = error instanceof ConflictException ? (error.resourceIds ?? []) : [];
      if (made === undefined) throw error;
      return idOf(made);
    }
  }

  /** Of an earlier try of this launch, by name: a strategy that had no capacity then may have some now. */
  async function launchedBefore(token: string): Promise<Map<string, string>> {
    const taskArns: string[] = [];
    try {
      for await (const page of paginateListTasks({ client: ecs }, { cluster, startedBy: startedBy(fleet, token) }))
        taskArns.push(...(page.taskArns ?? []));
    } catch (error) {
      throw toCapacityError(error, 'ecs:ListTasks', `look for earlier tries in cluster ${cluster}`);
    }
    const found = await inventory.describe(taskArns);
    return new Map(found.map((task) => [topicOf(task), idOf(task.taskArn)]));
  }

  function topicOf({ overrides }: Task): string {
    const { environment = [] } = overrides?.containerOverrides?.find(({ name }) => name === settings.container) ?? {};
    return environment.find(({ name }) => name === TOPIC)?.value ?? '';
  }

  /** Gone, unknown, or somebody else's: nothing to do. */
  async function stopOwn(id: string): Promise<void> {
    const [task] = await inventory.describe([id]);
    if (!task || tokenOf(fleet, task.startedBy) === undefined || task.desiredStatus === 'STOPPED') return;
    try {
      await ecs.send(new StopTaskCommand({ cluster, task: id, reason: 'Reelkit: idle, no longer needed' }));
    } catch (error) {
      const [now] = await inventory.describe([id]);
      if (!now || now.desiredStatus === 'STOPPED') return;
      throw toCapacityError(error, 'ecs:StopTask', `stop task ${id}`);
    }
  }
}
