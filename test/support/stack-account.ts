// The AWS account beside a test's stack: ECS of the tests' own, whose tasks are workers of this stack.
import { join } from 'node:path';
import type { FleetConfigInput } from '../../src/config/fleet.ts';
import { egressConfig } from '../../src/dev/egress-config.ts';
import { stateDirVariable } from '../../src/dev/leftovers.ts';
import { freePorts } from '../../src/dev/ports.ts';
import type { Stack } from '../../src/dev/stack.ts';
import { createFakeEcs, type EcsOptions, type FakeEcs } from './aws/ecs.ts';
import { type FakeAws, startFakeAws } from './aws/server.ts';

export interface AccountOptions extends Partial<EcsOptions> {
  strategies?: { capacityProvider: string }[];
}

export interface TestAccount {
  readonly aws: FakeAws;
  readonly ecs: FakeEcs;
  readonly capacity: Extract<FleetConfigInput['capacity'], { provider: 'ecs' }>;
  workers(): { id: string; pid: number }[];
  stop(): Promise<void>;
}

export async function startAccount(stack: Stack, egressBin: string, options: AccountOptions): Promise<TestAccount> {
  const { strategies = [{ capacityProvider: options.onInstances ? 'instances' : 'FARGATE' }], ...more } = options;
  const [healthPort = 0, metricsPort = 0] = await freePorts(2);
  const ecs = createFakeEcs({
    dir: join(stack.stateDir, 'tasks'),
    egressBin,
    egressConfig: egressConfig({ livekit: stack.livekit, redis: stack.workersRedis }),
    healthPort,
    metricsPort,
    ...more,
    workerEnv: { STANDIN_MEDIA: 'none', ...more.workerEnv, [stateDirVariable]: stack.stateDir },
  });
  const aws = await startFakeAws(ecs.services);
  return {
    aws,
    ecs,
    capacity: {
      provider: 'ecs',
      endpoint: aws.url,
      cluster: 'media',
      taskDefinition: 'egress',
      strategies,
      healthPort,
      metricsPort,
      ...(options.onInstances ? {} : { network: { subnets: ['subnet-1'] } }),
    },
    workers: () => ecs.tasks().flatMap(({ id, pid, last }) => (pid && last !== 'STOPPED' ? [{ id, pid }] : [])),
    async stop() {
      await ecs.close();
      await aws.close();
      if (aws.violations.length > 0) throw new Error(`AWS's models refuse: ${aws.violations.join('\n')}`);
    },
  };
}
