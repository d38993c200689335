// An Auto Scaling group as the provider meets it: instances that are real egress workers, with tokens that are kept, zones that may be full, a
// termination hook, and what others do to a group. The watcher on each instance is imitated; the real one has a test of its own.
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  CompleteLifecycleActionCommandInput,
  DescribeAutoScalingGroupsCommandInput,
  LaunchInstancesCommandInput,
  TerminateInstanceInAutoScalingGroupCommandInput,
} from '@aws-sdk/client-auto-scaling';
import type { DescribeInstancesCommandInput } from '@aws-sdk/client-ec2';
import { type EgressWorker, startWorker } from '../cluster/kubelet/worker.ts';
import { AwsFault, type Service } from './server.ts';

const GROUP = 'recorders';
const TEMPLATE = { LaunchTemplateId: 'lt-1', LaunchTemplateName: 'recorders' };
const HOOK = 'reelkit';

export interface AutoScalingOptions {
  /** Working folders and logs. */
  dir: string;
  /** Absent: instances only seem to run. */
  egressBin?: string;
  /** `EGRESS_CONFIG_BODY` of the user data, without cluster_id. */
  egressConfig?: string;
  workerEnv?: Readonly<Record<string, string>>;
  /** Until InService, and as much more at random. @default 200 and 0 */
  bootMs?: number;
  jitterMs?: number;
  /** The fleet's name, in the tag that the group propagates. @default default */
  fleet?: string;
  zones?: readonly string[];
  /** What was launched shows so much later. */
  lagMs?: number;
  healthPort: number;
  metricsPort: number;
}

interface FakeInstance {
  id: string;
  number: number;
  zone: string;
  clientToken: string | undefined;
  version: string;
  tagged: boolean;
  launchedAtMs: number;
  lifecycle: 'Pending' | 'InService' | 'Terminating:Wait' | 'Terminated';
  why: string;
  worker?: EgressWorker;
}

export type FakeAutoScaling = ReturnType<typeof createFakeAutoScaling>;

