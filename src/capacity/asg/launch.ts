// Launching instances: zone by zone, each call with a token of its own, so that a repeat launches nothing more.
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AutoScalingClient,
  LaunchInstancesCommand,
  type LaunchInstancesError,
} from '@aws-sdk/client-auto-scaling';
import { codeOf, kindOfCode, toCapacityError } from '../aws/errors.ts';
import { CapacityError, type LaunchResult, launchProblemOf } from '../provider.ts';
import type { AsgCapacity } from './config.ts';
import type { Inventory } from './inventory.ts';
import { clientToken, zonesInOrder } from './names.ts';

/** Another process makes the same launch at this moment. */
const IN_PROGRESS = /^IdempotentCallInProgress/;
/** This launch was made before, with other settings or for another number. */
const MADE_BEFORE = /^IdempotentParameterMismatch/;
const IN_PROGRESS_LIMIT_MS = 30_000;
const IN_PROGRESS_STEP_MS = 500;

interface Launched {
  ids: string[];
  problem?: CapacityError;
}

/** @throws CapacityError when none could be launched */
export async function launchInstances(
  { groups, inventory, settings }: { groups: AutoScalingClient; inventory: Inventory; settings: AsgCapacity },
  count: number,
  token: string,
): Promise<LaunchResult> {
  const { AvailabilityZones = [] } = await inventory.group();
  const launched: string[] = [];
  let problem: CapacityError | undefined;
  for (const [attempt, zone] of zonesInOrder(AvailabilityZones, token).entries()) {
    const one = await launchIn(zone, count - launched.length, clientToken(token, attempt));
    for (const id of one.ids) inventory.launched(id, token);
    launched.push(...one.ids);
    problem = one.problem;
    // A zone without capacity has a next one; whatever else is wrong is wrong there, too.
    if (launched.length >= count || problem?.kind !== 'no_capacity') break;
  }
  if (launched.length >= count) return { launched: launched.slice(0, count), problems: [] };
  problem ??= new CapacityError(
    'no_capacity',
    `AWS launched ${launched.length} of ${count} instances and did not say why`,
  );
  if (launched.length === 0) throw problem;
  return { launched, problems: [launchProblemOf(problem, count - launched.length)] };

  async function launchIn(zone: string, RequestedCapacity: number, ClientToken: string): Promise<Launched> {
    const AutoScalingGroupName = settings.group;
    const command = new LaunchInstancesCommand({
      AutoScalingGroupName,
      RequestedCapacity,
      ClientToken,
      AvailabilityZones: [zone],
      RetryStrategy: 'none',
    });
    for (const sinceMs = Date.now(); ; await sleep(IN_PROGRESS_STEP_MS)) {
      try {
        const { Instances = [], Errors: [error] = [] } = await groups.send(command);
        return {
          ids: Instances.flatMap(({ InstanceIds = [] }) => InstanceIds),
          ...(error && { problem: problemOf(error, zone) }),
        };
      } catch (error) {
        const code = codeOf(error);
        if (MADE_BEFORE.test(code))
          return { ids: (await inventory.byClientToken(ClientToken)).flatMap(({ InstanceId = [] }) => InstanceId) };
        if (IN_PROGRESS.test(code) && Date.now() - sinceMs < IN_PROGRESS_LIMIT_MS) continue;
        return {
          ids: [],
          problem: toCapacityError(error, 'autoscaling:LaunchInstances', `launch instances in ${zone}`),
        };
      }
    }
  }
}

function problemOf({ ErrorCode = 'Unknown', ErrorMessage = '' }: LaunchInstancesError, zone: string): CapacityError {
  return new CapacityError(
    kindOfCode(ErrorCode),
    `could not launch instances in ${zone}: ${ErrorCode}: ${ErrorMessage}`,
    { code: ErrorCode },
  );
}
