// What happens to the pods of a namespace, and when, as a watch of the benchmark's own sees it; and which egresses each of them
// has run, by its own health answer.
import { setTimeout as sleep } from 'node:timers/promises';
import { CoreV1Api, KubeConfig, makeInformer, type V1Pod } from '@kubernetes/client-node';
import type { ControlPlane } from '../../test/support/cluster/control-plane.ts';
import type { TestCluster } from '../../test/support/stack-cluster.ts';
import { until } from '../bed.ts';

export interface PodFacts {
  name: string;
  labels: Record<string, string>;
  addedMs: number;
  readyMs?: number;
  /** Asked to end. */
  leavingMs?: number;
  goneMs?: number;
  /** Where its health port answers. */
  healthUrl?: string;
  /** Now, as far as the last look tells. */
  egresses: ReadonlySet<string>;
  /** Since it began. */
  ran: Set<string>;
}

export interface PodWatch {
  /** All there ever were since the watch began, oldest first. */
  all(): PodFacts[];
  /** Not gone. */
  living(): PodFacts[];
  close(): Promise<void>;
}

const LOOK_EVERY_MS = 2_000;
const LOOK_LIMIT_MS = 900;

export async function watchPods(cluster: ControlPlane, namespace: string): Promise<PodWatch> {
  const config = new KubeConfig();
  config.loadFromFile(cluster.kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const informer = makeInformer<V1Pod>(config, `/api/v1/namespaces/${namespace}/pods`, () =>
    core.listNamespacedPod({ namespace }),
  );
  const pods = new Map<string, PodFacts>();
  const closed = new AbortController();
  const see = (pod: V1Pod) => {
    const uid = pod.metadata?.uid ?? '';
    pods.set(uid, withNews(pods.get(uid) ?? newFacts(pod), pod));
  };
  informer.on('add', see);
  informer.on('update', see);
  informer.on('delete', (pod) => {
    see(pod);
    Object.assign(pods.get(pod.metadata?.uid ?? '') ?? {}, { goneMs: Date.now() });
  });
  informer.on('error', () => void (closed.signal.aborted || informer.start()));
  await informer.start();
  const living = () => [...pods.values()].filter(({ goneMs }) => goneMs === undefined);
  const looking = lookAgain(living, closed.signal);
  return {
    all: () => [...pods.values()],
    living,
    async close() {
      closed.abort();
      await Promise.all([informer.stop(), looking]);
    },
  };
}

function untilNoPod(watch: PodWatch): Promise<unknown> {
  return until(
    'no pod',
    async () => watch.living().map(({ name }) => name),
    ({ length }) => length === 0,
  );
}

/** No pod, and no node. */
export async function backToNothing({ controlPlane, kubelet }: TestCluster, watch: PodWatch): Promise<void> {
  await untilNoPod(watch);
  const nodes = await controlPlane.kubectl(['get', 'nodes', '-o', 'jsonpath={.items[*].metadata.name}']);
  for (const node of nodes.split(' ').filter(Boolean)) await kubelet.removeNode(node);
}

function newFacts({ metadata }: V1Pod): PodFacts {
  const { name = '', labels = {} } = metadata ?? {};
  return { name, labels, addedMs: Date.now(), egresses: new Set(), ran: new Set() };
}

function withNews(facts: PodFacts, { metadata, spec, status }: V1Pod): PodFacts {
  const ready = status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True');
  const port = spec?.containers[0]?.ports?.find(({ name }) => name === 'health')?.containerPort;
  if (ready) facts.readyMs ??= Date.now();
  if (ready && status?.podIP) facts.healthUrl ??= `http://${status.podIP}:${port}/`;
  if (metadata?.deletionTimestamp) facts.leavingMs ??= Date.now();
  return facts;
}

async function lookAgain(living: () => PodFacts[], closed: AbortSignal): Promise<void> {
  while (!closed.aborted) {
    await Promise.all(living().map(look));
    await sleep(LOOK_EVERY_MS, undefined, { signal: closed }).catch(() => undefined);
  }
}

async function look(facts: PodFacts): Promise<void> {
  if (facts.healthUrl === undefined) return;
  try {
    const response = await fetch(facts.healthUrl, { signal: AbortSignal.timeout(LOOK_LIMIT_MS) });
    const health = (await response.json()) as Record<string, unknown>;
    facts.egresses = new Set(Object.keys(health).filter((key) => key.startsWith('EG_')));
    for (const egress of facts.egresses) facts.ran.add(egress);
  } catch {
    // It ends, or is slow: the last look counts until the next.
  }
}
