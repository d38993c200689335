// The kubernetes provider against a real control plane, under exactly the Role that is installed, with pods that are real worker
// processes. What the cluster does to it: refusals, slow and dropped connections, watches that expire, a server that restarts.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Capacity } from '../../../src/capacity/guard.ts';
import { ensureStandIn } from '../../../src/dev/components.ts';
import { reportToStderr } from '../../../src/dev/reporter.ts';
import { type Stack, startStack } from '../../../src/dev/stack.ts';
import { createProbe } from '../../../src/livekit/probe.ts';
import { installEgressFleet, type KubernetesInput } from '../../support/cluster/egress-fleet.ts';
import { SIDECAR, startMesh } from '../../support/cluster/mesh.ts';
import { startCluster, type TestCluster } from '../../support/stack-cluster.ts';
import { eventually } from './eventually.ts';
import { fleetWith, launchAndKill } from './killed-launch.ts';
import { createOccupier, type Occupier } from './occupy.ts';
import { openCapacity, workersOf } from './open.ts';
import { describeProvider, type ProviderUnderTest, type Refusal } from './provider-contract.ts';

let folder: string;
let stack: Stack;
let cluster: TestCluster;
let occupier: Occupier;
const opened: Capacity[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-kubernetes-'));
  const bin = await ensureStandIn(reportToStderr);
  stack = await startStack({ stateDir: folder, parts: ['workersRedis'] });
  cluster = await startCluster(stack, bin, {
    pool: { bootMs: 300, cores: 16, maxNodes: 4 },
    workerEnv: { STANDIN_MEDIA: 'none' },
  });
  occupier = await createOccupier(stack.workersRedis);
});

