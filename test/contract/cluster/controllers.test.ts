// Why Reelkit makes each pod itself: what the controllers of Kubernetes do to busy workers, seen on a real control plane. The table
// drawn from it is in docs/decisions.md. Nothing of Reelkit runs here.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ensureStandIn } from '../../../src/dev/components.ts';
import { type Stack, startStack } from '../../../src/dev/stack.ts';
import { startCluster, type TestCluster } from '../../support/stack-cluster.ts';
import { waitFor } from '../../support/stack-wait.ts';

let folder: string;
let stack: Stack;
let cluster: TestCluster;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-controllers-'));
  stack = await startStack({ stateDir: folder, parts: ['workersRedis'] });
  cluster = await startCluster(stack, await ensureStandIn(() => {}), { pool: { bootMs: 100, cores: 64, maxNodes: 2 } });
});

afterAll(async () => {
  await cluster?.stop();
  await stack?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const kubectl = (...args: string[]) => cluster.controlPlane.kubectl(['-n', cluster.fleet.namespace, ...args]);
const labels = { app: 'recorder' };

interface Pod {
  metadata: { name: string; uid: string; deletionTimestamp?: string };
  spec: { containers: { image: string }[] };
  status: { conditions?: { type: string; status: string }[] };
}

async function pods(): Promise<Pod[]> {
  return (JSON.parse(await kubectl('get', 'pods', '-l', 'app=recorder', '-o', 'json')) as { items: Pod[] }).items;
}

const staying = (all: Pod[]) =>
  all.filter(({ metadata }) => !metadata.deletionTimestamp).map(({ metadata }) => metadata.name);
const isReady = ({ status }: Pod) =>
  status.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True') ?? false;

async function start(kind: string, apiVersion: string, spec: object): Promise<string[]> {
  const { template } = JSON.parse(await kubectl('get', 'podtemplate', 'reelkit-egress', '-o', 'json'));
  const pod = {
    metadata: { labels },
    spec: { ...template.spec, terminationGracePeriodSeconds: 5, ...(kind === 'Job' ? { restartPolicy: 'Never' } : {}) },
  };
  const object = { apiVersion, kind, metadata: { name: 'recorder' }, spec: { ...spec, template: pod } };
  await cluster.controlPlane.kubectl(['-n', cluster.fleet.namespace, 'apply', '-f', '-'], stringify(object));
  const ready = await waitFor(
    'three ready pods',
    pods,
    (all) => all.filter(isReady).length === 3 && all.length === 3,
    60_000,
  );
  return ready.map(({ metadata }) => metadata.name);
}

async function end(kind: string): Promise<void> {
  await kubectl('delete', kind, 'recorder', '--cascade=foreground', '--wait=false');
  await waitFor('no pod', pods, ({ length }) => length === 0, 60_000);
}

test('a Deployment removes a busy worker whose probe fails for a moment before an idle one, whatever the deletion cost says', async () => {
  const [busy = '', ...idle] = await start('Deployment', 'apps/v1', { replicas: 3, selector: { matchLabels: labels } });
  await kubectl('annotate', 'pod', busy, 'controller.kubernetes.io/pod-deletion-cost=1000');
  for (const pod of idle) await kubectl('annotate', 'pod', pod, 'controller.kubernetes.io/pod-deletion-cost=0');
  cluster.kubelet.deafen(busy, true);
  await waitFor('the busy one to be unready', pods, (all) =>
    all.some((pod) => pod.metadata.name === busy && !isReady(pod)),
  );
  await kubectl('scale', 'deployment', 'recorder', '--replicas=2');
  const left = await waitFor(
    'two pods',
    async () => staying(await pods()),
    ({ length }) => length === 2,
  );
  expect(left.sort()).toEqual([...idle].sort());
  await end('deployment');
});

test('a Deployment replaces the one pod that was deleted by name', async () => {
  const [victim = '', ...others] = await start('Deployment', 'apps/v1', {
    replicas: 3,
    selector: { matchLabels: labels },
  });
  await kubectl('delete', 'pod', victim, '--wait=false');
  const left = await waitFor(
    'three pods again',
    async () => staying(await pods()),
    (names) => names.length === 3 && !names.includes(victim),
  );
  expect(left).toEqual(expect.arrayContaining(others));
  await end('deployment');
});

test('a StatefulSet removes the highest number, busy or not', async () => {
  const names = await start('StatefulSet', 'apps/v1', {
    replicas: 3,
    serviceName: 'recorder',
    podManagementPolicy: 'Parallel',
    selector: { matchLabels: labels },
  });
  const busy = 'recorder-2';
  expect(names).toContain(busy);
  await kubectl('annotate', 'pod', busy, 'controller.kubernetes.io/pod-deletion-cost=1000');
  await kubectl('scale', 'statefulset', 'recorder', '--replicas=2');
  const left = await waitFor(
    'two pods',
    async () => staying(await pods()),
    ({ length }) => length === 2,
  );
  expect(left.sort()).toEqual(['recorder-0', 'recorder-1']);
  await end('statefulset');
});

test.each([
  ['Deployment', 'deployment', {}],
  ['StatefulSet', 'statefulset', { serviceName: 'recorder', podManagementPolicy: 'Parallel' }],
])('a new image of a %s ends every worker, busy ones too', async (kind, name, spec) => {
  const before = await start(kind, 'apps/v1', { replicas: 3, selector: { matchLabels: labels }, ...spec });
  await kubectl('set', 'image', `${name}/recorder`, 'egress=livekit/egress:v2');
  await waitFor(
    'three new pods',
    pods,
    (all) =>
      all.length === 3 && all.every((pod) => isReady(pod) && pod.spec.containers[0]?.image === 'livekit/egress:v2'),
    90_000,
  );
  const ended = cluster.kubelet
    .signals()
    .filter(({ signal }) => signal === 'SIGTERM')
    .map(({ pod }) => pod);
  expect(ended).toEqual(expect.arrayContaining(before));
  await end(name);
});

test('a Job starts another worker when one is evicted, which nobody asked for', async () => {
  const [evicted = '', ...others] = await start('Job', 'batch/v1', { parallelism: 3, completions: 3, backoffLimit: 6 });
  await cluster.kubelet.evict(evicted, 'The node was low on resource: memory.');
  const left = await waitFor(
    'a fourth pod',
    async () => (await pods()).map(({ metadata }) => metadata.name),
    ({ length }) => length === 4,
    60_000,
  );
  expect(left).toEqual(expect.arrayContaining([evicted, ...others]));
  await end('job');
});
