// What a trial launch tells of a cluster that changes the pods it is given, and what is told of the namespace they go to.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig, type V1Pod } from '@kubernetes/client-node';
import { afterAll, describe, expect, it } from 'vitest';
import { findProblems, namespaceWarnings } from '../../../src/capacity/kubernetes/check.ts';
import { type Cluster, podNamespace } from '../../../src/capacity/kubernetes/client.ts';
import type { Inventory } from '../../../src/capacity/kubernetes/inventory.ts';

const template = {
  metadata: { name: 'egress', uid: 'u', resourceVersion: '1' },
  template: {
    spec: {
      terminationGracePeriodSeconds: 90_000,
      containers: [
        {
          name: 'egress',
          env: [{ name: 'EGRESS_CONFIG_BODY', value: 'cluster_id: $(REELKIT_TOPIC)' }],
          ports: [{ name: 'health', containerPort: 9090 }],
          resources: { requests: { cpu: '4' } },
        },
      ],
    },
  },
};

function problems(admit: (pod: V1Pod) => V1Pod) {
  const cluster = {
    namespace: 'reelkit',
    may: async () => true,
    createPod: async (pod: V1Pod, dryRun: boolean) => {
      expect(dryRun).toBe(true);
      return admit(pod);
    },
  } as unknown as Cluster;
  const inventory = { template: async () => template } as unknown as Inventory;
  const settings = { podTemplate: 'egress', container: 'egress', longestRecording: 3_600_000, watchNodes: false };
  return findProblems(cluster, inventory, { ...settings, fleet: 'default' } as Parameters<typeof findProblems>[2]);
}

const withContainer = (pod: V1Pod, key: 'containers' | 'initContainers', name: string): V1Pod => {
  const copy = structuredClone(pod);
  if (copy.spec) copy.spec[key] = [...(copy.spec[key] ?? []), { name }];
  return copy;
};

describe('the namespace of the workers', () => {
  const folders: string[] = [];
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

  /** As the client reads what the kubelet mounts into each pod. */
  async function inPodOf(namespace: string): Promise<string | undefined> {
    const folder = await mkdtemp(join(tmpdir(), 'reelkit-pod-'));
    folders.push(folder);
    const mounted = join(folder, 'var/run/secrets/kubernetes.io/serviceaccount');
    await mkdir(mounted, { recursive: true });
    await writeFile(join(mounted, 'namespace'), namespace);
    const config = new KubeConfig();
    config.loadFromCluster(folder);
    return podNamespace(config);
  }

  it('is warned of where Reelkit itself runs in it', async () => {
    const podNamespace = await inPodOf('reelkit');
    expect(podNamespace).toBe('reelkit');
    expect(namespaceWarnings({ namespace: 'reelkit', podNamespace })).toEqual([
      expect.stringMatching(/^the workers run in namespace reelkit, as Reelkit itself does: .*egress\.namespace/),
    ]);
    expect(namespaceWarnings({ namespace: 'reelkit-egress', podNamespace })).toEqual([]);
  });

  it('is not taken for its own by a process outside the cluster', () => {
    const config = new KubeConfig();
    config.loadFromClusterAndUser({ name: 'c', server: 'https://cluster', skipTLSVerify: false }, { name: 'u' });
    expect(podNamespace(config)).toBeUndefined();
    expect(namespaceWarnings({ namespace: 'default', podNamespace: podNamespace(config) })).toEqual([]);
  });
});

describe('a trial launch', () => {
  it('finds nothing where the pod stays as it is, or gets a container that runs before it', async () => {
    expect(await problems((pod) => pod)).toEqual([]);
    expect(await problems((pod) => withContainer(pod, 'initContainers', 'istio-init'))).toEqual([]);
  });

  it('names the sidecar of a mesh, which would end in the middle of a recording', async () => {
    expect(await problems((pod) => withContainer(pod, 'containers', 'istio-proxy'))).toEqual([
      expect.stringMatching(/^a sidecar is put into every worker \(istio-proxy\): .*Switch injection off/),
    ]);
  });
});
