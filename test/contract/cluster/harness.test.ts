// The harness of the Kubernetes tests, tested itself: a real control plane, the kubelet of test/support/cluster that runs pods as
// processes, and kwok for the many that run nothing.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1Node, V1Pod, V1PodSpec } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isAlive } from '../../../src/dev/components/store.ts';
import { ensureStandIn } from '../../../src/dev/components.ts';
import { egressConfig } from '../../../src/dev/egress-config.ts';
import { reportToStderr } from '../../../src/dev/reporter.ts';
import { type Stack, startStack } from '../../../src/dev/stack.ts';
import { type ControlPlane, startControlPlane } from '../../support/cluster/control-plane.ts';
import { type Kubelet, startKubelet } from '../../support/cluster/kubelet.ts';
import { fakeNodeAnnotation, startKwok } from '../../support/cluster/kwok.ts';
import { nameLogs, waitFor } from '../../support/stack-wait.ts';

const NODE_GRACE_S = 10;
const LIMIT_MS = 90_000;

let folder: string;
let stack: Stack;
let cluster: ControlPlane;
let kubelet: Kubelet;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-harness-'));
  nameLogs(folder);
  const egressBin = await ensureStandIn(reportToStderr);
  stack = await startStack({ stateDir: join(folder, 'stack'), parts: ['redis'] });
  cluster = await startControlPlane({
    stateDir: join(folder, 'cluster'),
    audit: true,
    nodeGraceSeconds: NODE_GRACE_S,
    report: reportToStderr,
  });
  kubelet = await startKubelet({
    kubeconfig: cluster.kubeconfig,
    dir: join(folder, 'kubelet'),
    egressBin,
    pool: { bootMs: 500, cores: 8, maxNodes: 2, labels: { pool: 'yes' }, emptyMs: 1_000 },
    workerEnv: { STANDIN_MEDIA: 'none' },
  });
  await kubelet.addNode('one', { cores: 16 });
  await cluster.kubectl(['create', 'secret', 'generic', 'egress', `--from-literal=config.yaml=${egressConfig(stack)}`]);
});

afterAll(async () => {
  await kubelet?.stop();
  await cluster?.stop();
  await stack?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const CONFIG = { name: 'EGRESS_CONFIG_BODY', valueFrom: { secretKeyRef: { name: 'egress', key: 'config.yaml' } } };

function podOf(name: string, spec: Partial<V1PodSpec> = {}, cpu = '1'): V1Pod {
  const container = {
    name: 'egress',
    image: 'livekit/egress:v1.14.0',
    resources: { requests: { cpu } },
    ports: [
      { name: 'health', containerPort: 9090 },
      { name: 'metrics', containerPort: 9091 },
    ],
    env: [CONFIG],
    readinessProbe: { httpGet: { path: '/', port: 'health' }, periodSeconds: 1 },
  };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [container], ...spec } };
}

async function create(...pods: V1Pod[]): Promise<void> {
  await cluster.kubectl(['create', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods }));
}

async function get(name: string): Promise<V1Pod> {
  return JSON.parse(await cluster.kubectl(['get', 'pod', name, '-o', 'json']));
}

async function list(kind: string): Promise<{ metadata: { name: string } }[]> {
  return JSON.parse(await cluster.kubectl(['get', kind, '-o', 'json'])).items;
}

const until = (name: string, what: string, holds: (pod: V1Pod) => boolean) =>
  waitFor(`pod ${name}: ${what}`, () => get(name), holds, LIMIT_MS);
const untilReady = (name: string) => until(name, 'ready', isReady);
const untilGone = (name: string) =>
  waitFor(
    `pod ${name} is gone`,
    () => list('pods'),
    (pods) => pods.every(({ metadata }) => metadata.name !== name),
    LIMIT_MS,
  );

function isReady({ status }: V1Pod): boolean {
  return conditionOf(status?.conditions, 'Ready')?.status === 'True';
}

function conditionOf<T extends { type: string }>(conditions: T[] | undefined, type: string): T | undefined {
  return conditions?.find((condition) => condition.type === type);
}

function statusOf({ status }: V1Pod) {
  const container = status?.containerStatuses?.[0];
  return { phase: status?.phase, ...container, waiting: container?.state?.waiting?.reason };
}

function remove(name: string, ...flags: string[]): Promise<string> {
  return cluster.kubectl(['delete', 'pod', name, '--wait=false', ...flags]);
}

