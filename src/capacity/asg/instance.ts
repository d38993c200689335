// One instance as a worker, from what the group and what EC2 say of it. Pure.
import type { AutoScalingGroup, Instance as Member } from '@aws-sdk/client-auto-scaling';
import type { Instance } from '@aws-sdk/client-ec2';
import { defined } from '../../common/defined.ts';
import type { Worker } from '../provider.ts';
import type { AsgCapacity } from './config.ts';
import { tokenOf } from './names.ts';

/** The group puts it on the instances that it launches; attached ones lack it. */
export const FLEET_TAG = 'reelkit:fleet';

export interface Reading {
  fleet: string;
  settings: AsgCapacity;
  /** The version of the launch template that new instances get; undefined while nobody knows. */
  version: string | undefined;
}

export function workerOf(
  instance: Instance,
  member: Member | undefined,
  { fleet, settings, version }: Reading,
): Worker {
  const { InstanceId: id = '', PrivateIpAddress: address, CpuOptions: cpu, Tags = [], ClientToken } = instance;
  const owned = Tags.some(({ Key, Value }) => Key === FLEET_TAG && Value === fleet);
  const cores = (cpu?.CoreCount ?? 0) * (cpu?.ThreadsPerCore ?? 1);
  const leaving = leavingOf(member);
  const state = stateOf(instance, member);
  return {
    id,
    // Its user data gives it this one.
    topic: id,
    state,
    owned,
    launchedAtMs: instance.LaunchTime?.getTime() ?? 0,
    cpuCores: cores || settings.coresPerWorker,
    ...defined({
      token: owned ? tokenOf(ClientToken) : undefined,
      reason: reasonOf(instance, member, owned, state),
      leaving: state === 'gone' ? undefined : leaving,
      protected: member?.ProtectedFromScaleIn,
    }),
    ...(address !== undefined && {
      healthUrl: `http://${address}:${settings.healthPort}/`,
      metricsUrl: `http://${address}:${settings.metricsPort}/metrics`,
    }),
    ...(isOutdated(member, version) && { outdated: true }),
  };
}

function stateOf({ State }: Instance, member: Member | undefined): Worker['state'] {
  const machine = State?.Name ?? 'pending';
  if (machine === 'terminated' || machine === 'stopped' || machine === 'stopping') return 'gone';
  const lifecycle = member?.LifecycleState ?? '';
  if (machine === 'shutting-down' || lifecycle.startsWith('Terminat')) return 'draining';
  return machine === 'pending' || lifecycle.startsWith('Pending') ? 'booting' : 'running';
}

function leavingOf(member: Member | undefined): string | undefined {
  if (!member) return 'it is in the Auto Scaling group no more';
  return /^(EnteringStandby|Standby|Detach)/.test(member.LifecycleState ?? '')
    ? `its group says ${member.LifecycleState}`
    : undefined;
}

function reasonOf(
  instance: Instance,
  member: Member | undefined,
  owned: boolean,
  state: Worker['state'],
): string | undefined {
  const unwell = member?.HealthStatus !== undefined && !/^healthy$/i.test(member.HealthStatus);
  const words = [
    owned ? undefined : 'not launched by Reelkit',
    instance.StateTransitionReason || undefined,
    unwell ? `its group calls it ${member?.HealthStatus}` : undefined,
    state === 'booting' ? 'the machine boots' : undefined,
  ];
  return words.filter(Boolean).join('; ') || undefined;
}

function isOutdated(member: Member | undefined, version: string | undefined): boolean {
  const own = member?.LaunchTemplate?.Version;
  return version !== undefined && own !== undefined && own !== version;
}

/** The launch template of a group that has one of its own. */
export function templateOf({ LaunchTemplate, MixedInstancesPolicy }: AutoScalingGroup) {
  return LaunchTemplate ?? MixedInstancesPolicy?.LaunchTemplate?.LaunchTemplateSpecification;
}
