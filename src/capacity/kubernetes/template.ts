// From a PodTemplate object to the pod of one worker, and what is wrong with a template that cannot make one. Pure.
import { createHash } from 'node:crypto';
import type { V1Container, V1OwnerReference, V1Pod, V1PodTemplate } from '@kubernetes/client-node';
import { formatDuration } from '../../recording/duration.ts';
import { CPU_REQUEST, FINISH_MS, TOPIC } from '../egress-worker.ts';
import { ANNOTATIONS, LABELS, MANAGER } from './names.ts';

export interface TemplateSettings {
  fleet: string;
  podTemplate: string;
  /** The container of the template that runs the egress. */
  container: string;
  /** Milliseconds; no recording lasts longer. */
  longestRecording: number;
}

const CONFIG_BODY = 'EGRESS_CONFIG_BODY';
export const HEALTH_PORT = 'health';
export const METRICS_PORT = 'metrics';
/** A pod's name is a host name: 63 characters, of which the launch takes up to 25. */
const PREFIX_LENGTH = 36;

/** What makes launching impossible, one line each. */
export function templateProblems(template: V1PodTemplate, settings: TemplateSettings): string[] {
  const name = `PodTemplate ${template.metadata?.name ?? settings.podTemplate}`;
  const containers = template.template?.spec?.containers ?? [];
  const container = containers.find((one) => one.name === settings.container);
  if (!container) {
    const names = containers.map((one) => `"${one.name}"`).join(', ') || 'none';
    return [
      `${name} has no container "${settings.container}" (it has ${names}): rename the egress container, or set fleet.capacity.container`,
    ];
  }
  return [
    ...(coresOf(container) > 0
      ? []
      : [
          `${name}: container "${container.name}" requests no cpu: set resources.requests.cpu, LiveKit's admission counts it`,
        ]),
    ...(portOf(container, HEALTH_PORT) === undefined
      ? [
          `${name}: container "${container.name}" has no port named "${HEALTH_PORT}": add it with the egress's health_port`,
        ]
      : []),
    ...(hasNoTopic(container) ? [`${name}: container "${container.name}" ${NO_TOPIC}`] : []),
  ];
}

const NO_TOPIC =
  `gives its workers no topic of their own, so nothing can be sent to them: end the value of ${CONFIG_BODY} with a line ` +
  `\`cluster_id: $(${TOPIC})\` (of a Secret: read it into another variable, and set ${CONFIG_BODY} to that one and the line)`;

/** Kubernetes puts variables into values, arguments and commands; a file or a script may do it by itself, which nobody sees. */
function hasNoTopic({ env = [], command = [], args = [] }: V1Container): boolean {
  const texts = [...env.map(({ value = '' }) => value), ...command, ...args];
  if (texts.some((text) => text.includes(TOPIC))) return false;
  return command.length === 0 && env.some(({ name }) => name === CONFIG_BODY);
}

/** What launches all the same, and ends badly one day. */
export function graceProblems(template: V1PodTemplate, { longestRecording, podTemplate }: TemplateSettings): string[] {
  const graceMs = (template.template?.spec?.terminationGracePeriodSeconds ?? 30) * 1_000;
  const neededMs = longestRecording + FINISH_MS;
  if (graceMs >= neededMs) return [];
  return [
    `PodTemplate ${podTemplate}: terminationGracePeriodSeconds is ${graceMs / 1_000}, and a recording may last ${formatDuration(longestRecording)}: ` +
      `a node drain would cut it off. Set at least ${Math.ceil(neededMs / 1_000)}, or lower fleet.capacity.longestRecording`,
  ];
}

/** CPU cores of one worker, or undefined while the template cannot make one. */
export function templateCores(template: V1PodTemplate | undefined, settings: TemplateSettings): number | undefined {
  const container = template?.template?.spec?.containers.find(({ name }) => name === settings.container);
  return container && coresOf(container) > 0 ? coresOf(container) : undefined;
}

/** Changes whenever a new worker would differ from the ones there are. */
export function templateHash({ template }: V1PodTemplate): string {
  const { labels, annotations } = template?.metadata ?? {};
  return createHash('sha256')
    .update(canonical({ labels, annotations, spec: template?.spec }))
    .digest('hex')
    .slice(0, 12);
}

export function podName(podTemplate: string, token: string, index: number): string {
  return `${podTemplate.slice(0, PREFIX_LENGTH).replace(/[^a-z0-9]+$/, '')}-${token}-${index}`;
}

/** Neither busy nor idle yet: whoever evicts pods for tidiness is asked to wait, a node drain is not held up. */
export function podOf(template: V1PodTemplate, settings: TemplateSettings, name: string, token: string): V1Pod {
  const { metadata, spec } = template.template ?? {};
  if (!spec) throw new Error(`PodTemplate ${settings.podTemplate} is empty`);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: { ...metadata?.labels, [LABELS.fleet]: settings.fleet, [LABELS.managedBy]: MANAGER },
      annotations: {
        ...metadata?.annotations,
        [ANNOTATIONS.launch]: token,
        [ANNOTATIONS.template]: templateHash(template),
        [ANNOTATIONS.safeToEvict]: 'false',
        [ANNOTATIONS.doNotDisrupt]: 'true',
      },
      ownerReferences: ownerOf(template),
    },
    spec: {
      ...spec,
      containers: spec.containers.map((one) =>
        one.name === settings.container ? withTopic(withCpuRequest(one), name) : one,
      ),
    },
  };
}

/** CPU cores that the container requests; 0 when it requests none. The API server writes "4", "3500m" or "250u". */
export function coresOf({ resources }: Pick<V1Container, 'resources'>): number {
  const [, amount = '0', unit = ''] = /^([0-9.]+)([mun]?)$/.exec(resources?.requests?.cpu ?? '') ?? [];
  return Number(amount) / { '': 1, m: 1e3, u: 1e6, n: 1e9 }[unit as '' | 'm' | 'u' | 'n'];
}

export function portOf({ ports = [] }: V1Container, name: string): number | undefined {
  return ports.find((port) => port.name === name)?.containerPort;
}

/** Makes `kubectl drain` content without --force, and an uninstall end idle workers and let busy ones finish. */
function ownerOf({ metadata }: V1PodTemplate): V1OwnerReference[] {
  if (!metadata?.uid || !metadata.name) return [];
  return [{ apiVersion: 'v1', kind: 'PodTemplate', name: metadata.name, uid: metadata.uid, controller: true }];
}

function withCpuRequest(container: V1Container): V1Container {
  if (container.env?.some(({ name }) => name === CPU_REQUEST)) return container;
  return { ...container, env: [...(container.env ?? []), { name: CPU_REQUEST, value: String(coresOf(container)) }] };
}

/** First of all, so that what follows may refer to it: `cluster_id: $(REELKIT_TOPIC)`. */
function withTopic(container: V1Container, topic: string): V1Container {
  const others = (container.env ?? []).filter(({ name }) => name !== TOPIC);
  return { ...container, env: [{ name: TOPIC, value: topic }, ...others] };
}

/** JSON with sorted keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
