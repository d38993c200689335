// What a trial launch tells of a cluster that changes the pods it is given.
import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { findProblems } from '../../../src/capacity/kubernetes/check.ts';
import type { Cluster } from '../../../src/capacity/kubernetes/client.ts';
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
