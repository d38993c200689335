// What keeps Reelkit from launching tasks in this cluster, one line each with its remedy. Changes nothing.
import {
  type Cluster,
  DescribeCapacityProvidersCommand,
  DescribeClustersCommand,
  type ECSClient,
  ListTasksCommand,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';
import { messageOf } from '../../common/error-message.ts';
import { type Action, codeOf, toCapacityError } from '../aws/errors.ts';
import { CapacityError } from '../provider.ts';
import type { EcsCapacity } from './config.ts';
import { type Definition, definitionProblems, isFargate } from './definition.ts';
import type { EcsClients, Inventory } from './inventory.ts';

/** No task has it: asked to stop it, ECS says whether Reelkit might. */
const NOBODY = '00000000000000000000000000000000';

export async function findProblems(
  { ecs }: EcsClients,
  inventory: Inventory,
  settings: EcsCapacity,
): Promise<string[]> {
  const { cluster, region } = settings;
  let found: Cluster | undefined;
  try {
    [found] = (await ecs.send(new DescribeClustersCommand({ clusters: [cluster] }))).clusters ?? [];
  } catch (error) {
    return asLine(toCapacityError(error, 'ecs:DescribeClusters', `look at cluster ${cluster}`));
  }
  if (found?.status !== 'ACTIVE') {
    const what = found ? `is ${found.status}` : `does not exist${region ? ` in region ${region}` : ''}`;
    return [`cluster "${cluster}" ${what}: correct fleet.capacity.cluster and region`];
  }
  const problems = await Promise.all([
    inventory.definition.get().then((definition) => definitionProblems(definition, settings), asLine),
    strategyProblems(ecs, found, settings),
    permissionProblems(ecs, settings),
  ]);
  return problems.flat();
}

async function strategyProblems(
  ecs: ECSClient,
  found: Cluster,
  { cluster, strategies }: EcsCapacity,
): Promise<string[]> {
  const names = strategies.flatMap(({ capacityProvider = [] }) => capacityProvider);
  const associated = found.capacityProviders ?? [];
  const strangers = names.filter((name) => !associated.includes(name));
  const own = names.filter((name) => associated.includes(name) && !isFargate({ capacityProvider: name }));
  return [
    ...strangers.map(
      (name) =>
        `capacity provider "${name}" is not one of cluster "${cluster}" (it has ${associated.join(', ') || 'none'}): associate it, or correct fleet.capacity.strategies`,
    ),
    ...(own.length > 0 ? await providerProblems(ecs, own) : []),
  ];
}

async function providerProblems(ecs: ECSClient, capacityProviders: string[]): Promise<string[]> {
  const command = new DescribeCapacityProvidersCommand({ capacityProviders });
  const answer = await ecs
    .send(command)
    .catch((error: unknown) =>
      toCapacityError(error, 'ecs:DescribeCapacityProviders', 'look at the capacity providers'),
    );
  if (answer instanceof CapacityError) return asLine(answer);
  const { capacityProviders: found = [] } = answer;
  return found.flatMap(({ name, autoScalingGroupProvider: group }) => [
    ...(group && group.managedScaling?.status !== 'ENABLED'
      ? [`capacity provider "${name}": managed scaling is off, so no instance comes for a task that waits: enable it`]
      : []),
    ...(group && group.managedDraining !== 'ENABLED'
      ? [
          `capacity provider "${name}": managed draining is off, so an instance that goes takes its recordings along: enable it`,
        ]
      : []),
  ]);
}

async function permissionProblems(ecs: ECSClient, { cluster }: EcsCapacity): Promise<string[]> {
  const list = new ListTasksCommand({ cluster, maxResults: 1 });
  const stop = new StopTaskCommand({ cluster, task: NOBODY });
  const asked: [Action, Promise<unknown>][] = [
    ['ecs:ListTasks', ecs.send(list)],
    ['ecs:StopTask', ecs.send(stop).catch(unlessAllowed)],
  ];
  const found = await Promise.all(
    asked.map(([action, answer]) =>
      answer.then(
        () => [],
        (error: unknown) => asLine(toCapacityError(error, action, `use cluster ${cluster}`)),
      ),
    ),
  );
  return found.flat();
}

/** That there is no such task says that asking is allowed. */
function unlessAllowed(error: unknown): void {
  if (codeOf(error) !== 'InvalidParameterException') throw error;
}

function asLine(error: unknown): string[] {
  return [messageOf(error)];
}

/** What works, and somebody should know of. */
export function warningsOf(definition: Definition | undefined, { strategies }: EcsCapacity): string[] {
  if (!definition || !strategies.some(isFargate)) return [];
  return [
    'Fargate ends a task two minutes after it told it to, whatever it records: no busy one is ever drained, and what AWS itself takes away ' +
      '(retirement, Spot) goes on in a next part on another worker (docs/aws.md, "Fargate")',
  ];
}
