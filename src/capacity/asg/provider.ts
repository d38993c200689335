// Workers as EC2 instances of an Auto Scaling group. Reelkit launches each one and ends exactly the one it chose; the group's termination
// hook and a watcher on the instance turn every end, whoever asked for it, into time to finish (docs/decisions.md).
import {
  AutoScalingClient,
  CompleteLifecycleActionCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling';
import { EC2Client } from '@aws-sdk/client-ec2';
import { clientOptions } from '../aws/clients.ts';
import { toCapacityError } from '../aws/errors.ts';
import type { ProviderContext } from '../kind.ts';
import type { CapacityProvider } from '../provider.ts';
import { findProblems, terminationHook } from './check.ts';
import type { AsgCapacity } from './config.ts';
import { createInventory } from './inventory.ts';
import { launchInstances } from './launch.ts';

const LIST_MS = 3_000;
/** What one call of LaunchInstances takes. */
const MAX_PER_LAUNCH = 100;
/** A machine, and pulling the image. */
const BOOT_MS = 120_000;

export function createAsgProvider(settings: AsgCapacity, { fleet }: ProviderContext): CapacityProvider {
  const options = clientOptions(settings);
  const clients = { groups: new AutoScalingClient(options), ec2: new EC2Client(options) };
  const { groups } = clients;
  const inventory = createInventory(clients, settings, fleet);

  return {
    kind: 'asg',
    limits: {
      coresPerWorker: settings.coresPerWorker,
      listEveryMs: LIST_MS,
      maxPerLaunch: MAX_PER_LAUNCH,
      bootMs: BOOT_MS,
    },

    async list() {
      const asOfMs = Date.now();
      return { workers: await inventory.workers(), asOfMs };
    },

    launch: (count, token) => launchInstances({ groups, inventory, settings }, count, token),

    async drain(id) {
      const worker = await own(id);
      if (worker && worker.state !== 'draining') await terminate(id);
    },

    async remove(id) {
      const worker = await own(id);
      if (!worker) return;
      if (worker.state !== 'draining') await terminate(id);
      else await endWait(id);
    },

    check: () => findProblems(clients, inventory, settings, fleet),

    async close() {
      clients.groups.destroy();
      clients.ec2.destroy();
    },
  };

  /** That lives, and that this fleet launched. */
  async function own(id: string) {
    const worker = (await inventory.workers()).find((one) => one.id === id);
    return worker?.owned && worker.state !== 'gone' ? worker : undefined;
  }

  /** This one, and the group does not replace it. */
  async function terminate(InstanceId: string): Promise<void> {
    const command = new TerminateInstanceInAutoScalingGroupCommand({
      InstanceId,
      ShouldDecrementDesiredCapacity: true,
    });
    try {
      await groups.send(command);
    } catch (error) {
      const now = await own(InstanceId);
      if (!now || now.state === 'draining') return;
      throw toCapacityError(error, 'autoscaling:TerminateInstanceInAutoScalingGroup', `end instance ${InstanceId}`);
    }
  }

  /** Nothing is left on it to wait for. */
  async function endWait(InstanceId: string): Promise<void> {
    const { Instances = [] } = await inventory.group();
    if (Instances.find((one) => one.InstanceId === InstanceId)?.LifecycleState !== 'Terminating:Wait') return;
    const hook = await terminationHook(groups, settings);
    if (!hook) return;
    const command = new CompleteLifecycleActionCommand({
      AutoScalingGroupName: settings.group,
      LifecycleHookName: hook.LifecycleHookName,
      LifecycleActionResult: 'CONTINUE',
      InstanceId,
    });
    try {
      await groups.send(command);
    } catch (error) {
      if (!(await own(InstanceId))) return;
      throw toCapacityError(error, 'autoscaling:CompleteLifecycleAction', `end instance ${InstanceId}`);
    }
  }
}
