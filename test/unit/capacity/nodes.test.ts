// Which nodes are being emptied of a pod, by the marks that people, autoscalers and clouds leave on them.
import type { V1Node, V1Taint, V1Toleration } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { whyLeaving } from '../../../src/capacity/kubernetes/nodes.ts';

const POOL: V1Taint = { key: 'pool', value: 'egress', effect: 'NoSchedule' };
const pod = (...tolerations: V1Toleration[]) => ({
  spec: { containers: [], tolerations: [{ key: 'pool', value: 'egress', effect: 'NoSchedule' }, ...tolerations] },
});
const node = (spec: V1Node['spec'], metadata: V1Node['metadata'] = {}): V1Node => ({ metadata, spec: spec ?? {} });
const tainted = (key: string, effect = 'NoSchedule', value?: string) =>
  node({ taints: [POOL, { key, effect, ...(value === undefined ? {} : { value }) }] });

describe('a pod is to leave its node', () => {
  it.each<[string, V1Node, string]>([
    ['that is cordoned', node({ unschedulable: true }), 'its node is being emptied (cordoned)'],
    ['whose cordon is a taint', tainted('node.kubernetes.io/unschedulable'), 'its node is being emptied (cordoned)'],
    [
      'that Karpenter disrupts',
      tainted('karpenter.sh/disrupted'),
      'its node is being emptied (taint karpenter.sh/disrupted)',
    ],
    [
      'that cluster-autoscaler removes',
      tainted('ToBeDeletedByClusterAutoscaler'),
      'its node is being emptied (taint ToBeDeletedByClusterAutoscaler)',
    ],
    [
      'that a spot notice names',
      tainted('aws-node-termination-handler/spot-itn', 'NoExecute'),
      'its node is being emptied (taint aws-node-termination-handler/spot-itn)',
    ],
    [
      'that its cloud shuts down',
      tainted('node.cloudprovider.kubernetes.io/shutdown'),
      'its node is being emptied (taint node.cloudprovider.kubernetes.io/shutdown)',
    ],
    [
      'that is out of service',
      tainted('node.kubernetes.io/out-of-service', 'NoExecute'),
      'its node is being emptied (taint node.kubernetes.io/out-of-service)',
    ],
    ['whose object is being deleted', node({}, { deletionTimestamp: new Date() }), 'its node is being removed'],
  ])('%s', (_, seen, why) => {
    expect(whyLeaving(seen, pod())).toBe(why);
  });
});

describe('a pod may stay on its node', () => {
  it.each<[string, V1Node | undefined, V1Toleration[]]>([
    ['that has the taint of its pool', node({ taints: [POOL] }), []],
    ['that nobody knows', undefined, []],
    ['that is not ready', tainted('node.kubernetes.io/not-ready'), []],
    ['that is short of memory', tainted('node.kubernetes.io/memory-pressure'), []],
    ['that has not come up yet', tainted('node.cloudprovider.kubernetes.io/uninitialized'), []],
    ['that new pods only should not go to', tainted('DeletionCandidateOfClusterAutoscaler', 'PreferNoSchedule'), []],
    [
      'whose taint it tolerates by key',
      tainted('maintenance', 'NoSchedule', 'soon'),
      [{ key: 'maintenance', operator: 'Exists' }],
    ],
    [
      'whose taint it tolerates by value',
      tainted('maintenance', 'NoSchedule', 'soon'),
      [{ key: 'maintenance', value: 'soon' }],
    ],
    ['when it tolerates everything', node({ unschedulable: true }), [{ operator: 'Exists' }]],
  ])('%s', (_, seen, tolerations) => {
    expect(whyLeaving(seen, pod(...tolerations))).toBeUndefined();
  });

  it('but not for a toleration of another value or effect', () => {
    const seen = tainted('maintenance', 'NoExecute', 'now');
    expect(whyLeaving(seen, pod({ key: 'maintenance', value: 'soon' }))).toMatch('maintenance');
    expect(whyLeaving(seen, pod({ key: 'maintenance', operator: 'Exists', effect: 'NoSchedule' }))).toMatch(
      'maintenance',
    );
  });
});
