// The process provider against real worker processes: the stand-in, and a real Redis.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { ProcessCapacity } from '../../../src/capacity/process/config.ts';
import { createProcessProvider, stopAllProcessWorkers } from '../../../src/capacity/process/provider.ts';
import { CapacityError } from '../../../src/capacity/provider.ts';
import { ensureStandIn } from '../../../src/dev/components.ts';
import { writeEgressConfig } from '../../../src/dev/egress-config.ts';
import { reportToStderr } from '../../../src/dev/reporter.ts';
import { type Stack, startStack } from '../../../src/dev/stack.ts';
import { createProbe } from '../../../src/livekit/probe.ts';
import { eventually } from './eventually.ts';
import { fleetWith, launchAndKill } from './killed-launch.ts';
import { createOccupier, type Occupier } from './occupy.ts';
import { openCapacity, workersOf } from './open.ts';
import { describeProvider, type Refusal } from './provider-contract.ts';

let folder: string;
let stack: Stack;
let occupier: Occupier;
let bin: string;
let configFile: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-capacity-'));
  bin = await ensureStandIn(reportToStderr);
  stack = await startStack({ stateDir: join(folder, 'stack'), parts: ['redis'] });
  configFile = await writeEgressConfig(join(folder, 'egress.yaml'), { livekit: stack.livekit, redis: stack.redis });
  occupier = await createOccupier(stack.redis);
});