function processOf(name: string) {
  const found = kubelet.processes().find(({ pod }) => pod === name);
  if (!found) throw new Error(`pod ${name} has no process`);
  return found;
}

const signalsTo = (name: string) => kubelet.signals().filter(({ pod }) => pod === name);

describe('a pod', () => {
  it('becomes an egress process that answers at the pod’s own address', async () => {
    await create(podOf('answers'), podOf('neighbour', { restartPolicy: 'Never' }));
    const [pod, neighbour] = await Promise.all([untilReady('answers'), untilReady('neighbour')]);
    expect(statusOf(pod)).toMatchObject({ phase: 'Running', ready: true, started: true, restartCount: 0 });
    expect(pod.status?.podIP).not.toBe(neighbour.status?.podIP);
    const health = await fetch(`http://${pod.status?.podIP}:9090/`);
    expect(await health.json()).toHaveProperty('CpuLoad');
    expect(await (await fetch(`http://${pod.status?.podIP}:9091/metrics`)).text()).toContain('livekit_egress_');
    await kubelet.crash('neighbour');
    await expect(fetch(`http://${neighbour.status?.podIP}:9090/`)).rejects.toThrow();
    await remove('neighbour');
    await remove('answers');
    await untilGone('answers');
    await untilGone('neighbour');
    expect(signalsTo('answers').map(({ signal }) => signal)).toEqual(['SIGTERM']);
    await expect(fetch(`http://${pod.status?.podIP}:9090/`)).rejects.toThrow();
  });

  it('gets its environment from fields, resources and mounted files', async () => {
    const pod = podOf('environment', {}, '1500m');
    const [container] = pod.spec?.containers ?? [];
    Object.assign(container ?? {}, {
      env: [
        { name: 'EGRESS_CONFIG_FILE', value: '/etc/egress/config.yaml' },
        { name: 'LIVEKIT_CPU_REQUEST', valueFrom: { resourceFieldRef: { resource: 'requests.cpu' } } },
        { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ],
      volumeMounts: [{ name: 'config', mountPath: '/etc/egress' }],
    });
    Object.assign(pod.spec ?? {}, { volumes: [{ name: 'config', secret: { secretName: 'egress' } }] });
    await create(pod);
    const { status } = await untilReady('environment');
    // LIVEKIT_CPU_REQUEST, rounded up.
    expect(await (await fetch(`http://${status?.podIP}:9090/`)).json()).toMatchObject({ CpuLoad: 2 });
    await remove('environment', '--force', '--grace-period=0');
    await waitFor(
      'its process has ended',
      async () => kubelet.processes(),
      (all) => all.length === 0,
    );
  });

  it('that ignores SIGTERM is killed after its grace, and sooner when a second deletion says so', async () => {
    // The stand-in drains for as long as it records; a stopped process does not even begin to.
    await create(
      podOf('stubborn', { terminationGracePeriodSeconds: 2 }),
      podOf('hurried', { terminationGracePeriodSeconds: 3_600 }),
    );
    await Promise.all([untilReady('stubborn'), untilReady('hurried')]);
    for (const name of ['stubborn', 'hurried']) process.kill(processOf(name).pid, 'SIGSTOP');
    await Promise.all([remove('stubborn'), remove('hurried')]);
    await untilGone('stubborn');
    const [term, kill] = signalsTo('stubborn');
    expect([term?.signal, kill?.signal]).toEqual(['SIGTERM', 'SIGKILL']);
    expect((kill?.atMs ?? 0) - (term?.atMs ?? 0)).toBeGreaterThan(1_900);
    expect(signalsTo('hurried').map(({ signal }) => signal)).toEqual(['SIGTERM']);
    await remove('hurried', '--grace-period=1');
    await untilGone('hurried');
    expect(signalsTo('hurried').map(({ signal }) => signal)).toEqual(['SIGTERM', 'SIGKILL']);
  });

  it('whose image cannot be pulled says so, and starts when it can', async () => {
    kubelet.failPulls(/^livekit\/egress/);
    await create(podOf('no-image'));
    const pod = await until('no-image', 'waits', (seen) => statusOf(seen).waiting === 'ImagePullBackOff');
    expect(statusOf(pod)).toMatchObject({ phase: 'Pending', ready: false });
    expect(pod.status?.containerStatuses?.[0]?.state?.waiting?.message).toContain('livekit/egress:v1.14.0');
    kubelet.failPulls(undefined);
    await untilReady('no-image');
    await remove('no-image');
  });

  it('that refers to a secret that is missing waits for it', async () => {
    const pod = podOf('no-secret');
    Object.assign(pod.spec?.containers[0] ?? {}, {
      env: [{ ...CONFIG, valueFrom: { secretKeyRef: { name: 'later', key: 'config.yaml' } } }],
    });
    await create(pod);
    const waiting = await until(
      'no-secret',
      'waits',
      (seen) => statusOf(seen).waiting === 'CreateContainerConfigError',
    );
    expect(waiting.status?.containerStatuses?.[0]?.state?.waiting?.message).toBe('secret "later" not found');
    const literal = `--from-literal=config.yaml=${egressConfig(stack)}`;
    await cluster.kubectl(['create', 'secret', 'generic', 'later', literal]);
    await untilReady('no-secret');
    await remove('no-secret');
  });

  it('that crashes is restarted at once, and again after a back-off', async () => {
    await create(podOf('crashes'));
    await untilReady('crashes');
    await kubelet.crash('crashes');
    const once = await until('crashes', 'restarted', (pod) => isReady(pod) && statusOf(pod).restartCount === 1);
    expect(statusOf(once).lastState?.terminated).toMatchObject({ exitCode: 137, reason: 'Error' });
    const crashAgain = async () => {
      if (kubelet.processes().some(({ pod }) => pod === 'crashes')) await kubelet.crash('crashes');
      return get('crashes');
    };
    const backsOff = (pod: V1Pod) => statusOf(pod).waiting === 'CrashLoopBackOff';
    const { restartCount } = statusOf(await waitFor('a back-off', crashAgain, backsOff, LIMIT_MS));
    await until('crashes', 'restarted again', (pod) => isReady(pod) && statusOf(pod).restartCount !== restartCount);
    await remove('crashes');
  });

  it('that is never restarted ends Succeeded or Failed, as its process did', async () => {
    await create(podOf('drains', { restartPolicy: 'Never' }), podOf('dies', { restartPolicy: 'OnFailure' }));
    await Promise.all([untilReady('drains'), untilReady('dies')]);
    process.kill(processOf('drains').pid, 'SIGTERM');
    const drained = await until('drains', 'over', ({ status }) => status?.phase === 'Succeeded');
    expect(drained.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ reason: 'Completed' });
    await kubelet.evict('dies', 'The node was low on resource: memory.');
    expect((await get('dies')).status).toMatchObject({ phase: 'Failed', reason: 'Evicted' });
    expect(signalsTo('dies').map(({ signal }) => signal)).toEqual(['SIGKILL']);
    await remove('drains');
    await remove('dies');
    await untilGone('dies');
  });

  it('whose probe fails is not ready, while its process lives', async () => {
    await create(podOf('deaf'));
    await untilReady('deaf');
    const { pid } = processOf('deaf');
    kubelet.deafen('deaf', true);
    const deaf = await until('deaf', 'not ready', (pod) => !isReady(pod));
    expect(conditionOf(deaf.status?.conditions, 'Ready')?.reason).toBe('ContainersNotReady');
    kubelet.deafen('deaf', false);
    await untilReady('deaf');
    expect(processOf('deaf').pid).toBe(pid);
    await remove('deaf');
    await untilGone('deaf');
  });
});

