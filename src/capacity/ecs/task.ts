// One task of ECS as a worker: its state, why it is not running, where it answers, and when it is ended. Pure.
import type { Container, Task } from '@aws-sdk/client-ecs';
import { defined } from '../../common/defined.ts';
import { CPU_REQUEST, TOPIC } from '../egress-worker.ts';
import type { Worker } from '../provider.ts';
import type { EcsCapacity } from './config.ts';
import { type Definition, isFargate, nameOf, stopLimitMs } from './definition.ts';
import { tokenOf } from './names.ts';

/** Spot and retirement give so long, whatever the container asks for. */
const NOTICE_MS = 120_000;
const NOTICES: Record<string, string> = {
  SpotInterruption: 'AWS takes its Spot capacity back',
  TerminationNotice: 'AWS takes the machine under it away',
  InfrastructureHealth: 'the machine under it is not well',
};

export interface Reading {
  fleet: string;
  settings: EcsCapacity;
  definition: Definition | undefined;
  /** Private addresses of container instances, by ARN; their state. */
  instances: ReadonlyMap<string, InstanceFacts>;
  /** When each task was seen first, by id. */
  firstSeenMs(id: string): number;
}

export interface InstanceFacts {
  address?: string | undefined;
  /** Nothing new is placed there. */
  draining: boolean;
}

export function idOf(arn: string | undefined): string {
  return nameOf(arn ?? '');
}

export function workerOf(task: Task, reading: Reading): Worker {
  const { fleet, settings, definition, instances } = reading;
  const id = idOf(task.taskArn);
  const token = tokenOf(fleet, task.startedBy);
  const container = task.containers?.find(({ name }) => name === settings.container);
  const variables =
    task.overrides?.containerOverrides?.find(({ name }) => name === settings.container)?.environment ?? [];
  const variable = (name: string) => variables.find((one) => one.name === name)?.value;
  const instance = instances.get(task.containerInstanceArn ?? '');
  const state = stateOf(task);
  const leaving = state === 'gone' ? undefined : leavingOf(task, instance);
  return {
    id,
    state,
    owned: token !== undefined,
    launchedAtMs: Math.min(reading.firstSeenMs(id), task.createdAt?.getTime() ?? Infinity),
    cpuCores: Number(variable(CPU_REQUEST)) || definition?.cores || Number(task.cpu ?? 0) / 1_024,
    ...defined({
      token,
      topic: variable(TOPIC),
      reason: reasonOf(task, container, token !== undefined),
      leaving,
      endsAtMs: endsAtMs(task, state, definition),
    }),
    ...addresses(task, container, instance, settings),
    ...(isOutdated(task, reading) && { outdated: true }),
  };
}

function stateOf({ desiredStatus, lastStatus = '' }: Task): Worker['state'] {
  if (lastStatus === 'STOPPED' || lastStatus === 'DELETED') return 'gone';
  if (desiredStatus === 'STOPPED') return 'draining';
  if (lastStatus === 'RUNNING') return 'running';
  return lastStatus === 'PROVISIONING' ? 'requested' : 'booting';
}

function isOutdated({ taskDefinitionArn }: Task, { definition }: Reading): boolean {
  return definition !== undefined && taskDefinitionArn !== undefined && taskDefinitionArn !== definition.arn;
}

function leavingOf({ stopCode }: Task, instance: InstanceFacts | undefined): string | undefined {
  return NOTICES[stopCode ?? ''] ?? (instance?.draining ? 'its instance is being drained' : undefined);
}

function endsAtMs(task: Task, state: Worker['state'], definition: Definition | undefined): number | undefined {
  const sinceMs = task.stoppingAt?.getTime();
  if (state !== 'draining' || sinceMs === undefined || !definition) return undefined;
  if (task.stopCode !== undefined && task.stopCode in NOTICES) return sinceMs + NOTICE_MS;
  const fargate = isFargate({ launchType: task.launchType, capacityProvider: task.capacityProviderName });
  return sinceMs + stopLimitMs(definition, fargate);
}

const WAITS: Record<string, string> = {
  PROVISIONING: 'waits for a place: its network, or an instance with room (PROVISIONING)',
  PENDING: 'its image is pulled, or its host prepares it (PENDING)',
  ACTIVATING: 'is about to run (ACTIVATING)',
};

function reasonOf(task: Task, container: Container | undefined, owned: boolean): string | undefined {
  const { stopCode, stoppedReason, lastStatus = '' } = task;
  const exit = container?.exitCode === undefined ? undefined : `exit code ${container.exitCode}`;
  const ended = [stopCode, stoppedReason, container?.reason, exit].filter(Boolean).join(': ');
  const words = ended || WAITS[lastStatus];
  if (owned) return words;
  return ['not launched by Reelkit', words].filter(Boolean).join('; ');
}

function addresses(
  task: Task,
  container: Container | undefined,
  instance: InstanceFacts | undefined,
  { healthPort, metricsPort }: EcsCapacity,
): Pick<Worker, 'healthUrl' | 'metricsUrl'> {
  const own = ownAddress(task, container);
  const host = own ?? instance?.address;
  if (host === undefined) return {};
  const at = (port: number) => {
    const bound = container?.networkBindings?.find(({ containerPort }) => containerPort === port)?.hostPort;
    return `http://${host}:${own === undefined ? (bound ?? port) : port}`;
  };
  return { healthUrl: `${at(healthPort)}/`, metricsUrl: `${at(metricsPort)}/metrics` };
}

/** Of its network interface, with network mode awsvpc. */
function ownAddress({ attachments = [] }: Task, container: Container | undefined): string | undefined {
  const detail = attachments.flatMap(({ details = [] }) => details).find(({ name }) => name === 'privateIPv4Address');
  return detail?.value ?? container?.networkInterfaces?.[0]?.privateIpv4Address;
}
