// What the contract tests of AWS's providers stand on: the workers' Redis, the stand-in, somebody who keeps a worker busy, and AWS itself.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Capacity } from '../../../src/capacity/guard.ts';
import type { FleetConfigInput } from '../../../src/config/fleet.ts';
import { ensureStandIn } from '../../../src/dev/components.ts';
import { egressConfig } from '../../../src/dev/egress-config.ts';
import { freePorts } from '../../../src/dev/ports.ts';
import { reportToStderr } from '../../../src/dev/reporter.ts';
import { type Stack, startStack } from '../../../src/dev/stack.ts';
import { type FakeAws, type Service, startFakeAws } from '../../support/aws/server.ts';
import { NOBODY } from '../../support/stack-account.ts';
import { fleetWith, launchAndKill } from './killed-launch.ts';
import { createOccupier, type Occupier } from './occupy.ts';
import { openCapacity } from './open.ts';
import type { ProviderUnderTest } from './provider-contract.ts';

/** What makes the workers: tasks, or instances. */
interface Platform {
  services: Service[];
  crash(id: string): Promise<void>;
  close(): Promise<void>;
}

export interface Account<P extends Platform> {
  platform: P;
  aws: FakeAws;
  capacity: FleetConfigInput['capacity'];
  open(changes?: object): Promise<Capacity>;
}

/** Call once at the top of a test file. */
export function useAwsBed() {
  // Launches that are killed inherit them.
  Object.assign(process.env, NOBODY);
  let folder: string;
  let stack: Stack;
  let occupier: Occupier;
  let egressBin: string;
  const atEnd: (() => Promise<unknown> | undefined)[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'reelkit-aws-'));
    egressBin = await ensureStandIn(reportToStderr);
    stack = await startStack({ stateDir: folder, parts: ['workersRedis'] });
    occupier = await createOccupier(stack.workersRedis);
  });
  afterAll(async () => {
    for (const end of atEnd.reverse()) await end();
    await occupier?.close();
    await stack?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  return {
    get folder() {
      return folder;
    },
    get occupier() {
      return occupier;
    },

    /** What a worker needs to be started here. */
    async worker() {
      const [healthPort = 0, metricsPort = 0] = await freePorts(2);
      const livekit = { url: 'ws://127.0.0.1:1', apiKey: 'key', apiSecret: 'secret' };
      return {
        dir: join(folder, `machines-${atEnd.length}`),
        egressBin,
        egressConfig: egressConfig({ livekit, redis: stack.workersRedis }),
        workerEnv: { STANDIN_MEDIA: 'none' },
        healthPort,
        metricsPort,
      };
    },

    /** @param capacity how the configuration names it, without where AWS is */
    async account<P extends Platform>(platform: P, capacity: FleetConfigInput['capacity']): Promise<Account<P>> {
      const aws = await startFakeAws(platform.services);
      const there = { ...capacity, endpoint: aws.url } as FleetConfigInput['capacity'];
      atEnd.push(() => platform.close().then(aws.close));
      return {
        platform,
        aws,
        capacity: there,
        async open(changes = {}) {
          const provider = await openCapacity(fleetWith({ ...there, ...changes } as FleetConfigInput['capacity']));
          atEnd.push(() => provider.close?.());
          return provider;
        },
      };
    },

    /** @param unasked puts a worker there that Reelkit did not launch */
    async subject<P extends Platform>(
      { platform, aws, capacity, open }: Account<P>,
      unasked: () => Promise<string>,
    ): Promise<ProviderUnderTest> {
      return {
        provider: await open(),
        crash: (id) => platform.crash(id),
        successor: () => open(),
        killedWhileLaunching: (count, token) => launchAndKill(fleetWith(capacity), count, token),
        unasked,
        occupy: (topic) => occupier.occupy(topic),
        slow: (ms) => aws.delay(ms),
        stop: async () => expect(aws.violations).toEqual([]),
      };
    },
  };
}