describe('nodes', () => {
  const nodeReadiness = async (name: string) => {
    const nodes = (await list('nodes')) as V1Node[];
    return conditionOf(nodes.find(({ metadata }) => metadata?.name === name)?.status?.conditions, 'Ready')?.status;
  };
  const poolNodes = async () => (await list('nodes')).filter(({ metadata }) => metadata.name.startsWith('pool-'));

  it('of the pool boot for pods that fit nowhere, as few as will do, and go when they are empty', async () => {
    const large = { nodeSelector: { pool: 'yes' } };
    await create(podOf('large-1', large, '4'), podOf('large-2', large, '4'), podOf('large-3', large, '4'));
    await until('large-1', 'unschedulable', ({ status }) => {
      const scheduled = conditionOf(status?.conditions, 'PodScheduled');
      return scheduled?.reason === 'Unschedulable' || status?.phase === 'Running';
    });
    await Promise.all(['large-1', 'large-2', 'large-3'].map(untilReady));
    expect(await poolNodes()).toHaveLength(2);
    await Promise.all(['large-1', 'large-2', 'large-3'].map((name) => remove(name)));
    await waitFor('no node of the pool is left', poolNodes, (nodes) => nodes.length === 0);
  });

  it('that lose power become NotReady with their pods, and start them anew when they are back', async () => {
    await create(podOf('on-one'));
    await untilReady('on-one');
    const { pid, node } = processOf('on-one');
    await kubelet.loseNode(node);
    expect(isAlive(pid)).toBe(false);
    await waitFor(
      `node ${node} is NotReady`,
      () => nodeReadiness(node),
      (ready) => ready === 'Unknown',
    );
    await until('on-one', 'not ready', (pod) => !isReady(pod));
    await kubelet.returnNode(node);
    await until('on-one', 'ready again', (pod) => isReady(pod) && statusOf(pod).restartCount === 1);
    expect(await nodeReadiness(node)).toBe('True');
  });

  it('that are cut off keep their processes, and hear of a deletion only when they are back', async () => {
    const { pid, node } = processOf('on-one');
    await kubelet.loseNode(node, 'partition');
    await until('on-one', 'not ready', (pod) => !isReady(pod));
    await remove('on-one');
    await until('on-one', 'to be deleted', ({ metadata }) => metadata?.deletionTimestamp !== undefined);
    expect(processOf('on-one').pid).toBe(pid);
    await kubelet.returnNode(node);
    await untilGone('on-one');
    expect(kubelet.processes()).toEqual([]);
  });
});

