// The AWS account beside a test's stack: ECS, or an Auto Scaling group, of the tests' own, whose tasks or instances are workers of this stack.
import { join } from 'node:path';
import type { FleetConfigInput } from '../../src/config/fleet.ts';
import { egressConfig } from '../../src/dev/egress-config.ts';
import { stateDirVariable } from '../../src/dev/leftovers.ts';
import { freePorts } from '../../src/dev/ports.ts';
import type { Stack } from '../../src/dev/stack.ts';
import { type AutoScalingOptions, createFakeAutoScaling, type FakeAutoScaling } from './aws/autoscaling.ts';
import { createFakeEcs, type EcsOptions, type FakeEcs } from './aws/ecs.ts';
import { type FakeAws, startFakeAws } from './aws/server.ts';

/** The tests' AWS asks nobody who they are. */
export const NOBODY = { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'nothing', AWS_REGION: 'eu-central-1' };

/** One of them. */
export interface AccountOptions {
  ecs?: Partial<EcsOptions> & { strategies: { capacityProvider: string }[] };
  asg?: Partial<AutoScalingOptions>;
}

type AwsCapacity = Extract<FleetConfigInput['capacity'], { provider: 'ecs' | 'asg' }>;

export interface TestAccount {
  readonly aws: FakeAws;
  /** Of an account that was asked for with it, and so is `asg`. */
  readonly ecs: FakeEcs;
  readonly asg: FakeAutoScaling;
  readonly capacity: AwsCapacity;
  workers(): { id: string; pid: number }[];
  stop(): Promise<void>;
}

export async function startAccount(stack: Stack, egressBin: string, options: AccountOptions): Promise<TestAccount> {
  const [healthPort = 0, metricsPort = 0] = await freePorts(2);
  const worker = {
    dir: join(stack.stateDir, 'machines'),
    egressBin,
    egressConfig: egressConfig({ livekit: stack.livekit, redis: stack.workersRedis }),
    healthPort,
    metricsPort,
    workerEnv: { STANDIN_MEDIA: 'none', [stateDirVariable]: stack.stateDir },
  };
  const ecs = options.ecs && createFakeEcs({ ...worker, ...options.ecs });
  const asg = options.asg && createFakeAutoScaling({ ...worker, ...options.asg });
  const services = [...(ecs?.services ?? []), ...(asg?.services ?? [])];
  const aws = await startFakeAws(services);
  const all = { endpoint: aws.url, healthPort, metricsPort };
  return {
    aws,
    get ecs() {
      return present(ecs);
    },
    get asg() {
      return present(asg);
    },
    capacity: options.ecs
      ? {
          provider: 'ecs',
          ...all,
          cluster: 'media',
          taskDefinition: 'egress',
          strategies: options.ecs.strategies,
          network: { subnets: ['subnet-1'] },
        }
      : { provider: 'asg', ...all, group: present(asg).group, coresPerWorker: 4 },
    workers: () => [
      ...(ecs?.tasks() ?? []).flatMap(({ id, pid, last }) => (pid && last !== 'STOPPED' ? [{ id, pid }] : [])),
      ...(asg?.instances() ?? []).flatMap(({ id, pid, lifecycle }) =>
        pid && lifecycle !== 'Terminated' ? [{ id, pid }] : [],
      ),
    ],
    async stop() {
      await ecs?.close();
      await asg?.close();
      await aws.close();
      if (aws.violations.length > 0) throw new Error(`AWS's models refuse: ${aws.violations.join('\n')}`);
    },
  };
}

function present<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('this account was asked for without it');
  return part;
}
