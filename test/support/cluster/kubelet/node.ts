// A node that exists by what it says: a Node object, its status and the lease it renews. Silent, it becomes NotReady.
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Node, V1Taint } from '@kubernetes/client-node';
import { type Api, hasCode } from './api.ts';

export interface NodeOptions {
  cores: number;
  /** A quantity; 64Gi by default. */
  memory?: string;
  labels?: Record<string, string>;
  taints?: V1Taint[];
}

export interface VirtualNode {
  readonly name: string;
  readonly cores: number;
  isOnline(): boolean;
  isRetired(): boolean;
  /** Rejects when the node retires. */
  whenOnline(): Promise<void>;
  goSilent(): void;
  /** Resolves when the cluster has been told. */
  comeBack(): Promise<void>;
  /** For good; the Node object stays. */
  retire(): void;
}

const heartbeatMs = 2_000;
const statusMs = 10_000;
const leaseSeconds = 40;
const defaultMemory = '64Gi';
const kubeletVersion = 'v1.34.4';

export async function joinNode(api: Api, name: string, options: NodeOptions): Promise<VirtualNode> {
  let state: 'online' | 'silent' | 'retired' = 'online';
  let change = deferred();
  let toldAtMs = 0;

  const settle = () => {
    change.resolve();
    change = deferred();
  };
  const renewLease = async () => {
    const path = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases`;
    const spec = { holderIdentity: name, leaseDurationSeconds: leaseSeconds, renewTime: microTime(new Date()) };
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name }, spec };
    try {
      await api.once({ method: 'PATCH', path: `${path}/${name}`, body: { spec } });
    } catch (error) {
      if (!hasCode(error, 404)) throw error;
      await api.once({ method: 'POST', path, body });
    }
  };
  const tellStatus = async () => {
    await api.once({ method: 'PATCH', path: `/api/v1/nodes/${name}/status`, body: { status: statusOf(options) } });
    toldAtMs = performance.now();
  };
  const beat = async () => {
    await renewLease();
    if (performance.now() - toldAtMs > statusMs) await tellStatus();
  };
  const keepBeating = async () => {
    while (state !== 'retired' && !api.isClosed()) {
      await sleep(heartbeatMs);
      // After an outage the cluster may believe the node lost: it is told at once.
      if (state === 'online') await beat().catch(() => (toldAtMs = 0));
    }
  };

  await api.create('/api/v1/nodes', nodeObject(name, options));
  await renewLease();
  await tellStatus();
  void keepBeating();

  return {
    name,
    cores: options.cores,
    isOnline: () => state === 'online',
    isRetired: () => state === 'retired',
    async whenOnline() {
      while (state === 'silent') await change.promise;
      if (state === 'retired') throw new Error(`node ${name} is no more`);
    },
    goSilent() {
      if (state === 'online') state = 'silent';
    },
    async comeBack() {
      if (state !== 'silent') return;
      state = 'online';
      toldAtMs = 0;
      await beat().catch(() => {});
      settle();
    },
    retire() {
      state = 'retired';
      settle();
    },
  };
}

function deferred() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

function nodeObject(name: string, options: NodeOptions): V1Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        ...options.labels,
      },
    },
    spec: { taints: options.taints ?? [] },
    status: statusOf(options),
  };
}

function statusOf({ cores, memory = defaultMemory }: NodeOptions): V1Node['status'] {
  const resources = { cpu: String(cores), memory, pods: '110', 'ephemeral-storage': '100Gi' };
  const now = new Date();
  const condition = (type: string, status: string, reason: string) => ({
    type,
    status,
    reason,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  });
  return {
    capacity: resources,
    allocatable: resources,
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    conditions: [
      condition('Ready', 'True', 'KubeletReady'),
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID'),
    ],
    nodeInfo: {
      architecture: 'amd64',
      bootID: '',
      containerRuntimeVersion: 'test://processes',
      kernelVersion: '',
      kubeProxyVersion: '',
      kubeletVersion,
      machineID: '',
      operatingSystem: 'linux',
      osImage: 'the test machine',
      systemUUID: '',
    },
  };
}

/** Leases count microseconds. */
function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}
