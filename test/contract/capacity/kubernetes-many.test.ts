// The kubernetes provider with three hundred pods, which only seem to run: one step makes them, exactly the chosen ones go, and
// looking at them asks nothing of the API server.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Capacity } from '../../../src/capacity/guard.ts';
import { type ControlPlane, startControlPlane } from '../../support/cluster/control-plane.ts';
import { type EgressFleet, installEgressFleet } from '../../support/cluster/egress-fleet.ts';
import { type Kwok, startKwok } from '../../support/cluster/kwok.ts';
import { eventually } from './eventually.ts';
import { fleetWith } from './killed-launch.ts';
import { openCapacity, workersOf } from './open.ts';

const PODS = 300;
const LEAVING = 100;
/** Each pod asks for 4 GiB, and a node has room for 110 pods. */
const NODE = { cores: 64, memory: '512Gi' };
const NODES = 4;
const LIMIT_MS = 90_000;
const LOOKS = 100;

let folder: string;
let controlPlane: ControlPlane;
let kwok: Kwok;
let fleet: EgressFleet;
let provider: Capacity;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-many-'));
  controlPlane = await startControlPlane({ stateDir: folder, audit: true });
  kwok = await startKwok({ kubeconfig: controlPlane.kubeconfig, stateDir: join(folder, 'kwok') });
  await kwok.createNodes(NODES, NODE);
  fleet = await installEgressFleet(controlPlane, { namespace: 'many', egressConfig: 'redis: {}', cpu: '500m' });
  provider = await openCapacity(fleetWith(fleet.capacity));
});

afterAll(async () => {
  await provider?.close?.();
  await kwok?.stop();
  await controlPlane?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

async function running(): Promise<string[]> {
  return (await workersOf(provider))
    .filter(({ state }) => state === 'running')
    .map(({ id }) => id)
    .sort();
}

it('are made in one step, and each is listed once', async () => {
  const { launched, problems } = await provider.launch(PODS, 'many');
  expect(problems).toEqual([]);
  expect(new Set(launched).size).toBe(PODS);
  await eventually(async () => (await running()).length === PODS, LIMIT_MS);
  expect(await running()).toEqual([...launched].sort());
});

it('are looked at without a request', async () => {
  const requests = () => controlPlane.requests('system:serviceaccount:many:reelkit-worker');
  const before = (await requests()).length;
  for (let look = 0; look < LOOKS; look += 1) expect(await workersOf(provider)).toHaveLength(PODS);
  // A watch that the server ended meanwhile begins again.
  const asked = (await requests()).slice(before).filter(({ verb }) => verb !== 'watch');
  expect(asked).toEqual([]);
});

it('go one by one: exactly those that were chosen, also while the API server restarts', async () => {
  const all = await running();
  const leaving = all.filter((_, index) => index % 3 === 0);
  const staying = all.filter((_, index) => index % 3 !== 0);
  expect(leaving).toHaveLength(LEAVING);
  await Promise.all(leaving.map((id) => provider.drain(id)));
  await controlPlane.kill('apiserver');
  expect((await workersOf(provider)).filter(({ id }) => staying.includes(id))).toHaveLength(staying.length);
  await controlPlane.restart('apiserver');
  const there = async () => (await fleet.pods()).map(({ metadata }) => metadata.name).sort();
  await eventually(async () => (await there()).length === staying.length, LIMIT_MS);
  expect(await there()).toEqual(staying);
  await eventually(async () => (await running()).join() === staying.join(), LIMIT_MS);
});
