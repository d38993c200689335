// The labels and annotations by which Reelkit knows its pods, and those by which others leave busy ones alone.

export const LABELS = {
  /** The fleet a worker belongs to: whatever carries it is a worker of that fleet, whoever made it. */
  fleet: 'reelkit.dev/fleet',
  /** Only while busy: the PodDisruptionBudget selects it. */
  busy: 'reelkit.dev/busy',
  managedBy: 'app.kubernetes.io/managed-by',
} as const;

export const MANAGER = 'reelkit';

export const ANNOTATIONS = {
  /** The launch that made the pod; absent on pods that Reelkit did not make. */
  launch: 'reelkit.dev/launch',
  /** Of the template it was made from. */
  template: 'reelkit.dev/template',
  /** cluster-autoscaler: may it evict this pod to remove its node? Without a word it may not evict pods like these at all. */
  safeToEvict: 'cluster-autoscaler.kubernetes.io/safe-to-evict',
  /** Karpenter: "true" keeps the node. */
  doNotDisrupt: 'karpenter.sh/do-not-disrupt',
} as const;

/** Each a merge patch: null removes. */
export function protection(busy: boolean) {
  return {
    labels: { [LABELS.busy]: busy ? 'true' : null },
    annotations: {
      [ANNOTATIONS.safeToEvict]: busy ? 'false' : 'true',
      [ANNOTATIONS.doNotDisrupt]: busy ? 'true' : null,
    },
  };
}
