// The rule of the HorizontalPodAutoscaler for one resource metric, with its defaults for growth
// (kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale, "Algorithm details"). Pure.

export interface HpaRule {
  /** Of the request. */
  target: number;
  tolerance: number;
  minReplicas: number;
  maxReplicas: number;
  /** It shrinks to the highest recommendation of this long. */
  stabilisationMs: number;
}

export interface HpaView {
  replicas: number;
  /** One a pod that stays; undefined: not ready yet. */
  utilisations: (number | undefined)[];
  recommended: readonly Recommendation[];
  nowMs: number;
}

export interface Recommendation {
  atMs: number;
  replicas: number;
}

/** Up to the double, or four more, at a time. */
const GROWTH = { share: 2, pods: 4 };

/** @returns the last of them is what the metric asks for now */
export function recommendations(rule: HpaRule, view: HpaView): Recommendation[] {
  const { replicas, recommended, nowMs } = view;
  const most = Math.min(rule.maxReplicas, Math.max(replicas * GROWTH.share, replicas + GROWTH.pods));
  const wanted = Math.min(most, Math.max(rule.minReplicas, recommend(rule, view)));
  const recent = recommended.filter(({ atMs }) => nowMs - atMs <= rule.stabilisationMs);
  return [...recent, { atMs: nowMs, replicas: wanted }];
}

export function desiredReplicas(replicas: number, recommended: readonly Recommendation[]): number {
  const wanted = recommended.at(-1)?.replicas ?? replicas;
  return wanted > replicas ? wanted : Math.min(replicas, Math.max(...recommended.map((one) => one.replicas)));
}

/** Pods that are not ready yet count as idle where the fleet would grow, and not at all where it would shrink. */
function recommend(rule: HpaRule, { replicas, utilisations }: HpaView): number {
  const ready = utilisations.filter((one) => one !== undefined);
  const ratio = mean(ready) / rule.target;
  if (ready.length === 0 || Math.abs(ratio - 1) <= rule.tolerance) return replicas;
  if (ratio < 1) return Math.ceil(ratio * ready.length);
  const all = utilisations.map((one) => one ?? 0);
  const cautious = mean(all) / rule.target;
  return cautious <= 1 + rule.tolerance ? replicas : Math.ceil(cautious * all.length);
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