afterAll(async () => {
  await Promise.all(opened.map((provider) => provider.close?.()));
  await occupier?.close();
  await cluster?.stop();
  await stack?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

async function open(changes: Partial<KubernetesInput> = {}): Promise<Capacity> {
  const provider = await openCapacity(fleetWith({ ...cluster.capacity, ...changes }));
  opened.push(provider);
  return provider;
}

async function kubectl(...args: string[]): Promise<string> {
  return cluster.controlPlane.kubectl(['-n', cluster.fleet.namespace, ...args]);
}

async function apply(object: object): Promise<void> {
  await cluster.controlPlane.kubectl(['apply', '-f', '-'], stringify(object));
}

/** A namespace with a fleet that differs in one thing. */
let namespaces = 0;
async function otherFleet(options: Partial<Parameters<typeof installEgressFleet>[1]>): Promise<KubernetesInput> {
  namespaces += 1;
  const fleet = await installEgressFleet(cluster.controlPlane, {
    namespace: `other-${namespaces}`,
    egressConfig: 'redis: {}',
    ...options,
  });
  return fleet.capacity;
}

async function subject(): Promise<ProviderUnderTest> {
  return {
    provider: await open(),
    crash: async (id) => {
      // A container that crashes is restarted in its pod; a pod that is lost is lost.
      await kubectl('delete', 'pod', id, '--force', '--grace-period=0', '--wait=false');
    },
    successor: () => open(),
    killedWhileLaunching: (count, token) => launchAndKill(fleetWith(cluster.capacity), count, token),
    async unasked() {
      const template = JSON.parse(await kubectl('get', 'podtemplate', 'reelkit-egress', '-o', 'json'));
      await apply({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'by-hand', namespace: cluster.fleet.namespace, labels: { 'reelkit.dev/fleet': 'default' } },
        spec: template.template.spec,
      });
      return 'by-hand';
    },
    occupy: (topic) => occupier.occupy(topic),
    slow: (ms) => cluster.network.delay(ms),
    stop: async () => {},
  };
}

/** Something in the fleet's own namespace that stops every launch until it is gone. */
function obstacle(name: string, kind: Refusal['kind'], message: RegExp, object: object): Refusal {
  return {
    name,
    kind,
    message,
    async provoke({ provider }) {
      await apply(object);
      return {
        provider,
        undo: async () => void (await cluster.controlPlane.kubectl(['delete', '-f', '-'], stringify(object))),
      };
    },
  };
}

/** A provider of its own that is refused. */
function refused(
  name: string,
  kind: Refusal['kind'],
  message: RegExp,
  capacity: () => Promise<Partial<KubernetesInput>>,
): Refusal {
  return {
    name,
    kind,
    message,
    provoke: async () => ({ provider: await open(await capacity()), undo: async () => {} }),
  };
}

const inFleet = (name: string) => ({ name, namespace: 'reelkit' });
const REFUSALS: Refusal[] = [
  {
    name: 'a quota is used up',
    kind: 'no_capacity',
    message: /exceeded quota: media.*raise the ResourceQuota/,
    async provoke({ provider }) {
      await apply({
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: inFleet('media'),
        spec: { hard: { pods: '0' } },
      });
      // Enforced once the quota controller has counted.
      await eventually(
        async () => (await kubectl('get', 'resourcequota', 'media', '-o', 'jsonpath={.status.used.pods}')) !== '',
      );
      return { provider, undo: async () => void (await kubectl('delete', 'resourcequota', 'media')) };
    },
  },
  obstacle('a limit range forbids pods of this size', 'configuration', /must be less than or equal to cpu limit of 1/, {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: inFleet('small'),
    spec: { limits: [{ type: 'Container', max: { cpu: '1' }, default: { cpu: '1' } }] },
  }),
  refused('the role may not create pods', 'configuration', /cannot create resource "pods".*Role/, () =>
    otherFleet({ withoutVerbs: ['create'] }),
  ),
  refused('there is no such namespace', 'configuration', /nowhere/, async () => ({ namespace: 'nowhere' })),
  refused(
    'there is no such template',
    'configuration',
    /no PodTemplate "other" in namespace reelkit|podtemplates "other" is forbidden/,
    async () => ({
      podTemplate: 'other',
    }),
  ),
  refused(
    'the template has no such container',
    'configuration',
    /no container "recorder" \(it has "egress"\)/,
    async () => ({
      container: 'recorder',
    }),
  ),
  refused(
    'the credentials are not valid',
    'configuration',
    /401: the credentials are not valid for this cluster/,
    async () => {
      const { kubeconfig = '' } = await otherFleet({});
      await cluster.controlPlane.kubectl(['delete', 'serviceaccount', 'reelkit-worker', '-n', `other-${namespaces}`]);
      return { kubeconfig };
    },
  ),
];

describeProvider('kubernetes', subject, REFUSALS);

describe('pods', () => {
  const probe = createProbe({ timeoutMs: 10_000 });
  const find = async (provider: Capacity, id: string) => (await workersOf(provider)).find((worker) => worker.id === id);
  const ready = async (provider: Capacity, count: number, token: string) => {
    const { launched } = await provider.launch(count, token);
    await eventually(async () => {
      const answers = await Promise.all(launched.map(async (id) => probe((await find(provider, id)) ?? {})));
      return answers.every(({ answered }) => answered);
    });
    return launched as [string, ...string[]];
  };
  const clear = async (provider: Capacity) => {
    for (const { id } of await workersOf(provider)) await provider.remove(id);
    await eventually(async () => (await workersOf(provider)).every(({ state }) => state === 'gone'));
  };

  it('that are busy cannot be evicted and are marked for the autoscalers, and idle ones can', async () => {
    const provider = await open();
    const [busy, idle] = await ready(provider, 2, 'evict');
    await provider.protect?.(busy, true);
    await provider.protect?.(idle ?? '', false);
    await eventually(async () => (await find(provider, busy))?.protected === true);
    const marks = JSON.parse(await kubectl('get', 'pod', busy, '-o', 'json')).metadata.annotations;
    expect(marks).toMatchObject({
      'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
      'karpenter.sh/do-not-disrupt': 'true',
    });
    await eventually(
      async () => (await kubectl('get', 'pdb', 'reelkit-egress-busy', '-o', 'jsonpath={.status.expectedPods}')) === '1',
    );
    const evict = (name: string) =>
      cluster.controlPlane.kubectl(
        ['create', '--raw', `/api/v1/namespaces/reelkit/pods/${name}/eviction`, '-f', '-'],
        JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'reelkit' } }),
      );
    await expect(evict(busy)).rejects.toThrow(/disruption budget/);
    await evict(idle ?? '');
    await eventually(async () => ((await find(provider, idle ?? ''))?.state ?? 'gone') === 'gone');
    expect(await find(provider, busy)).toMatchObject({ state: 'running', protected: true });
    await clear(provider);
  });

  it('are replaced in name only: a new image is for new workers, and the old ones are known as such', async () => {
    const provider = await open();
    const [old] = await ready(provider, 1, 'old');
    const changes: string[] = [];
    provider.onChange?.((why) => changes.push(why));
    await cluster.fleet.applyTemplate({ image: 'livekit/egress:v2' });
    await eventually(async () => (await find(provider, old))?.outdated === true);
    expect(changes).toContain('PodTemplate reelkit-egress has changed');
    const [fresh] = await ready(provider, 1, 'new');
    expect((await find(provider, fresh))?.outdated).toBeUndefined();
    const images = (await cluster.fleet.pods()).map(({ metadata, spec }) => [metadata.name, spec.containers[0]?.image]);
    expect(Object.fromEntries(images)).toMatchObject({ [old]: 'livekit/egress:v1.14.0', [fresh]: 'livekit/egress:v2' });
    await cluster.fleet.applyTemplate({});
    await eventually(async () => (await find(provider, old))?.outdated === undefined);
    await clear(provider);
  });

  it('tell why they are not ready: no node, image, crash loop, probe, eviction', async () => {
    const provider = await open();
    const { kubelet } = cluster;
    const reasonOf = async (id: string) => (await find(provider, id))?.reason ?? '';
    await cluster.fleet.applyTemplate({ cpu: '64' });
    const [tooLarge = ''] = (await provider.launch(1, 'large')).launched;
    await eventually(async () => /^no node yet: .*/.test(await reasonOf(tooLarge)));
    await cluster.fleet.applyTemplate({});
    await eventually(async () => (await find(provider, tooLarge))?.outdated === true);
    kubelet.failPulls(/./);
    const [noImage = ''] = (await provider.launch(1, 'image')).launched;
    await eventually(async () =>
      /^image pull failing \((ErrImagePull|ImagePullBackOff)\)/.test(await reasonOf(noImage)),
    );
    kubelet.failPulls(undefined);
    const [crashing, evicted] = await ready(provider, 2, 'sick');
    await eventually(async () => {
      if (kubelet.processes().some(({ pod }) => pod === crashing)) await kubelet.crash(crashing);
      return /^crash loop: \d+ restarts/.test(await reasonOf(crashing));
    });
    await kubelet.evict(evicted ?? '', 'The node was low on resource: memory.');
    await eventually(async () => (await reasonOf(evicted ?? '')) === 'evicted: The node was low on resource: memory.');
    expect((await find(provider, evicted ?? ''))?.state).toBe('gone');
    await clear(provider);
  });

  it('on a node that is being emptied are known as such, under the ClusterRole of the chart', async () => {
    const changes: string[] = [];
    const denied = await (await open({ watchNodes: true })).check();
    expect(denied.join()).toMatch(/may not list, watch nodes: bind.*watchNodes/);
    await cluster.fleet.allowNodes();
    const provider = await open({ watchNodes: true });
    provider.onChange?.((why) => changes.push(why));
    expect(await provider.check()).toEqual([]);
    const [id] = await ready(provider, 1, 'cordon');
    const node = cluster.kubelet.processes().find(({ pod }) => pod === id)?.node ?? '';
    const leaving = async () => (await find(provider, id))?.leaving;
    expect(await leaving()).toBeUndefined();
    await kubectl('cordon', node);
    await eventually(async () => (await leaving()) === 'its node is being emptied (cordoned)');
    expect(changes).toContain(`node ${node} was marked`);
    await kubectl('uncordon', node);
    await eventually(async () => (await leaving()) === undefined);
    await clear(provider);
  });

  it('that their node took with it are draining, and go when nothing can be on them', async () => {
    const provider = await open();
    const [lost] = await ready(provider, 1, 'lost');
    await kubectl('wait', '--for=condition=Ready', `pod/${lost}`, '--timeout=30s');
    const node = cluster.kubelet.processes().find(({ pod }) => pod === lost)?.node ?? '';
    await cluster.kubelet.loseNode(node);
    await eventually(async () => /its node does not answer/.test((await find(provider, lost))?.reason ?? ''), 60_000);
    expect((await probe((await find(provider, lost)) ?? {})).answered).toBe(false);
    await provider.remove(lost);
    await eventually(async () => (await find(provider, lost))?.state === 'draining');
    expect(await kubectl('get', 'pod', lost, '-o', 'jsonpath={.metadata.deletionGracePeriodSeconds}')).toBe('5');
    await cluster.kubelet.removeNode(node);
    await eventually(async () => ((await find(provider, lost))?.state ?? 'gone') === 'gone', 60_000);
  });
});