export function createFakeAutoScaling(options: AutoScalingOptions) {
  const {
    bootMs = 200,
    jitterMs = 0,
    fleet = 'default',
    zones = ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'],
  } = options;
  const instances = new Map<string, FakeInstance>();
  const results = new Map<
    string,
    { parameters: string; answer: { ids: Record<string, string[]>; errors: object[] } }
  >();
  const takenPorts = new Set<number>();
  const fullZones = new Set<string>();
  /** Free places in a zone, when they are few. */
  const places = new Map<string, number>();
  const state = {
    lagMs: options.lagMs ?? 0,
    version: 1,
    maxSize: 1_000,
    vcpus: 4,
    policies: [] as string[],
    schedules: [] as string[],
    hook: { HeartbeatTimeout: 7_200 } as { HeartbeatTimeout: number } | undefined,
    /** Over the group as it should be. */
    group: {} as Record<string, unknown>,
  };
  let made = 0;

  const addressOf = ({ number }: FakeInstance) => `127.78.${Math.floor(number / 250)}.${(number % 250) + 1}`;
  const isVisible = ({ launchedAtMs }: FakeInstance) => Date.now() - launchedAtMs >= state.lagMs;
  const living = () => [...instances.values()].filter(({ lifecycle }) => lifecycle !== 'Terminated');

  function begin(zone: string, clientToken: string | undefined, tagged = true): FakeInstance {
    made += 1;
    const instance: FakeInstance = {
      id: `i-${made.toString(16).padStart(17, '0')}`,
      number: made,
      zone,
      clientToken,
      version: String(state.version),
      tagged,
      launchedAtMs: Date.now(),
      lifecycle: 'Pending',
      why: '',
    };
    instances.set(instance.id, instance);
    void live(instance);
    return instance;
  }

  async function live(instance: FakeInstance): Promise<void> {
    await sleep(bootMs + Math.random() * jitterMs);
    if (instance.lifecycle !== 'Pending') {
      end(instance);
      return;
    }
    instance.lifecycle = 'InService';
    if (!options.egressBin) return;
    mkdirSync(options.dir, { recursive: true });
    instance.worker = await startWorker(
      { egressBin: options.egressBin, dir: options.dir, workerEnv: options.workerEnv ?? {}, takenPorts },
      instance.id,
      {
        EGRESS_CONFIG_BODY: `${options.egressConfig ?? ''}\ncluster_id: ${instance.id}\n`,
        LIVEKIT_CPU_REQUEST: String(state.vcpus),
      },
      { host: addressOf(instance), health: options.healthPort, metrics: options.metricsPort },
    );
    // What ends while nobody asked is a machine that died; asked, the watcher completes the hook.
    await instance.worker.exit;
    end(instance);
  }

  function end(instance: FakeInstance): void {
    instance.lifecycle = 'Terminated';
    instance.why ||= 'Server.InternalError: the machine failed';
  }

  /** By whatever cause: the hook holds it until the watcher has seen the egress end. */
  function terminate(instance: FakeInstance, why: string): void {
    if (instance.lifecycle === 'Terminating:Wait' || instance.lifecycle === 'Terminated') return;
    instance.why = why;
    const hadBooted = instance.lifecycle === 'InService';
    instance.lifecycle = 'Terminating:Wait';
    if (hadBooted && instance.worker) instance.worker.term();
    else if (hadBooted) end(instance);
  }

  function launchInstances(input: LaunchInstancesCommandInput) {
    const {
      AutoScalingGroupName,
      ClientToken = '',
      RequestedCapacity = 0,
      AvailabilityZones: [zone = ''] = [],
    } = input;
    requireGroup(AutoScalingGroupName);
    const parameters = JSON.stringify(input);
    const known = results.get(ClientToken);
    if (known && known.parameters !== parameters)
      throw new AwsFault('IdempotentParameterMismatch', 'the token was used with other parameters');
    if (!known) {
      if (living().length + RequestedCapacity > state.maxSize)
        throw new AwsFault('ValidationError', 'the requested capacity is over the maximum size of the group');
      const room = fullZones.has(zone) ? 0 : Math.min(RequestedCapacity, places.get(zone) ?? RequestedCapacity);
      if (places.has(zone)) places.set(zone, (places.get(zone) ?? 0) - room);
      const ids = Array.from({ length: room }, () => begin(zone, ClientToken).id);
      const ErrorMessage = `We currently do not have sufficient c7i.xlarge capacity in ${zone}`;
      const errors =
        room < RequestedCapacity
          ? [{ AvailabilityZone: zone, ErrorCode: 'InsufficientInstanceCapacity', ErrorMessage }]
          : [];
      results.set(ClientToken, { parameters, answer: { ids: { [zone]: ids }, errors } });
    }
    const { answer } = results.get(ClientToken) as { answer: { ids: Record<string, string[]>; errors: object[] } };
    const launched = Object.entries(answer.ids).filter(([, ids]) => ids.length > 0);
    return {
      AutoScalingGroupName,
      ClientToken,
      Instances: launched.map(([AvailabilityZone, InstanceIds]) => ({
        InstanceType: 'c7i.xlarge',
        MarketType: 'OnDemand',
        AvailabilityZone,
        InstanceIds,
      })),
      Errors: answer.errors,
    };
  }

  function requireGroup(name: string | undefined): void {
    if (name !== GROUP)
      throw new AwsFault('ValidationError', `AutoScalingGroup name not found - no such group: ${name}`);
  }

  function described() {
    const held = living().filter((one) => isVisible(one) && one.tagged);
    return {
      AutoScalingGroupName: GROUP,
      LaunchTemplate: { ...TEMPLATE, Version: '$Latest' },
      MinSize: 0,
      MaxSize: state.maxSize,
      DesiredCapacity: held.filter(({ lifecycle }) => !lifecycle.startsWith('Terminating')).length,
      DefaultCooldown: 300,
      AvailabilityZones: [...zones],
      HealthCheckType: 'EC2',
      CreatedTime: new Date(0),
      NewInstancesProtectedFromScaleIn: true,
      SuspendedProcesses: [{ ProcessName: 'AZRebalance' }],
      Tags: [{ ResourceId: GROUP, Key: 'reelkit:fleet', Value: fleet, PropagateAtLaunch: true }],
      Instances: held.map(({ id, zone, lifecycle, version }) => ({
        InstanceId: id,
        AvailabilityZone: zone,
        LifecycleState: lifecycle,
        HealthStatus: 'Healthy',
        LaunchTemplate: { ...TEMPLATE, Version: version },
        ProtectedFromScaleIn: true,
      })),
      ...state.group,
    };
  }

  const autoscaling: Service = {
    name: 'autoscaling',
    actions: {
      LaunchInstances: launchInstances,
      DescribeAutoScalingGroups: ({ AutoScalingGroupNames = [] }: DescribeAutoScalingGroupsCommandInput) => ({
        AutoScalingGroups: AutoScalingGroupNames.includes(GROUP) ? [described()] : [],
      }),
      TerminateInstanceInAutoScalingGroup({ InstanceId = '' }: TerminateInstanceInAutoScalingGroupCommandInput) {
        const instance = instances.get(InstanceId);
        if (!instance?.tagged || instance.lifecycle === 'Terminated')
          throw new AwsFault(
            'ValidationError',
            `Instance Id not found - No managed instance found for instance ID: ${InstanceId}`,
          );
        terminate(instance, 'User initiated');
        return {};
      },
      CompleteLifecycleAction({ InstanceId = '', LifecycleHookName }: CompleteLifecycleActionCommandInput) {
        const instance = instances.get(InstanceId);
        if (LifecycleHookName !== HOOK || instance?.lifecycle !== 'Terminating:Wait')
          throw new AwsFault('ValidationError', `No active Lifecycle Action found with instance ID ${InstanceId}`);
        void instance.worker?.kill();
        if (!instance.worker) end(instance);
        return {};
      },
      DescribeLifecycleHooks: () => ({
        LifecycleHooks: state.hook
          ? [
              {
                LifecycleHookName: HOOK,
                LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
                GlobalTimeout: 172_800,
                DefaultResult: 'CONTINUE',
                ...state.hook,
              },
            ]
          : [],
      }),
      DescribePolicies: () => ({
        ScalingPolicies: state.policies.map((PolicyName) => ({ PolicyName, Enabled: true })),
      }),
      DescribeScheduledActions: () => ({
        ScheduledUpdateGroupActions: state.schedules.map((ScheduledActionName) => ({ ScheduledActionName })),
      }),
    },
  };

  const ec2: Service = {
    name: 'ec2',
    actions: {
      DescribeInstances({ Filters = [], MaxResults = 1_000, NextToken = '0' }: DescribeInstancesCommandInput) {
        const byToken = Filters.find(({ Name }) => Name === 'client-token')?.Values;
        const found = [...instances.values()].filter(
          (one) => isVisible(one) && (byToken === undefined || byToken.includes(one.clientToken ?? '')),
        );
        const from = Number(NextToken);
        const page = found.slice(from, from + MaxResults);
        return {
          Reservations: [{ Instances: page.map(shown) }],
          ...(from + MaxResults < found.length && { NextToken: String(from + MaxResults) }),
        };
      },
      DescribeLaunchTemplateVersions: () => ({
        LaunchTemplateVersions: [{ ...TEMPLATE, VersionNumber: state.version }],
      }),
    },
  };

  function shown(instance: FakeInstance) {
    const { id, lifecycle, launchedAtMs, clientToken, tagged, why } = instance;
    const isOver = lifecycle === 'Terminated';
    return {
      InstanceId: id,
      ClientToken: clientToken,
      LaunchTime: new Date(launchedAtMs),
      State: { Code: isOver ? 48 : 16, Name: isOver ? 'terminated' : lifecycle === 'Pending' ? 'pending' : 'running' },
      StateTransitionReason: isOver ? why : undefined,
      CpuOptions: { CoreCount: state.vcpus / 2, ThreadsPerCore: 2 },
      ...(!isOver && { PrivateIpAddress: addressOf(instance) }),
      Tags: [
        { Key: 'aws:autoscaling:groupName', Value: GROUP },
        ...(tagged ? [{ Key: 'reelkit:fleet', Value: fleet }] : []),
      ],
    };
  }

  return {
    services: [autoscaling, ec2],
    group: GROUP,
    /** What may change; `group` is laid over the group's description. */
    state,
    fullZones,
    places,
    instances: () =>
      [...instances.values()].map(({ id, zone, lifecycle, why, worker }) => ({
        id,
        zone,
        lifecycle,
        why,
        pid: worker?.pid,
      })),
    /** As a person would attach one. @returns its id */
    attach: () => begin(zones[0] ?? '', undefined, false).id,
    /** As when the machine dies. */
    async crash(id: string): Promise<void> {
      const instance = instances.get(id);
      if (instance?.worker) await instance.worker.kill();
      else if (instance) end(instance);
    },
    /** Scale-in, refresh, health, Spot: whoever ends it, the hook comes first. */
    endFromOutside(id: string, why: string): void {
      const instance = instances.get(id);
      if (instance) terminate(instance, why);
    },
    async close(): Promise<void> {
      for (const instance of instances.values()) {
        instance.lifecycle = 'Terminated';
        await instance.worker?.kill();
      }
    },
  };
}
