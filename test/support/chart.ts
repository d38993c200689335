// Runs Helm on the chart and reads what it renders. No test in here.
import { readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { execa } from 'execa';
import { parseAllDocuments } from 'yaml';
import { ensureComponents } from '../../src/dev/components.ts';
import { reportToStderr } from '../../src/dev/reporter.ts';

export const root = resolve(import.meta.dirname, '../..');
export const chart = join(root, 'deploy/helm/reelkit');

/** One file for each way to use the chart: chart-testing's convention. */
export const valueSets = readdirSync(join(chart, 'ci')).map((file) => basename(file, '-values.yaml'));
export const valuesOf = (set: string) => ['--values', join(chart, `ci/${set}-values.yaml`)];

/** The namespace of the release. */
export const namespace = 'reelkit';
/** Those that the value sets have for their workers; the first is the default. */
export const workerNamespaces = ['reelkit-egress', 'reelkit-workers', 'recorders'];

/** Of the control plane in test/support/cluster; without a server Helm has an old one in mind. */
const kubeVersion = ['--kube-version', '1.34.0'];

export interface PodSpec {
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  priorityClassName?: string;
  terminationGracePeriodSeconds?: number;
  securityContext: Record<string, unknown>;
  containers: {
    name: string;
    image: string;
    env?: { name: string; value?: string; valueFrom?: { secretKeyRef?: { name: string; key: string } } }[];
    resources: Record<string, Record<string, string>>;
    securityContext: Record<string, unknown>;
  }[];
}

export interface Template {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: PodSpec;
}

export interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  data?: Record<string, string>;
  rules?: { apiGroups: string[]; resources: string[]; resourceNames?: string[]; verbs: string[] }[];
  template?: Template;
  spec?: PodSpec & { template?: Template; selector?: { matchLabels: Record<string, string> }; minAvailable?: number };
}

export async function startHelm() {
  const { helm } = await ensureComponents(['helm'], reportToStderr);
  const run = (args: string[], input?: string) => execa(helm, args, { cwd: root, reject: false, input: input ?? '' });

  return {
    path: helm,
    run,
    lint: (args: string[]) => run(['lint', chart, '--strict', ...kubeVersion, ...args]),
    /** @param values YAML that goes on top of the value set */
    template: (args: string[], values = '') =>
      run(
        ['template', 'reelkit', chart, '--namespace', namespace, ...kubeVersion, ...args, '--values', '-'],
        values || '{}',
      ),
    /** @throws with what Helm said */
    async manifests(set: string, values = ''): Promise<Manifest[]> {
      const { exitCode, stdout, stderr } = await this.template(valuesOf(set), values);
      if (exitCode !== 0) throw new Error(stderr);
      return parseManifests(stdout);
    },
  };
}

export type Helm = Awaited<ReturnType<typeof startHelm>>;

export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS() as Manifest;
  });
}

export function find(manifests: Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((one) => one.kind === kind && one.metadata.name === name);
  if (!found) throw new Error(`no ${kind} ${name} among ${manifests.map((one) => one.metadata.name).join(', ')}`);
  return found;
}

/** Every pod that the manifests lead to, by the name of what makes it. */
export function podSpecs(manifests: Manifest[]): [name: string, spec: PodSpec][] {
  return manifests.flatMap(({ kind, metadata, template, spec }) => {
    const pod = kind === 'Pod' ? spec : (template ?? spec?.template)?.spec;
    return pod ? [[metadata.name, pod] as [string, PodSpec]] : [];
  });
}
