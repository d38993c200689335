// The life of one pod on its node, top to bottom: address, image, configuration, process, restarts, end. It follows the pod
// object it is given and writes only the pod's status, and in the end its deletion.
import type { V1Container, V1Pod } from '@kubernetes/client-node';
import type { Api } from './api.ts';
import { type Endpoint, openEndpoint } from './endpoint.ts';
import { ContainerConfigError, resolveEnvironment } from './environment.ts';
import { keepProbing } from './probe.ts';
import { createPublisher } from './publisher.ts';
import {
  backOffMs,
  crashLoop,
  isRestarted,
  isToldReady,
  type PodView,
  podStatus,
  pullFailure,
  waiting,
} from './status.ts';
import { type EgressWorker, type Exit, startWorker, type WorkerSettings } from './worker.ts';

export interface PodHost extends WorkerSettings {
  api: Api;
  node: string;
  /** Resolves at once, unless the node is cut off or without power; rejects when it is over. */
  whenOnline(): Promise<void>;
  /** The node is no more, or the kubelet has stopped: nothing is told any more. */
  isOver(): boolean;
  failsToPull(image: string): boolean;
  onSignal(pod: string, signal: 'SIGTERM' | 'SIGKILL'): void;
}

export interface PodRun {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly node: string;
  readonly over: Promise<void>;
  pid(): number | undefined;
  /** The pod object as it is now. */
  update(pod: V1Pod): void;
  /** The pod object is gone: nothing is left to be told. */
  vanish(): void;
  evict(message: string): Promise<void>;
  /** Its probe fails and its ports drop connections, while the process lives. */
  deafen(deaf: boolean): void;
  kill(): Promise<void>;
  republish(): void;
}

const retryMs = 500;
/** Of pods that are deleted by force. */
const shortestGraceSeconds = 1;
/** A container that ran this long has its crashes forgotten. */
const soundMs = 20_000;
const longestTimerMs = 2 ** 31 - 1;

