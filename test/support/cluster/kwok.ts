// kwok against a cluster: hundreds of nodes and pods that exist only as objects, ready as soon as they are bound. No process
// stands behind them; kubelet.ts is for those that must work.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { V1Node, V1Taint } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { type Child, startChild } from '../../../src/dev/child.ts';
import { ensureComponents } from '../../../src/dev/components.ts';
import { stateDirVariable } from '../../../src/dev/leftovers.ts';
import { freePorts } from '../../../src/dev/ports.ts';
import { type Report, reportNothing } from '../../../src/dev/reporter.ts';
import { connectApi } from './kubelet/api.ts';
import { kwokStages } from './kwok-stages.ts';

export interface KwokOptions {
  kubeconfig: string;
  /** For its configuration and log; beside the kubeconfig by default. */
  stateDir?: string;
  /** From a pod's binding until it is ready; at once by default. */
  podReadyMs?: number;
  report?: Report;
}

export interface FakeNodeOptions {
  cores: number;
  /** A quantity; 256Gi by default. */
  memory?: string;
  labels?: Record<string, string>;
  taints?: V1Taint[];
  /** Of the names: `fake-0`, `fake-1`, … by default. */
  prefix?: string;
}

export interface Kwok {
  readonly pid: number;
  /** @returns their names; nodes of these names that are there already are kept. */
  createNodes(count: number, options: FakeNodeOptions): Promise<string[]>;
  /** The nodes become NotReady, as their leases are no longer renewed. */
  stop(): Promise<void>;
}

/** kwok takes the nodes that carry it, and no others. */
export const fakeNodeAnnotation = { 'kwok.x-k8s.io/node': 'fake' };

const readyTimeoutMs = 30_000;
/** kwok renews four times as often: within any grace that a test gives to its nodes. */
const leaseSeconds = 8;

export async function startKwok(options: KwokOptions): Promise<Kwok> {
  const { kwok } = await ensureComponents(['kwok'], options.report ?? reportNothing);
  const stateDir = resolve(options.stateDir ?? join(dirname(options.kubeconfig), 'kwok'));
  const api = await connectApi(options.kubeconfig);
  const child = await startProcess(kwok, stateDir, options);
  return {
    pid: child.pid,
    async createNodes(count, nodeOptions) {
      const names = Array.from({ length: count }, (_, i) => `${nodeOptions.prefix ?? 'fake'}-${i}`);
      await Promise.all(names.map((name) => api.create('/api/v1/nodes', fakeNode(name, nodeOptions))));
      return names;
    },
    async stop() {
      api.close();
      await child.kill('SIGKILL');
    },
  };
}

async function startProcess(command: string, stateDir: string, options: KwokOptions): Promise<Child> {
  await mkdir(stateDir, { recursive: true });
  const stages = join(stateDir, 'kwok-stages.yaml');
  await writeFile(
    stages,
    kwokStages(options.podReadyMs ?? 0)
      .map((stage) => stringify(stage))
      .join('---\n'),
  );
  const [port] = await freePorts(1);
  const [annotation] = Object.entries(fakeNodeAnnotation).map((pair) => pair.join('='));
  return startChild({
    name: 'kwok',
    command,
    args: [
      `--kubeconfig=${options.kubeconfig}`,
      `--config=${stages}`,
      `--manage-nodes-with-annotation-selector=${annotation}`,
      `--node-lease-duration-seconds=${leaseSeconds}`,
      `--server-address=127.0.0.1:${port}`,
    ],
    env: { [stateDirVariable]: stateDir },
    logFile: join(stateDir, 'logs', 'kwok.log'),
    ready: async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok,
    readyTimeoutMs,
  });
}

function fakeNode(name: string, { cores, memory = '256Gi', labels = {}, taints = [] }: FakeNodeOptions): V1Node {
  const resources = { cpu: String(cores), memory, pods: '110', 'ephemeral-storage': '4Ti' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels }, annotations: fakeNodeAnnotation },
    spec: { taints },
    status: { capacity: resources, allocatable: resources },
  };
}
