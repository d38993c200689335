// tools/aws-check against the tests' own AWS, as somebody with an account runs it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { createFakeAutoScaling } from '../../support/aws/autoscaling.ts';
import { createFakeEcs } from '../../support/aws/ecs.ts';
import { useAwsBed } from '../capacity/aws-bed.ts';

const bed = useAwsBed();

async function onEcs(bootMs = 200) {
  const worker = await bed.worker();
  const platform = createFakeEcs({ ...worker, bootMs });
  const { healthPort, metricsPort } = worker;
  return bed.account(platform, {
    provider: 'ecs',
    cluster: 'media',
    taskDefinition: 'egress',
    strategies: [{ capacityProvider: 'FARGATE' }],
    network: { subnets: ['subnet-1'] },
    healthPort,
    metricsPort,
  });
}

async function onGroup() {
  const worker = await bed.worker();
  const platform = createFakeAutoScaling(worker);
  const { healthPort, metricsPort } = worker;
  return bed.account(platform, { provider: 'asg', group: platform.group, coresPerWorker: 4, healthPort, metricsPort });
}

async function start({ capacity }: { capacity: object }) {
  const file = join(bed.folder, `check-${Date.now()}.yaml`);
  await writeFile(file, stringify({ fleet: { capacity } }));
  const args = ['--import', 'tsx', 'tools/aws-check/main.ts', file, '--price-per-hour', '0.2'];
  return { child: execa(process.execPath, args, { reject: false }) };
}

describe('tools/aws-check', () => {
  it.each([
    ['ecs', onEcs, 'RunTask', 2],
    ['asg', onGroup, 'LaunchInstances', 2],
  ] as const)('launches one worker on %s, sees it run, and leaves nothing', async (_, account, action, calls) => {
    const { aws, open, capacity } = await account();
    const { stdout, exitCode } = await (await start({ capacity })).child;
    expect({ exitCode, stdout }).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('passed:') });
    expect(stdout).toMatch(/the same launch, repeated, made nothing/);
    expect(stdout).toMatch(/runs after \d+ s: \S+, 4 cores, topic \S+/);
    expect(stdout).toMatch(/cost: one worker for [\d.]+ minutes at most, about [\d.]+/);
    expect(aws.calls.filter((call) => call.action === action)).toHaveLength(calls);
    expect((await (await open()).list()).workers.filter(({ state }) => state !== 'gone')).toEqual([]);
    expect(aws.violations).toEqual([]);
  });

  it('says what doctor would, and launches nothing', async () => {
    const { aws, capacity } = await onEcs();
    const { stdout, exitCode } = await (await start({ capacity: { ...capacity, cluster: 'other' } })).child;
    expect(exitCode).toBe(1);
    expect(stdout).toContain('cluster "other" does not exist: correct fleet.capacity.cluster');
    expect(aws.calls.filter(({ action }) => action === 'RunTask')).toEqual([]);
  });

  it('says why nothing could be launched', async () => {
    const account = await onEcs();
    account.platform.withoutCapacity.add('FARGATE');
    const { stdout, exitCode } = await (await start(account)).child;
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/failed: .*Capacity is unavailable at this time/);
  });

  it('ends what it launched when it is interrupted', async () => {
    const account = await onEcs(60_000);
    const { child } = await start(account);
    child.stdout.on('data', (text) => {
      if (String(text).includes('made nothing')) child.kill('SIGINT');
    });
    const { stdout, exitCode } = await child;
    expect({ exitCode, stdout }).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('interrupted') });
    expect(stdout).toMatch(/gone \d+ s after it was ended/);
    expect((await (await account.open()).list()).workers.filter(({ state }) => state !== 'gone')).toEqual([]);
  });
});