describe('kwok', () => {
  it('runs fifty pods on nodes of its own', async () => {
    const kwok = await startKwok({ kubeconfig: cluster.kubeconfig, stateDir: join(folder, 'kwok') });
    const taint = { key: 'kwok', value: 'yes', effect: 'NoSchedule' };
    const names = await kwok.createNodes(2, { cores: 32, taints: [taint], labels: { kwok: 'yes' } });
    const fake = { nodeSelector: { kwok: 'yes' }, tolerations: [{ key: 'kwok', operator: 'Exists' }] };
    await create(...Array.from({ length: 50 }, (_, i) => podOf(`fake-${i}`, fake)));
    const pods = (await waitFor(
      '50 pods are ready',
      () => list('pods'),
      (seen) => (seen as V1Pod[]).filter(isReady).length === 50,
    )) as V1Pod[];
    expect(new Set(pods.map(({ spec }) => spec?.nodeName))).toEqual(new Set(names));
    expect(kubelet.processes()).toEqual([]);
    const [node] = (await list('nodes')) as V1Node[];
    expect(node?.metadata?.annotations).toMatchObject(fakeNodeAnnotation);
    await cluster.kubectl(['delete', 'pods', '--all', '--wait=false']);
    await waitFor(
      'all are gone',
      () => list('pods'),
      (seen) => seen.length === 0,
    );
    await kwok.stop();
  });
});

describe('the control plane', () => {
  it('knows who asked for what, and refuses what no role allows', async () => {
    await cluster.createNamespace('tenant');
    const kubeconfig = await cluster.kubeconfigFor('tenant', 'default');
    await expect(cluster.kubectl(['get', 'pods', `--kubeconfig=${kubeconfig}`])).rejects.toThrow(
      /cannot list resource/,
    );
    const asked = await cluster.requests('system:serviceaccount:tenant:default');
    expect(asked).toContainEqual(expect.objectContaining({ verb: 'list', resource: 'pods', code: 403 }));
  });

  it('comes back after a kill of the API server, and everything goes on', async () => {
    await create(podOf('before'));
    await untilReady('before');
    const { pid } = processOf('before');
    await cluster.kill('apiserver');
    await expect(cluster.kubectl(['get', 'pods'])).rejects.toThrow(/refused/);
    await cluster.restart('apiserver');
    await create(podOf('after'));
    await Promise.all([untilReady('before'), untilReady('after')]);
    expect(processOf('before').pid).toBe(pid);
    await Promise.all([remove('before'), remove('after')]);
    await untilGone('before');
  });

  it('forgets its history on demand: who resumes a watch from before is told 410 Gone', async () => {
    const before = JSON.parse(await cluster.kubectl(['get', '--raw', '/api/v1/pods'])).metadata.resourceVersion;
    const path = `/api/v1/pods?watch=true&timeoutSeconds=1&resourceVersion=${before}`;
    expect(await cluster.kubectl(['get', '--raw', path])).not.toContain('Expired');
    await cluster.compact();
    expect(await cluster.kubectl(['get', '--raw', path])).toMatch(/"reason":"Expired","code":410/);
  });
});
