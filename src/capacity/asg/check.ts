// What keeps Reelkit from running this group, one line each with its remedy. Changes nothing.
import {
  type AutoScalingClient,
  type AutoScalingGroup,
  DescribeLifecycleHooksCommand,
  DescribePoliciesCommand,
  DescribeScheduledActionsCommand,
  type LifecycleHook,
} from '@aws-sdk/client-auto-scaling';
import { messageOf } from '../../common/error-message.ts';
import { formatDuration } from '../../recording/duration.ts';
import { type Action, toCapacityError } from '../aws/errors.ts';
import { FINISH_MS } from '../egress-worker.ts';
import type { Worker } from '../provider.ts';
import type { AsgCapacity } from './config.ts';
import { FLEET_TAG, templateOf } from './instance.ts';
import type { AsgClients, Inventory } from './inventory.ts';

const TERMINATING = 'autoscaling:EC2_INSTANCE_TERMINATING';
/** A hook holds an instance for a hundred heartbeats, and for two days. */
const HOOK_LIMIT_MS = 48 * 3_600_000;
const HEARTBEATS = 100;

export async function findProblems(
  { groups }: AsgClients,
  inventory: Inventory,
  settings: AsgCapacity,
  fleet: string,
): Promise<string[]> {
  let group: AutoScalingGroup;
  try {
    group = await inventory.group();
  } catch (error) {
    return [messageOf(error)];
  }
  const others = await Promise.all([
    linesOf('autoscaling:DescribeLifecycleHooks', settings, async () =>
      hookProblems(await terminationHook(groups, settings), settings),
    ),
    linesOf('autoscaling:DescribePolicies', settings, () => policyProblems(groups, settings)),
    linesOf('autoscaling:DescribeScheduledActions', settings, () => scheduleProblems(groups, settings)),
    linesOf('ec2:DescribeInstances', settings, async () => sizeProblems(await inventory.workers(), settings)),
    linesOf('ec2:DescribeLaunchTemplateVersions', settings, () => inventory.version.get().then(nothing)),
  ]);
  return [...groupProblems(group, settings, fleet), ...new Set(others.flat())];
}

/** Of the group itself. */
export function groupProblems(group: AutoScalingGroup, { group: name }: AsgCapacity, fleet: string): string[] {
  const update = `aws autoscaling update-auto-scaling-group --auto-scaling-group-name ${name}`;
  const suspended = new Set(group.SuspendedProcesses?.map(({ ProcessName }) => ProcessName));
  const isManaged = group.Tags?.some(({ Key }) => Key === 'AmazonECSManaged');
  const tag = group.Tags?.find(({ Key }) => Key === FLEET_TAG);
  const spot = group.MixedInstancesPolicy?.InstancesDistribution;
  const found: [boolean, string][] = [
    [isManaged === true, 'ECS sets its size (tag AmazonECSManaged): use provider ecs, or a group of its own'],
    [group.Operator !== undefined, 'an AWS service runs it (Operator): use a group of its own'],
    [
      group.WarmPoolConfiguration !== undefined,
      `it has a warm pool, from which LaunchInstances takes nothing: aws autoscaling delete-warm-pool --auto-scaling-group-name ${name}; headroomCores keeps a spare`,
    ],
    [
      isMixed(spot),
      'its policy mixes On-Demand and Spot, which LaunchInstances refuses: all of one, or two groups with a fleet each',
    ],
    [
      templateOf(group) === undefined,
      'it has no launch template, which LaunchInstances needs: give it one in place of its launch configuration',
    ],
    [
      (group.MinSize ?? 0) > 0,
      `its MinSize is ${group.MinSize}, below which AWS ends no instance: ${update} --min-size 0; fleet.minWorkers keeps some`,
    ],
    [
      group.NewInstancesProtectedFromScaleIn !== true,
      `its instances are not protected from scale-in: ${update} --new-instances-protected-from-scale-in`,
    ],
    [
      !suspended.has('AZRebalance'),
      `it moves instances between zones, recordings or not: aws autoscaling suspend-processes --auto-scaling-group-name ${name} --scaling-processes AZRebalance`,
    ],
    ...(['Launch', 'Terminate'] as const).map((process): [boolean, string] => [
      suspended.has(process),
      `its process ${process} is suspended: aws autoscaling resume-processes --auto-scaling-group-name ${name} --scaling-processes ${process}`,
    ]),
    [
      tag?.Value !== fleet || tag.PropagateAtLaunch !== true,
      `its instances do not get the tag ${FLEET_TAG}=${fleet}, so that none of them is Reelkit's: aws autoscaling create-or-update-tags --tags ` +
        `ResourceId=${name},ResourceType=auto-scaling-group,Key=${FLEET_TAG},Value=${fleet},PropagateAtLaunch=true`,
    ],
  ];
  return found.flatMap(([isSo, line]) => (isSo ? [`Auto Scaling group "${name}": ${line}`] : []));
}

