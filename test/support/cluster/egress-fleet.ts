// A fleet in a namespace of its own, installed from the manifests that users apply (deploy/kubernetes/reelkit.yaml): accounts, Roles,
// the PodTemplate and the budget that keeps busy workers. Reelkit's own Deployments stay out: it runs as the test wants it.
import { readFile, writeFile } from 'node:fs/promises';
import { parseAllDocuments, stringify } from 'yaml';
import type { FleetConfigInput } from '../../../src/config/fleet.ts';
import { startHelm } from '../chart.ts';
import type { ControlPlane } from './control-plane.ts';

export type KubernetesInput = Extract<FleetConfigInput['capacity'], { provider: 'kubernetes' }>;

export interface EgressFleetOptions {
  namespace: string;
  /** Of livekit/egress, in its own keys; without ports, which the kubelet sets. */
  egressConfig: string;
  /** Where Reelkit finds the API server, when not at its own address. */
  server?: string;
  fleet?: string;
  cpu?: string;
  image?: string;
  /** Laid over the pod's spec. */
  podSpec?: object;
  /** Leaves these out of the Role. */
  withoutVerbs?: readonly string[];
}

export interface EgressFleet {
  readonly namespace: string;
  /** Of `fleet.capacity` in Reelkit's configuration, under the Role. */
  readonly capacity: KubernetesInput;
  /** Changes the PodTemplate, as `kubectl apply` of a new version would. */
  applyTemplate(changes: Pick<EgressFleetOptions, 'cpu' | 'image' | 'podSpec'>): Promise<void>;
  /** The right to see nodes, by the chart's ClusterRole (`egress.watchNodes`). For namespace `reelkit` alone. */
  allowNodes(): Promise<void>;
  /** Of the egress pods, parsed. */
  pods(): Promise<SeenPod[]>;
}

export interface SeenPod {
  metadata: {
    name: string;
    uid: string;
    deletionTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec: { nodeName?: string; containers: { image: string }[] };
  status: { phase: string };
}

const MANIFESTS = new URL('../../../deploy/kubernetes/reelkit.yaml', import.meta.url);
const POD_TEMPLATE = 'reelkit-egress';
const ACCOUNT = 'reelkit-worker';

export async function installEgressFleet(cluster: ControlPlane, options: EgressFleetOptions): Promise<EgressFleet> {
  const { namespace, fleet = 'default' } = options;
  const apply = (objects: object[]) =>
    cluster.kubectl(['apply', '-n', namespace, '-f', '-'], objects.map((object) => stringify(object)).join('---\n'));
  await cluster.createNamespace(namespace);
  await apply([...secrets(options), ...(await manifests(options))]);
  return {
    namespace,
    capacity: {
      provider: 'kubernetes',
      namespace,
      podTemplate: POD_TEMPLATE,
      container: 'egress',
      longestRecording: '24h',
      kubeconfig: await reachedAt(await cluster.kubeconfigFor(namespace, ACCOUNT), options.server),
    },
    async applyTemplate(changes) {
      const all = await manifests({ ...options, ...changes });
      await apply(all.filter(({ kind }) => kind === 'PodTemplate'));
    },
    async allowNodes() {
      const helm = await startHelm();
      const all = await helm.manifests('minimal', 'egress: {watchNodes: true}');
      await apply(all.filter(({ kind }) => kind.startsWith('ClusterRole')));
    },
    async pods() {
      const args = ['get', 'pods', '-n', namespace, '-l', `reelkit.dev/fleet=${fleet}`, '-o', 'json'];
      return (JSON.parse(await cluster.kubectl(args)) as { items: SeenPod[] }).items;
    },
  };
}

async function reachedAt(kubeconfig: string, server: string | undefined): Promise<string> {
  if (server === undefined) return kubeconfig;
  const text = await readFile(kubeconfig, 'utf8');
  await writeFile(kubeconfig, text.replace(/https:\/\/127\.0\.0\.1:\d+/, server));
  return kubeconfig;
}

interface Container {
  image: string;
  env: { name: string; value?: string }[];
  resources: { requests: { cpu: string } };
}

interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string };
  /** Of a Role. */
  rules?: { resources: string[]; verbs: string[] }[];
  /** Of a RoleBinding. */
  subjects?: { namespace?: string }[];
  /** Of a PodDisruptionBudget. */
  spec?: { selector?: { matchLabels?: Record<string, string> } };
  /** Of a PodTemplate. */
  template?: { spec: { containers: Container[] } };
}

async function manifests(options: EgressFleetOptions): Promise<Manifest[]> {
  const all = parseAllDocuments(await readFile(MANIFESTS, 'utf8')).map(
    (document) => document.toJS() as Manifest | null,
  );
  return all
    .filter((one) => one !== null)
    .filter(({ kind, metadata }) =>
      kind === 'PodDisruptionBudget'
        ? metadata.name === 'reelkit-egress-busy'
        : ['ServiceAccount', 'Role', 'RoleBinding', 'PodTemplate'].includes(kind),
    )
    .map((manifest) => adapted(manifest, options));
}

function adapted(manifest: Manifest, { namespace, fleet, cpu, image, podSpec, withoutVerbs = [] }: EgressFleetOptions) {
  manifest.metadata.namespace = namespace;
  for (const subject of manifest.subjects ?? []) subject.namespace = namespace;
  for (const rule of manifest.rules ?? []) rule.verbs = rule.verbs.filter((verb) => !withoutVerbs.includes(verb));
  const selected = manifest.spec?.selector?.matchLabels;
  if (selected && fleet !== undefined) selected['reelkit.dev/fleet'] = fleet;
  const [container] = manifest.template?.spec.containers ?? [];
  if (container && cpu !== undefined) container.resources.requests.cpu = cpu;
  if (container && image !== undefined) container.image = image;
  if (container) container.env = withOwnRedis(container.env);
  if (manifest.template) Object.assign(manifest.template.spec, podSpec);
  return manifest;
}

/** The workers' Redis is the test's, named in its configuration; the chart's own is not installed. */
function withOwnRedis(env: Container['env']): Container['env'] {
  return env
    .filter(({ name }) => name !== 'REELKIT_WORKERS_REDIS_PASSWORD')
    .map((one) => (one.name === 'EGRESS_CONFIG_BODY' ? { ...one, value: one.value?.split(/^redis:/m)[0] ?? '' } : one));
}

/** Under the names of deploy/kubernetes/values.yaml. */
function secrets({ egressConfig }: EgressFleetOptions): object[] {
  const secret = (name: string, stringData: object) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    stringData,
  });
  return [
    secret('egress-config', { 'config.yaml': egressConfig }),
    secret('livekit-keys', { 'api-key': 'unused: the file has its own', 'api-secret': 'unused' }),
  ];
}