describe('the watch', () => {
  const seen = async (provider: Capacity) =>
    (await workersOf(provider)).map(({ id }) => id).filter((id) => ['before', 'meanwhile', 'after'].includes(id));
  const made = async (name: string) => {
    await apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'reelkit', labels: { 'reelkit.dev/fleet': 'default' } },
      // Nobody binds it to a node, so that nothing but the test changes it.
      spec: { schedulerName: 'nobody', containers: [{ name: 'egress', image: 'x' }] },
    });
  };
  const gone = (name: string) => kubectl('delete', 'pod', name, '--force', '--grace-period=0');

  it.each([
    ['a dropped connection', async () => cluster.network.cut()],
    [
      'a network that is away for a while',
      async () => {
        cluster.network.refuse(true);
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        cluster.network.refuse(false);
      },
    ],
    [
      'a network in which nothing comes through and nothing ends',
      async () => {
        cluster.network.cut();
        cluster.network.freeze(true);
        await new Promise((resolve) => setTimeout(resolve, 2_000));
        cluster.network.freeze(false);
      },
    ],
    [
      'a restart of the API server',
      async () => {
        await cluster.controlPlane.kill('apiserver');
        await cluster.controlPlane.restart('apiserver');
      },
    ],
    [
      // The server then answers 410 Gone to who goes on from where it was.
      'changes it missed while it was away, and a history that is gone',
      async () => {
        cluster.network.refuse(true);
        await made('meanwhile');
        await gone('meanwhile');
        await cluster.controlPlane.compact();
        cluster.network.refuse(false);
      },
    ],
  ])('survives %s without losing sight of a pod', async (_, happens) => {
    const provider = await open();
    await made('before');
    await eventually(async () => (await seen(provider)).includes('before'));
    await happens();
    expect(await seen(provider)).toContain('before');
    await made('after');
    await gone('before');
    await eventually(async () => (await seen(provider)).join() === 'after', 40_000);
    await gone('after');
    await eventually(async () => (await seen(provider)).length === 0);
  });
});

