// Karpenter in small: nodes for pods that fit nowhere, and the end of nodes that have been empty for a while. It counts cores
// only; what it decides is pure, what it does is the kubelet's.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod, V1Taint } from '@kubernetes/client-node';
import type { NodeOptions } from './node.ts';
import { requestedCores } from './quantity.ts';

export interface PoolOptions extends NodeOptions {
  /** From the decision to make a node until it is there. */
  bootMs: number;
  maxNodes: number;
  /** A node of the pool without pods for this long is removed. Without it, nodes stay. */
  emptyMs?: number;
}

export interface PoolHost {
  pods(): V1Pod[];
  /** Neither silent nor retired. */
  isOnline(node: string): boolean;
  addNode(name: string, options: NodeOptions): Promise<void>;
  cordon(name: string, cordoned: boolean): Promise<void>;
  removeNode(name: string): Promise<void>;
}

export interface Pool {
  /** The node is no more, whoever removed it. */
  forget(node: string): void;
  stop(): void;
}

interface PoolNode {
  name: string;
  isBooting: boolean;
  isLeaving: boolean;
  emptySinceMs?: number | undefined;
}

const tickMs = 200;

/** Calls are tried until they work; what fails nevertheless fails because the kubelet is being stopped. */
const endedMeanwhile = () => {};

export function runPool(options: PoolOptions, host: PoolHost): Pool {
  const prefix = `pool-${randomBytes(2).toString('hex')}`;
  const nodes = new Map<string, PoolNode>();
  let made = 0;
  const podsOn = (name: string) => host.pods().filter((pod) => pod.spec?.nodeName === name && !hasEnded(pod));
  const freeOn = ({ name }: PoolNode) =>
    options.cores - podsOn(name).reduce((sum, pod) => sum + requestedCores(pod), 0);
  const boot = () => {
    made += 1;
    const node = { name: `${prefix}-${made}`, isBooting: true, isLeaving: false };
    nodes.set(node.name, node);
    setTimeout(() => void arrive(node).catch(endedMeanwhile), options.bootMs).unref();
  };
  const arrive = async (node: PoolNode) => {
    if (nodes.has(node.name)) await host.addNode(node.name, options);
    node.isBooting = false;
  };

  const grow = () => {
    const waiting = host.pods().filter((pod) => isUnschedulable(pod) && fitsPool(pod, options));
    const usable = [...nodes.values()].filter(
      (node) => node.isBooting || (!node.isLeaving && host.isOnline(node.name)),
    );
    const wanted = nodesNeeded(waiting.map(requestedCores), usable.map(freeOn), options.cores);
    for (let i = 0; i < Math.min(wanted, options.maxNodes - nodes.size); i++) boot();
    return waiting.length;
  };
  const shrink = (emptyMs: number) => {
    const now = performance.now();
    for (const node of nodes.values()) {
      const isEmpty = !node.isBooting && !node.isLeaving && podsOn(node.name).length === 0;
      node.emptySinceMs = isEmpty ? (node.emptySinceMs ?? now) : undefined;
      if (now - (node.emptySinceMs ?? now) > emptyMs) void leave(node).catch(endedMeanwhile);
    }
  };
  const leave = async (node: PoolNode) => {
    node.isLeaving = true;
    await host.cordon(node.name, true);
    // A pod that was bound at the same moment is seen within a tick.
    await sleep(tickMs);
    if (podsOn(node.name).length === 0) return host.removeNode(node.name);
    await host.cordon(node.name, false);
    node.isLeaving = false;
  };

  const timer = setInterval(() => {
    const waiting = grow();
    if (options.emptyMs !== undefined && waiting === 0) shrink(options.emptyMs);
  }, tickMs);
  return { forget: (name) => void nodes.delete(name), stop: () => clearInterval(timer) };
}

/** First fit, largest first: how many nodes of this size it takes besides the room there is. */
export function nodesNeeded(requests: readonly number[], free: readonly number[], cores: number): number {
  const room = [...free];
  for (const request of [...requests].sort((a, b) => b - a)) {
    const fitting = room.findIndex((cores) => cores >= request);
    if (fitting === -1) room.push(cores - request);
    else room[fitting] = (room[fitting] ?? 0) - request;
  }
  return room.length - free.length;
}

function hasEnded({ status }: V1Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

function isUnschedulable({ metadata, status }: V1Pod): boolean {
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  return !metadata?.deletionTimestamp && scheduled?.status === 'False' && scheduled.reason === 'Unschedulable';
}

function fitsPool(pod: V1Pod, { cores, labels = {}, taints = [] }: PoolOptions): boolean {
  const selected = Object.entries(pod.spec?.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
  return selected && requestedCores(pod) <= cores && taints.every((taint) => isTolerated(pod, taint));
}

function isTolerated({ spec }: V1Pod, { key, value, effect }: V1Taint): boolean {
  return (spec?.tolerations ?? []).some(
    (toleration) =>
      (toleration.key === undefined || toleration.key === key) &&
      (toleration.operator === 'Exists' || (toleration.value ?? '') === (value ?? '')) &&
      (toleration.effect === undefined || toleration.effect === effect),
  );
}