export function runPod(host: PodHost, pod: V1Pod): PodRun {
  const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
  const container = egressContainer(pod);
  const view: PodView = {
    podIp: '',
    startedAt: new Date(),
    state: waiting('ContainerCreating'),
    restartCount: 0,
    ready: false,
    started: false,
  };
  let latest = pod;
  let worker: EgressWorker | undefined;
  let isDeaf = false;
  let endpoint: Endpoint | undefined;
  let isGone = false;
  let deadlineMs: number | undefined;
  let killTimer: NodeJS.Timeout | undefined;
  let wake = () => {};

  const isEnding = () => deadlineMs !== undefined || view.end !== undefined || host.isOver();
  const publisher = createPublisher(host, pod, (before) => podStatus(latest, view, before, new Date()));
  const publish = (change: Partial<PodView>) => {
    Object.assign(view, change);
    return publisher.publish();
  };
  /** Until the time is over or the pod is to end. */
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, isEnding() ? 0 : ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  async function live(): Promise<void> {
    endpoint = await openEndpoint(container, (port) =>
      worker?.isRunning() && !isDeaf ? worker.ports[port] : undefined,
    );
    view.podIp = endpoint.ip;
    try {
      update(pod);
      if (!isEnding()) void publish({});
      for (let crashes = 0; !isEnding(); ) {
        await untilPulled();
        const exit = await runContainer(endpoint);
        if (!exit) break;
        await host.whenOnline();
        if (isEnding() || !isRestarted(pod, exit.exitCode)) {
          view.end ??= { exitCode: exit.exitCode };
          break;
        }
        crashes = exit.ranMs > soundMs ? 1 : crashes + 1;
        await backOff(crashes);
      }
      await end();
    } finally {
      clearTimeout(killTimer);
      endpoint.close();
    }
  }

  async function untilPulled(): Promise<void> {
    const { image = '' } = container;
    for (let failures = 0; host.failsToPull(image) && !isEnding(); failures++) {
      void publish({ state: pullFailure(image, failures === 0) });
      await pause(retryMs);
    }
  }

  /** @returns undefined when the pod ended before its process was there */
  async function runContainer(endpoint: Endpoint): Promise<(Exit & { ranMs: number }) | undefined> {
    const env = await untilConfigured(endpoint);
    if (!env || isEnding()) return undefined;
    const running = await startWorker(host, `${namespace}.${name}.${uid.slice(0, 8)}`, env);
    worker = running;
    if (deadlineMs !== undefined) term();
    else if (isEnding()) await killed();
    void publish({ state: { running: { startedAt: running.startedAt } }, started: true });
    void keepProbing(
      container,
      running,
      () => isDeaf,
      (ready) => void publish({ ready }),
    );
    const exit = await running.exit;
    const finishedAt = new Date();
    const terminated = { ...exit, startedAt: running.startedAt, finishedAt };
    Object.assign(view, { state: { terminated }, ready: false, started: false });
    return { ...exit, ranMs: finishedAt.getTime() - running.startedAt.getTime() };
  }

  async function untilConfigured(endpoint: Endpoint): Promise<Record<string, string> | undefined> {
    while (!isEnding()) {
      try {
        return await resolveEnvironment(host.api, latest, container, endpoint.ip);
      } catch (error) {
        if (!(error instanceof ContainerConfigError)) throw error;
        void publish({ state: waiting('CreateContainerConfigError', error.message) });
      }
      await pause(retryMs);
    }
    return undefined;
  }

  async function backOff(crashes: number): Promise<void> {
    const ms = backOffMs(crashes);
    const { terminated } = view.state;
    if (terminated) view.lastTerminated = terminated;
    if (ms > 0) {
      void publish({ state: crashLoop(pod, container.name, ms) });
      await pause(ms);
    }
    if (!isEnding()) view.restartCount += 1;
  }

  async function end(): Promise<void> {
    if (host.isOver() || isGone) return;
    // A pod that never ran has nothing to say at its end.
    if (view.state.terminated || view.end) {
      view.end ??= { exitCode: view.state.terminated?.exitCode ?? 0 };
      await publish({ ready: false, started: false });
    }
    while (deadlineMs === undefined && !host.isOver()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    await host.whenOnline();
    if (!isGone) await removePod(host.api, pod);
  }

  function terminate(graceSeconds: number): void {
    const wanted = Date.now() + Math.max(graceSeconds, shortestGraceSeconds) * 1_000;
    const isFirst = deadlineMs === undefined;
    deadlineMs = Math.min(wanted, deadlineMs ?? wanted);
    clearTimeout(killTimer);
    killTimer = setTimeout(() => void killed(), Math.min(deadlineMs - Date.now(), longestTimerMs)).unref();
    if (isFirst) term();
    wake();
  }

  function term(): void {
    if (!worker?.isRunning()) return;
    host.onSignal(name, 'SIGTERM');
    worker.term();
  }

  async function killed(): Promise<void> {
    if (!worker?.isRunning()) return;
    host.onSignal(name, 'SIGKILL');
    await worker.kill();
  }

  function update(now: V1Pod): void {
    latest = now;
    const { deletionTimestamp, deletionGracePeriodSeconds } = now.metadata ?? {};
    if (deletionTimestamp) terminate(deletionGracePeriodSeconds ?? 0);
    else if (view.state.running && isToldReady(now) !== view.ready) void publisher.publish();
  }

  const over = live().catch((error: unknown) => {
    if (!host.isOver()) throw error;
  });
  return {
    name,
    namespace,
    uid,
    node: host.node,
    over,
    pid: () => (worker?.isRunning() ? worker.pid : undefined),
    update,
    vanish() {
      isGone = true;
      terminate(0);
    },
    async evict(message) {
      view.end = { evicted: message };
      await killed();
      wake();
      await worker?.exit;
      await publish({ ready: false, started: false });
    },
    deafen(deaf) {
      isDeaf = deaf;
      if (deaf) endpoint?.drop();
    },
    async kill() {
      await worker?.kill();
      wake();
      await worker?.exit;
    },
    republish: () => void publisher.publish(),
  };
}

/** This very pod, at once. */
export async function removePod(api: Api, { metadata }: V1Pod): Promise<void> {
  const path = `/api/v1/namespaces/${metadata?.namespace}/pods/${metadata?.name}`;
  await api.remove(path, { gracePeriodSeconds: 0, preconditions: { uid: metadata?.uid } });
}

function egressContainer({ spec }: V1Pod): V1Container {
  const containers = spec?.containers ?? [];
  const found = containers.find(({ name }) => name === 'egress') ?? containers[0];
  if (!found) throw new Error('a pod without containers');
  return found;
}
