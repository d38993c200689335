// A small kubelet of the test's own: virtual nodes in a real cluster, whose pods are real egress processes of this machine. What
// a node agent would do for one container it does with the kubelet's reasons and timings; volumes, images and networks it does
// not have. It judges nothing: tests do, by `processes()` and `signals()`.
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { V1Pod } from '@kubernetes/client-node';
import { endLeftovers } from '../../../src/dev/leftovers.ts';
import { connectApi } from './kubelet/api.ts';
import { joinNode, type NodeOptions, type VirtualNode } from './kubelet/node.ts';
import { type PodRun, removePod, runPod } from './kubelet/pod-run.ts';
import { type Pool, type PoolOptions, runPool } from './kubelet/pool.ts';
import type { WorkerSettings } from './kubelet/worker.ts';

export type { NodeOptions } from './kubelet/node.ts';
export type { PoolOptions } from './kubelet/pool.ts';

export interface KubeletOptions {
  kubeconfig: string;
  /** Each pod has a folder here, with its log. */
  dir: string;
  egressBin: string;
  /** Nodes are made for pods that fit nowhere. Without it there are only those of `addNode`. */
  pool?: PoolOptions;
  /** Over the environment of the pod's own container. */
  workerEnv?: Readonly<Record<string, string>>;
}

/** Pods are named `name`, or `namespace/name` where the name alone is not clear. */
export interface Kubelet {
  addNode(name: string, options: NodeOptions): Promise<void>;
  /** Heartbeats stop. `power`: every process dies at that moment; `partition`: they go on, and hear of nothing. */
  loseNode(name: string, how?: 'power' | 'partition'): Promise<void>;
  returnNode(name: string): Promise<void>;
  /** Deletes the Node object and everything on it. */
  removeNode(name: string): Promise<void>;
  /** SIGKILL to the process and everything it started. */
  crash(pod: string): Promise<void>;
  /** As under node pressure: SIGKILL, then Failed with reason Evicted. */
  evict(pod: string, message: string): Promise<void>;
  /** Images like this cannot be pulled from now on; undefined: all can. */
  failPulls(imagePattern: RegExp | undefined): void;
  /** The process lives, but its probe fails and its ports drop connections. */
  deafen(pod: string, deaf: boolean): void;
  /** Those that run now. */
  processes(): { pod: string; uid: string; node: string; pid: number }[];
  /** What the kubelet itself sent to end pods, oldest first: not `crash`, and not the loss of a node. */
  signals(): SentSignal[];
  /** Ends every process; the objects in the cluster stay as they are. */
  stop(): Promise<void>;
}

export interface SentSignal {
  pod: string;
  signal: 'SIGTERM' | 'SIGKILL';
  atMs: number;
}

const leftoverLimitMs = 500;

