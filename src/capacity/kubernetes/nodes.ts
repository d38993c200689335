// Is a node being emptied? By what people, autoscalers and clouds do before they take one away: they mark it so that no new pod
// comes. What passes by itself, such as memory pressure or a silent kubelet, is no reason to go. Pure.

import type { V1Node, V1Pod, V1Taint, V1Toleration } from '@kubernetes/client-node';
import { defined } from '../../common/defined.ts';

const CORDONED: V1Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
/** Kubernetes' own conditions of a node; `unschedulable` is somebody's decision. */
const CONDITIONS = /^node(\.cloudprovider)?\.kubernetes\.io\/(?!unschedulable$|shutdown$|out-of-service$)/;

/** Why the node is being emptied of this pod; undefined: it is not, or the pod is to stay on it all the same. */
export function whyLeaving(node: V1Node | undefined, pod: V1Pod): string | undefined {
  if (!node) return undefined;
  if (node.metadata?.deletionTimestamp !== undefined) return 'its node is being removed';
  const taints = [...(node.spec?.unschedulable ? [CORDONED] : []), ...(node.spec?.taints ?? [])];
  const tolerations = pod.spec?.tolerations ?? [];
  const taint = taints.find(
    ({ key, effect, value }) =>
      effect !== 'PreferNoSchedule' &&
      !CONDITIONS.test(key) &&
      !tolerations.some((toleration) => tolerates(toleration, { key, effect, ...defined({ value }) })),
  );
  if (!taint) return undefined;
  return `its node is being emptied (${taint.key === CORDONED.key ? 'cordoned' : `taint ${taint.key}`})`;
}

/** As the scheduler reads them: no key with Exists is every taint, no effect is every effect. */
function tolerates({ key, operator = 'Equal', value = '', effect }: V1Toleration, taint: V1Taint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (operator === 'Exists') return !key || key === taint.key;
  return key === taint.key && value === (taint.value ?? '');
}
