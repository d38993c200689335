// What Reelkit reads out of a task definition: the revision that launches use, the cores of a worker, how long it may finish. Pure.
import type { ContainerDefinition, TaskDefinition } from '@aws-sdk/client-ecs';
import { DEFAULT_COSTS } from '../../fleet/cost.ts';
import { formatDuration } from '../../recording/duration.ts';
import { CPU_REQUEST, FINISH_MS, TOPIC } from '../egress-worker.ts';
import type { EcsCapacity } from './config.ts';

/** What a container gets that asks for nothing: Fargate's default, and that of the agent on instances. */
const DEFAULT_STOP_MS = 30_000;
/** Fargate lets nobody finish for longer. */
const FARGATE_STOP_LIMIT_MS = 120_000;
const UNITS_PER_CORE = 1_024;
const ROOM_COMPOSITE_CORES = DEFAULT_COSTS.roomComposite;

export interface Definition {
  /** The revision. */
  arn: string;
  networkMode: string;
  container: ContainerDefinition | undefined;
  containers: string[];
  /** CPU cores that admission counts; undefined when neither the container nor the task says so. */
  cores: number | undefined;
  stopMs: number;
}

export function definitionOf(task: TaskDefinition, { container: name }: EcsCapacity): Definition {
  const containers = task.containerDefinitions ?? [];
  const container = containers.find((one) => one.name === name);
  const asked = Number(container?.environment?.find((one) => one.name === CPU_REQUEST)?.value);
  const units = Number(task.cpu ?? container?.cpu ?? 0);
  return {
    arn: task.taskDefinitionArn ?? '',
    networkMode: task.networkMode ?? 'bridge',
    container,
    containers: containers.flatMap((one) => (one.name === undefined ? [] : [one.name])),
    cores: asked > 0 ? asked : units > 0 ? units / UNITS_PER_CORE : undefined,
    stopMs: container?.stopTimeout === undefined ? DEFAULT_STOP_MS : container.stopTimeout * 1_000,
  };
}

export function isFargate(strategy: {
  launchType?: string | undefined;
  capacityProvider?: string | undefined;
}): boolean {
  return strategy.launchType === 'FARGATE' || /^FARGATE(_SPOT)?$/.test(strategy.capacityProvider ?? '');
}

/** What a task has after it was told to stop. */
export function stopLimitMs({ stopMs }: Definition, onFargate: boolean): number {
  return onFargate ? Math.min(stopMs, FARGATE_STOP_LIMIT_MS) : stopMs;
}

/** @returns undefined when a drained worker may finish whatever it runs */
export function drainLimitMs(
  definition: Definition,
  { strategies, longestRecording }: EcsCapacity,
): number | undefined {
  const limitMs = stopLimitMs(definition, strategies.some(isFargate));
  return limitMs < longestRecording ? limitMs : undefined;
}

/** What makes launching impossible, or ends badly one day: one line each. */
export function definitionProblems(definition: Definition, settings: EcsCapacity): string[] {
  const { container, containers, cores, networkMode } = definition;
  const name = `task definition ${nameOf(definition.arn)}`;
  if (!container) {
    const has = containers.map((one) => `"${one}"`).join(', ');
    return [`${name} has no container "${settings.container}" (it has ${has}): correct fleet.capacity.container`];
  }
  return [
    ...(cores === undefined
      ? [`${name}: neither the task nor container "${container.name}" says its cpu: set the task's cpu`]
      : []),
    ...(cores !== undefined && cores < ROOM_COMPOSITE_CORES
      ? [
          `${name}: its cpu is ${cores} cores, and a room composite needs ${ROOM_COMPOSITE_CORES}: set cpu to ${ROOM_COMPOSITE_CORES * UNITS_PER_CORE} or more`,
        ]
      : []),
    ...(networkMode === 'awsvpc' && !settings.network
      ? [`${name} has network mode awsvpc: set fleet.capacity.network.subnets and securityGroups`]
      : []),
    ...(networkMode !== 'awsvpc' && settings.network
      ? [`${name} has network mode ${networkMode}: remove fleet.capacity.network, or set the mode to awsvpc`]
      : []),
    ...(mentionsTopic(container) ? [] : [`${name}: container "${container.name}" ${NO_TOPIC}`]),
    ...stopProblems(name, definition, settings),
  ];
}

const NO_TOPIC =
  `gives its workers no topic of their own, so nothing can be sent to them: let its command end the configuration with ` +
  `\`cluster_id: $${TOPIC}\` (docs/aws.md, "The worker's task definition")`;

/** ECS puts no variables into values; a shell in the command does. What an image of one's own does, nobody sees. */
function mentionsTopic({ command = [], entryPoint = [], image = '' }: ContainerDefinition): boolean {
  if (!/(^|\/)livekit\/egress[:@]|\/egress[:@]/.test(image) && command.length === 0) return true;
  return [...entryPoint, ...command].some((text) => text.includes(TOPIC));
}

function stopProblems(name: string, { stopMs, container }: Definition, settings: EcsCapacity): string[] {
  // Nothing busy is ever stopped there; what AWS itself stops goes on elsewhere.
  if (settings.strategies.every(isFargate)) return [];
  const neededMs = settings.longestRecording + FINISH_MS;
  if (stopMs >= neededMs) return [];
  const said = container?.stopTimeout === undefined ? 'is not set (30 s)' : `is ${container.stopTimeout}`;
  return [
    `${name}: stopTimeout of container "${container?.name}" ${said}, and a recording may last ${formatDuration(settings.longestRecording)}: ` +
      `an instance that is drained would cut it off. Set at least ${Math.ceil(neededMs / 1_000)}, or lower fleet.capacity.longestRecording`,
  ];
}

/** `family:revision`. */
export function nameOf(arn: string): string {
  return arn.split('/').at(-1) ?? arn;
}