describe('a watch that shows nothing while everything else works', () => {
  it('makes no launch twice, and in the end the list is read anew', async () => {
    const provider = await open(await otherFleet({ withoutVerbs: ['watch'] }));
    expect(await workersOf(provider)).toEqual([]);
    const { launched } = await provider.launch(2, 'first');
    expect(await workersOf(provider)).toEqual([]);
    const { problems } = await provider.launch(2, 'again');
    const message = expect.stringContaining('has not shown 2 of 2 pods');
    expect(problems).toEqual([{ kind: 'retryable', code: 'watch_behind', message, count: 2 }]);
    expect((await provider.launch(2, 'first')).launched).toEqual(launched);
    await eventually(async () => (await workersOf(provider)).length === 2, 50_000);
  });
});

describe('what is wrong with the set-up', () => {
  it.each<[string, () => Promise<Partial<KubernetesInput>>, RegExp]>([
    ['a namespace that does not exist', async () => ({ namespace: 'nowhere' }), /namespace nowhere/],
    [
      'a role without create pods',
      () => otherFleet({ withoutVerbs: ['create'] }),
      /may not create pods in namespace other-\d+: bind/,
    ],
    ['a template without the egress container', async () => ({ container: 'recorder' }), /no container "recorder"/],
    [
      'a grace period that is too short',
      () => otherFleet({ podSpec: { terminationGracePeriodSeconds: 3_600 } }),
      /terminationGracePeriodSeconds is \d+/,
    ],
  ])('%s is named by check', async (_, capacity, message) => {
    expect((await (await open(await capacity())).check()).join('\n')).toMatch(message);
  });

  it("a mesh's sidecar is named by check, and is kept away from workers by the label they are installed with", async () => {
    const fleet = await otherFleet({});
    const of = fleet.namespace ?? '';
    const mesh = await startMesh(cluster.controlPlane, of);
    try {
      const check = async () => (await open(fleet)).check();
      // By it one sees that the webhook is in force.
      const bystander = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'bystander', namespace: of } };
      const spec = { containers: [{ name: 'own', image: 'own' }] };
      const tried = ['apply', '-f', '-', '--dry-run=server', '-o', 'jsonpath={.spec.containers[*].name}'];
      await eventually(async () =>
        (await cluster.controlPlane.kubectl(tried, stringify({ ...bystander, spec }))).includes(SIDECAR),
      );
      expect(await check()).toEqual([]);
      const unlabelled = { template: { metadata: { labels: { 'sidecar.istio.io/inject': null } } } };
      const patch = ['--type=merge', '--patch', JSON.stringify(unlabelled)];
      await cluster.controlPlane.kubectl(['patch', 'podtemplate', 'reelkit-egress', '-n', of, ...patch]);
      expect(await check()).toEqual([
        expect.stringContaining(`a sidecar is put into every worker (${SIDECAR}): it ends seconds after`),
      ]);
    } finally {
      await mesh.stop();
    }
  });

  it('no cluster at all is named at once', () => {
    return expect(open({ context: 'elsewhere' })).rejects.toThrow(
      /no context "elsewhere".*fleet\.capacity\.kubeconfig/,
    );
  });
});