export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const dir = resolve(options.dir);
  await mkdir(dir, { recursive: true });
  const api = await connectApi(options.kubeconfig);
  const settings: WorkerSettings = {
    egressBin: options.egressBin,
    dir,
    workerEnv: options.workerEnv ?? {},
    takenPorts: new Set(),
  };
  const nodes = new Map<string, VirtualNode>();
  const pods = new Map<string, V1Pod>();
  const runs = new Map<string, PodRun>();
  const sent: SentSignal[] = [];
  let failing: RegExp | undefined;

  const begin = (pod: V1Pod, node: VirtualNode) => {
    const run = runPod(
      {
        ...settings,
        api,
        node: node.name,
        whenOnline: node.whenOnline,
        isOver: () => api.isClosed() || node.isRetired(),
        failsToPull: (image) => failing?.test(image) ?? false,
        onSignal: (name, signal) => sent.push({ pod: name, signal, atMs: Date.now() }),
      },
      pod,
    );
    runs.set(run.uid, run);
    void run.over.finally(() => pods.has(run.uid) || runs.delete(run.uid));
  };
  /** Brings the pod's process to what its object says; a silent node hears of it when it is back. */
  const deliver = (uid: string) => {
    const pod = pods.get(uid);
    const run = runs.get(uid);
    const node = nodes.get(run?.node ?? pod?.spec?.nodeName ?? '');
    if (!node?.isOnline()) return;
    if (!pod) run?.vanish();
    else if (run) run.update(pod);
    else if (!hasEnded(pod) || pod.metadata?.deletionTimestamp) begin(pod, node);
  };
  const onSeen = (pod: V1Pod) => {
    pods.set(uidOf(pod), pod);
    deliver(uidOf(pod));
  };
  const onGone = (uid: string) => {
    pods.delete(uid);
    deliver(uid);
  };
  void api.follow<V1Pod>('/api/v1/pods', {
    onAll(all) {
      const uids = new Set(all.map(uidOf));
      for (const uid of pods.keys()) if (!uids.has(uid)) onGone(uid);
      for (const pod of all) onSeen(pod);
    },
    onSeen,
    onGone: (pod) => onGone(uidOf(pod)),
  });

  const nodeNamed = (name: string) => nodes.get(name) ?? missing('node', name, [...nodes.keys()]);
  const runNamed = (name: string) => {
    const found = [...runs.values()].filter((run) => run.name === name || `${run.namespace}/${run.name}` === name);
    const names = [...runs.values()].map((run) => run.name);
    return found.find((run) => run.pid() !== undefined) ?? found.at(-1) ?? missing('pod', name, names);
  };
  const runsOn = (name: string) => [...runs.values()].filter(({ node }) => node === name);
  const addNode = async (name: string, nodeOptions: NodeOptions) => {
    nodes.set(name, await joinNode(api, name, nodeOptions));
    for (const uid of pods.keys()) deliver(uid);
  };
  const removeNode = async (name: string) => {
    nodeNamed(name).retire();
    pool?.forget(name);
    await api.remove(`/api/v1/nodes/${name}`);
    await Promise.all(runsOn(name).map((run) => run.kill()));
    await Promise.all(
      [...pods.values()].filter(({ spec }) => spec?.nodeName === name).map((pod) => removePod(api, pod)),
    );
    for (const { uid } of runsOn(name)) runs.delete(uid);
    nodes.delete(name);
  };
  const pool: Pool | undefined =
    options.pool &&
    runPool(options.pool, {
      pods: () => [...pods.values()],
      isOnline: (name) => nodes.get(name)?.isOnline() ?? false,
      addNode,
      removeNode,
      cordon: async (name, unschedulable) => {
        await api.persistently({ method: 'PATCH', path: `/api/v1/nodes/${name}`, body: { spec: { unschedulable } } });
      },
    });

  return {
    addNode,
    removeNode,
    async loseNode(name, how = 'power') {
      nodeNamed(name).goSilent();
      if (how === 'power') await Promise.all(runsOn(name).map((run) => run.kill()));
    },
    async returnNode(name) {
      await nodeNamed(name).comeBack();
      const uids = new Set([...runsOn(name).map(({ uid }) => uid), ...pods.keys()]);
      for (const uid of uids) deliver(uid);
      for (const run of runsOn(name)) run.republish();
    },
    crash: (name) => runNamed(name).kill(),
    evict: (name, message) => runNamed(name).evict(message),
    failPulls(imagePattern) {
      failing = imagePattern;
    },
    deafen: (name, deaf) => runNamed(name).deafen(deaf),
    processes: () =>
      [...runs.values()].flatMap((run) => {
        const pid = run.pid();
        return pid === undefined ? [] : [{ pod: run.name, uid: run.uid, node: run.node, pid }];
      }),
    signals: () => [...sent],
    async stop() {
      pool?.stop();
      for (const node of nodes.values()) node.retire();
      api.close();
      await Promise.all([...runs.values()].map((run) => run.kill()));
      await endLeftovers(dir, leftoverLimitMs);
    },
  };
}

function uidOf({ metadata }: V1Pod): string {
  return metadata?.uid ?? '';
}

function hasEnded({ status }: V1Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

function missing(kind: string, name: string, known: string[]): never {
  throw new Error(`this kubelet has no ${kind} "${name}"; it has ${known.join(', ') || 'none'}`);
}
