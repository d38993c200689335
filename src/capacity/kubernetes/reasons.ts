// Why a pod does not serve, in words that tell the cases apart: no node yet, image pull failing, crash loop, configuration,
// evicted, node lost, probe failing. From the pod's own status, which is all the Role may read. Pure.
import type { V1ContainerStatus, V1Pod, V1PodCondition } from '@kubernetes/client-node';

const IMAGE_REASONS = [
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'RegistryUnavailable',
];
const CONFIG_REASONS = ['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError'];
/** The kubelet quotes whole requests and stack traces. */
const MESSAGE_LENGTH = 200;
/** An egress opens its health port within a second or two of its start. */
const STARTING_MS = 10_000;

/** Undefined: nothing is wrong, or nothing is known. */
export function whyNotReady(pod: V1Pod, containerName: string, nowMs: number): string | undefined {
  const { status } = pod;
  const container = containerStatus(pod, containerName);
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return whyEnded(pod, container);
  return (
    whyTakenAway(pod) ??
    whyUnscheduled(condition(pod, 'PodScheduled')) ??
    whyWaiting(container) ??
    status?.initContainerStatuses?.map(whyWaiting).find(Boolean) ??
    (isCutOff(pod, containerName) ? 'its node does not answer (NodeNotReady)' : undefined) ??
    whyUnready(condition(pod, 'Ready'), container, nowMs)
  );
}

/**
 * The node controller turns the pod's condition Ready and nothing else; only a kubelet writes about containers. What else keeps a
 * pod unready shows: a sidecar in ContainersReady, a readiness gate in its own condition.
 */
export function isCutOff(pod: V1Pod, containerName: string): boolean {
  const container = containerStatus(pod, containerName);
  const isTrue = (type: string) => condition(pod, type)?.status === 'True';
  return (
    condition(pod, 'Ready')?.status === 'False' &&
    isTrue('ContainersReady') &&
    (pod.spec?.readinessGates ?? []).every(({ conditionType }) => isTrue(conditionType)) &&
    container?.ready === true &&
    !container.state?.terminated
  );
}

function whyEnded(pod: V1Pod, container: V1ContainerStatus | undefined): string {
  const { status } = pod;
  if (status?.reason === 'Evicted') return `evicted: ${cut(status.message)}`;
  const taken = whyTakenAway(pod);
  if (taken) return taken;
  if (status?.reason) return `${status.reason}: ${cut(status.message)}`;
  const ended = container?.state?.terminated;
  return ended ? `ended by itself: ${describeExit(ended)}` : `the pod is ${status?.phase}`;
}

function whyTakenAway(pod: V1Pod): string | undefined {
  const taken = condition(pod, 'DisruptionTarget');
  if (taken?.status === 'True') return `evicted (${taken.reason ?? 'DisruptionTarget'}): ${cut(taken.message)}`;
  return undefined;
}

function whyUnscheduled(scheduled: V1PodCondition | undefined): string | undefined {
  if (scheduled?.status !== 'False') return undefined;
  return `no node yet: ${cut(scheduled.message) || scheduled.reason}`;
}

function whyWaiting(container: V1ContainerStatus | undefined): string | undefined {
  const waiting = container?.state?.waiting;
  if (!waiting?.reason) return undefined;
  const message = cut(waiting.message);
  if (IMAGE_REASONS.includes(waiting.reason))
    return `image pull failing (${waiting.reason}): ${message || container?.image}`;
  if (CONFIG_REASONS.includes(waiting.reason)) return `cannot be started (${waiting.reason}): ${message}`;
  if (waiting.reason === 'CrashLoopBackOff') {
    const last = container?.lastState?.terminated;
    return `crash loop: ${container?.restartCount} restarts${last ? `, last ${describeExit(last)}` : ''}`;
  }
  return undefined;
}

function whyUnready(
  ready: V1PodCondition | undefined,
  container: V1ContainerStatus | undefined,
  nowMs: number,
): string | undefined {
  if (ready?.status !== 'False') return undefined;
  const startedAt = container?.state?.running?.startedAt;
  if (!startedAt || nowMs - new Date(startedAt).getTime() < STARTING_MS) return undefined;
  return 'probe failing: Kubernetes calls it not ready';
}

function describeExit({ exitCode, reason, message }: { exitCode: number; reason?: string; message?: string }): string {
  return `exit code ${exitCode}${reason ? ` (${reason})` : ''}${message ? `: ${cut(message)}` : ''}`;
}

export function containerStatus({ status }: V1Pod, containerName: string): V1ContainerStatus | undefined {
  return status?.containerStatuses?.find(({ name }) => name === containerName);
}

export function condition({ status }: V1Pod, type: string): V1PodCondition | undefined {
  return status?.conditions?.find((one) => one.type === type);
}

function cut(text = ''): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= MESSAGE_LENGTH ? line : `${line.slice(0, MESSAGE_LENGTH)}…`;
}