afterAll(async () => {
  await occupier?.close();
  await stack?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

let dirs = 0;
function settings(parts: Partial<ProcessCapacity> = {}): ProcessCapacity {
  dirs += 1;
  const stateDir = join(folder, `workers-${dirs}`);
  return { provider: 'process', bin, configFile, stateDir, coresPerWorker: 4, bootDelay: 0, env: {}, ...parts };
}

const fleetOf = ({ bootDelay, ...chosen }: ProcessCapacity) => fleetWith({ ...chosen, bootDelay: `${bootDelay}ms` });

async function pidOf(stateDir: string, id: string): Promise<number> {
  return Number(await readFile(join(stateDir, id, 'pid'), 'utf8'));
}

async function subject(parts: Partial<ProcessCapacity>) {
  const chosen = settings({ env: { STANDIN_MEDIA: 'none' }, ...parts });
  return {
    provider: await openCapacity(fleetOf(chosen)),
    crash: async (id: string) => void process.kill(await pidOf(chosen.stateDir, id), 'SIGKILL'),
    successor: () => openCapacity(fleetOf(chosen)),
    occupy: (topic: string) => occupier.occupy(topic),
    killedWhileLaunching: (count: number, token: string) => launchAndKill(fleetOf(chosen), count, token),
    stop: async () => void (await stopAllProcessWorkers(chosen.stateDir)),
  };
}

const REFUSALS: Refusal[] = [
  {
    name: 'there is no such binary',
    kind: 'configuration',
    message: /fleet\.capacity\.bin "\/nowhere\/egress" is not an executable file/,
    provoke: async () => ({
      provider: await openCapacity(fleetOf(settings({ bin: '/nowhere/egress' }))),
      undo: async () => {},
    }),
  },
];

describeProvider('process', async () => subject({}), REFUSALS);
describeProvider('process, with a boot delay', async () => subject({ bootDelay: 700 }));

describe('worker processes', () => {
  it('are listed as booting until the delay is over', async () => {
    const chosen = settings({ bootDelay: 61_234 });
    const provider = createProcessProvider(chosen);
    await provider.launch(1, 'slow');
    await eventually(async () => (await workersOf(provider))[0]?.state === 'booting');
    expect(await stopAllProcessWorkers(chosen.stateDir)).toBe(1);
    const sleeping = await promisify(execFile)('ps', ['-A', '-o', 'args=']);
    expect(sleeping.stdout.split('\n').filter((line) => /^sleep 61\.234$/.test(line.trim()))).toEqual([]);
  });

  it('get ports and cores of their own, in a file that only the owner may read', async () => {
    const chosen = settings({ coresPerWorker: 2, env: { STANDIN_MEDIA: 'none' } });
    const provider = createProcessProvider(chosen);
    const { launched } = await provider.launch(2, 'own');
    // livekit/egress starts its recordings as `egress` from PATH.
    const pid = () => pidOf(chosen.stateDir, launched[0] ?? '').catch(() => 0);
    await eventually(async () => (await pid()) > 0);
    const environment = await readFile(`/proc/${await pid()}/environ`, 'utf8');
    expect(environment.split('\0')).toContainEqual(expect.stringMatching(`^PATH=${dirname(bin)}:`));
    const configs = await Promise.all(
      launched.map(async (id) => parse(await readFile(join(chosen.stateDir, id, 'config.yaml'), 'utf8'))),
    );
    const ports = configs.flatMap((config) => [config.health_port, config.prometheus_port, config.template_port]);
    expect(new Set(ports).size).toBe(6);
    expect(configs[0].redis).toEqual({ address: stack.redis.address });
    expect(configs.map((config) => config.cluster_id)).toEqual(launched);
    expect((await workersOf(provider)).map(({ topic }) => topic).sort()).toEqual([...launched].sort());
    const probe = createProbe();
    await eventually(async () => {
      const answers = await Promise.all((await workersOf(provider)).map(probe));
      return answers.every((answer) => answer.answered && answer.freeCores === 2);
    });
    await stopAllProcessWorkers(chosen.stateDir);
  });

  it('outlive a Reelkit that is killed, and are adopted by the next one', async () => {
    const chosen = settings();
    await launchAndKill(fleetOf(chosen), 2, 'killed', 'launched');
    const provider = createProcessProvider(chosen);
    const probe = createProbe();
    await eventually(async () =>
      (await Promise.all((await workersOf(provider)).map(probe))).every(({ answered }) => answered),
    );
    const before = await workersOf(provider);
    expect(before.map(({ state }) => state)).toEqual(['running', 'running']);
    await provider.launch(2, 'killed');
    expect(await workersOf(provider)).toHaveLength(2);
    const [first] = before;
    await provider.drain(first?.id ?? '');
    await eventually(async () =>
      (await workersOf(provider)).some(({ id, state }) => id === first?.id && state === 'gone'),
    );
    expect(await stopAllProcessWorkers(chosen.stateDir)).toBe(1);
  });

  it('say why they ended: with the last lines of their log', async () => {
    const badConfig = join(folder, 'bad.yaml');
    await writeFile(badConfig, 'redis: {address: 127.0.0.1:1}\n');
    const provider = createProcessProvider(settings({ configFile: badConfig }));
    await provider.launch(1, 'bad');
    await eventually(async () => (await workersOf(provider))[0]?.state === 'gone');
    expect((await workersOf(provider))[0]?.reason).toMatch(/ended by itself; last lines of .*worker\.log: \S+/);
  });

  it('are gone with all that they started, also in sessions of its own, when they alone are killed', async () => {
    const itsRecording = `sleep 61.${process.pid}`;
    const script = join(folder, 'egress');
    await writeFile(script, `#!/bin/sh\nsetsid ${itsRecording} &\nexec ${bin} "$@"\n`, { mode: 0o755 });
    const chosen = settings({ bin: script });
    const provider = createProcessProvider(chosen);
    const recordings = async () => {
      const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'args=']);
      return stdout.split('\n').filter((line) => line.trim() === itsRecording).length;
    };
    const { launched } = await provider.launch(2, 'left');
    await eventually(async () => (await recordings()) === 2);
    await eventually(async () => (await workersOf(provider)).every(({ state }) => state === 'running'));
    process.kill(await pidOf(chosen.stateDir, launched[0] ?? ''), 'SIGKILL');
    await eventually(async () => (await workersOf(provider)).some(({ state }) => state === 'gone'));
    expect(await recordings()).toBe(1);
    expect((await workersOf(provider)).map(({ state }) => state).sort()).toEqual(['gone', 'running']);
    await stopAllProcessWorkers(chosen.stateDir);
  });

  it('are never taken for somebody else who got the same process id', async () => {
    const chosen = settings();
    const stranger = join(chosen.stateDir, 'w-old-1');
    await mkdir(stranger, { recursive: true });
    await writeFile(join(stranger, 'pid'), `${process.pid}\n`);
    const provider = createProcessProvider(chosen);
    expect(await workersOf(provider)).toMatchObject([{ id: 'w-old-1', state: 'gone' }]);
    await provider.remove('w-old-1');
    expect(await stopAllProcessWorkers(chosen.stateDir)).toBe(0);
  });

  it('whose launch was cut short are gone when they are given up, and after a while', async () => {
    const chosen = settings();
    const half = join(chosen.stateDir, 'w-half-1');
    await mkdir(half, { recursive: true });
    const provider = createProcessProvider(chosen);
    expect(await workersOf(provider)).toMatchObject([{ state: 'requested' }]);
    await provider.remove('w-half-1');
    expect(await workersOf(provider)).toMatchObject([{ state: 'gone', reason: 'given up before it started' }]);
    await rm(join(half, 'drained'));
    const past = new Date(Date.now() - 60_000);
    await utimes(half, past, past);
    expect(await workersOf(provider)).toMatchObject([{ state: 'gone', reason: 'its launch was cut short' }]);
  });

  it('leave the logs of the last 20 that ended', async () => {
    const chosen = settings();
    for (let index = 0; index < 25; index += 1) {
      const old = join(chosen.stateDir, `w-old-${index}`);
      await mkdir(old, { recursive: true });
      await writeFile(join(old, 'pid'), '999999\n');
    }
    const provider = createProcessProvider(chosen);
    await provider.launch(1, 'new');
    expect(await readdir(chosen.stateDir)).toHaveLength(21);
    await stopAllProcessWorkers(chosen.stateDir);
  });
});

describe('a launch that cannot work', () => {
  it.each([
    ['no binary', { bin: '/nowhere/egress' }, /fleet\.capacity\.bin "\/nowhere\/egress" is not an executable file/],
    ['no configuration', { configFile: '/nowhere/egress.yaml' }, /fleet\.capacity\.configFile .* cannot be used/],
    ['no state folder', { stateDir: '/dev/null/workers' }, /fleet\.capacity\.stateDir .* cannot be written/],
  ])('%s is an error of configuration that names the key', async (_, parts, message) => {
    const provider = createProcessProvider(settings(parts));
    const error = await provider.launch(1, 't').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CapacityError);
    expect(error).toMatchObject({
      kind: 'configuration',
      code: 'configuration',
      message: expect.stringMatching(message),
    });
    expect(await provider.check()).toEqual([expect.stringMatching(message)]);
  });
});
