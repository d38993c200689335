// A pod's status from what the kubelet knows of it, in the kubelet's own reasons and words. Pure.
import type {
  V1ContainerState,
  V1ContainerStateTerminated,
  V1ContainerStatus,
  V1Pod,
  V1PodCondition,
  V1PodStatus,
} from '@kubernetes/client-node';

export interface PodView {
  podIp: string;
  startedAt: Date;
  state: V1ContainerState;
  lastTerminated?: V1ContainerStateTerminated;
  restartCount: number;
  ready: boolean;
  started: boolean;
  /** It will not run again: what it ended with, or why it was taken away. */
  end?: { exitCode: number } | { evicted: string };
}

type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** @param before the conditions as they were, for the time of their last change */
export function podStatus(pod: V1Pod, view: PodView, before: readonly V1PodCondition[], now: Date): V1PodStatus {
  return {
    phase: phaseOf(view),
    startTime: view.startedAt,
    hostIP: '127.0.0.1',
    podIP: view.podIp,
    podIPs: [{ ip: view.podIp }],
    conditions: conditionsOf(pod, view).map((condition) => ({
      ...withoutWords,
      ...condition,
      lastTransitionTime: before.find(isSame(condition))?.lastTransitionTime ?? now,
    })),
    containerStatuses: (pod.spec?.containers ?? []).map(({ name, image = '' }) => containerStatus(name, image, view)),
    ...(view.end && 'evicted' in view.end ? { reason: 'Evicted', message: view.end.evicted } : {}),
  };
}

function phaseOf({ end, state, restartCount }: PodView): Phase {
  if (end) return 'exitCode' in end && end.exitCode === 0 ? 'Succeeded' : 'Failed';
  return state.running || state.terminated || restartCount > 0 ? 'Running' : 'Pending';
}

/** A patch leaves what it does not name: words about a state that is over must be taken away. */
const withoutWords = { reason: null, message: null } as unknown as Pick<V1PodCondition, 'reason' | 'message'>;

const evictionCondition = { type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet' };

function conditionsOf(pod: V1Pod, view: PodView): V1PodCondition[] {
  const ready = { status: view.ready ? 'True' : 'False', ...(view.ready ? {} : unreadiness(pod, view)) };
  return [
    { type: 'PodReadyToStartContainers', status: view.end ? 'False' : 'True' },
    { type: 'Initialized', status: 'True' },
    { type: 'ContainersReady', ...ready },
    { type: 'Ready', ...ready },
    ...(view.end && 'evicted' in view.end ? [{ ...evictionCondition, message: view.end.evicted }] : []),
  ];
}

function unreadiness({ spec }: V1Pod, view: PodView): Pick<V1PodCondition, 'reason' | 'message'> {
  if (view.end) return { reason: phaseOf(view) === 'Succeeded' ? 'PodCompleted' : 'PodFailed' };
  const names = spec?.containers.map(({ name }) => name).join(' ');
  return { reason: 'ContainersNotReady', message: `containers with unready status: [${names}]` };
}

function isSame(condition: V1PodCondition) {
  return (other: V1PodCondition) => other.type === condition.type && other.status === condition.status;
}

function containerStatus(name: string, image: string, view: PodView): V1ContainerStatus {
  return {
    name,
    image,
    imageID: view.state.waiting ? '' : `test://${image}`,
    ready: view.ready,
    started: view.started,
    restartCount: view.restartCount,
    state: view.state,
    lastState: view.lastTerminated ? { terminated: view.lastTerminated } : {},
  };
}

export function waiting(reason: string, message?: string): V1ContainerState {
  return { waiting: { reason, ...(message ? { message } : {}) } };
}

export function pullFailure(image: string, isFirst: boolean): V1ContainerState {
  const problem = `failed to pull and unpack image "${image}": failed to resolve reference "${image}": ${image}: not found`;
  if (isFirst) return waiting('ErrImagePull', problem);
  return waiting('ImagePullBackOff', `Back-off pulling image "${image}": ErrImagePull: ${problem}`);
}

export function crashLoop({ metadata }: V1Pod, container: string, backOffMs: number): V1ContainerState {
  const { name, namespace, uid } = metadata ?? {};
  const who = `container=${container} pod=${name}_${namespace}(${uid})`;
  return waiting('CrashLoopBackOff', `back-off ${backOffMs / 1_000}s restarting failed ${who}`);
}

/** As the kubelet: 10 s doubling up to 5 min there, a tenth of it here; the first restart comes at once. */
export function backOffMs(crashes: number): number {
  return crashes <= 1 ? 0 : Math.min(firstBackOffMs * 2 ** (crashes - 2), longestBackOffMs);
}

const firstBackOffMs = 1_000;
const longestBackOffMs = 10_000;

export function isRestarted({ spec }: V1Pod, exitCode: number): boolean {
  const policy = spec?.restartPolicy ?? 'Always';
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

/** What the API server has, which is not only the kubelet's word: a node believed lost takes its pods' readiness with it. */
export function isToldReady({ status }: V1Pod): boolean {
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
}