function isMixed(
  spot: { OnDemandPercentageAboveBaseCapacity?: number; OnDemandBaseCapacity?: number } | undefined,
): boolean {
  if (!spot) return false;
  const { OnDemandPercentageAboveBaseCapacity: percent = 100, OnDemandBaseCapacity: base = 0 } = spot;
  return percent < 100 && (percent > 0 || base > 0);
}

export async function terminationHook(
  groups: AutoScalingClient,
  { group }: AsgCapacity,
): Promise<LifecycleHook | undefined> {
  const { LifecycleHooks = [] } = await groups.send(new DescribeLifecycleHooksCommand({ AutoScalingGroupName: group }));
  return LifecycleHooks.find(({ LifecycleTransition }) => LifecycleTransition === TERMINATING);
}

export function hookProblems(hook: LifecycleHook | undefined, { group, longestRecording }: AsgCapacity): string[] {
  const put = (seconds: number) =>
    `aws autoscaling put-lifecycle-hook --auto-scaling-group-name ${group} --lifecycle-hook-name ${hook?.LifecycleHookName ?? 'reelkit'} ` +
    `--lifecycle-transition ${TERMINATING} --heartbeat-timeout ${seconds} --default-result CONTINUE`;
  const neededMs = longestRecording + FINISH_MS;
  const seconds = Math.max(3_600, Math.ceil(neededMs / 1_000 / HEARTBEATS));
  if (!hook)
    return [
      `Auto Scaling group "${group}" has no termination hook, so every end takes its recordings along: ${put(seconds)}`,
    ];
  const heldMs = Math.min(HOOK_LIMIT_MS, (hook.HeartbeatTimeout ?? 0) * 1_000 * HEARTBEATS);
  if (heldMs >= neededMs) return [];
  return [
    `Auto Scaling group "${group}": its termination hook holds an instance for ${formatDuration(heldMs)} at most, and a recording may last ` +
      `${formatDuration(longestRecording)}: ${put(seconds)}, or lower fleet.capacity.longestRecording`,
  ];
}

/** What admission counts there is what the machine has. */
function sizeProblems(workers: readonly Worker[], { group, coresPerWorker }: AsgCapacity): string[] {
  const other = workers.find(({ owned, state, cpuCores }) => owned && state !== 'gone' && cpuCores !== coresPerWorker);
  if (!other) return [];
  return [
    `Auto Scaling group "${group}": its instances have ${other.cpuCores} vCPUs, and fleet.capacity.coresPerWorker says ${coresPerWorker}: correct it, or the instance type`,
  ];
}

async function policyProblems(groups: AutoScalingClient, { group }: AsgCapacity): Promise<string[]> {
  const { ScalingPolicies = [] } = await groups.send(new DescribePoliciesCommand({ AutoScalingGroupName: group }));
  return ScalingPolicies.filter(({ Enabled }) => Enabled !== false).map(
    ({ PolicyName }) =>
      `Auto Scaling group "${group}": scaling policy "${PolicyName}" sets its size, too: aws autoscaling delete-policy --auto-scaling-group-name ${group} --policy-name ${PolicyName}`,
  );
}

async function scheduleProblems(groups: AutoScalingClient, { group }: AsgCapacity): Promise<string[]> {
  const { ScheduledUpdateGroupActions = [] } = await groups.send(
    new DescribeScheduledActionsCommand({ AutoScalingGroupName: group }),
  );
  return ScheduledUpdateGroupActions.map(
    ({ ScheduledActionName: name }) =>
      `Auto Scaling group "${group}": scheduled action "${name}" sets its size, too: aws autoscaling delete-scheduled-action --auto-scaling-group-name ${group} --scheduled-action-name ${name}`,
  );
}

const nothing = (): string[] => [];

async function linesOf(action: Action, { group }: AsgCapacity, ask: () => Promise<string[]>): Promise<string[]> {
  return ask().catch((error: unknown) => [
    toCapacityError(error, action, `look at Auto Scaling group ${group}`).message,
  ]);
}
