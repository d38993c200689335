// What keeps Reelkit from launching workers in this cluster, one line each with its remedy. Changes nothing.
import type { V1Pod, V1PodTemplate } from '@kubernetes/client-node';
import type { Cluster } from './client.ts';
import { toCapacityError } from './errors.ts';
import type { Inventory, InventorySettings } from './inventory.ts';
import { graceProblems, podName, podOf, type TemplateSettings, templateProblems } from './template.ts';

const POD_VERBS = ['list', 'watch', 'create', 'patch', 'delete'] as const;
const TEMPLATE_VERBS = ['get', 'list', 'watch'] as const;
const NODE_VERBS = ['list', 'watch'] as const;

export async function findProblems(
  cluster: Cluster,
  inventory: Inventory,
  settings: InventorySettings,
): Promise<string[]> {
  const denied = await deniedVerbs(cluster, settings);
  if (denied.length > 0) return denied;
  const template = await inventory.template();
  if (!template) return [missingTemplate(cluster, settings)];
  const problems = templateProblems(template, settings);
  return [
    ...(problems.length > 0 ? problems : await tryLaunch(cluster, template, settings)),
    ...graceProblems(template, settings),
    ...(settings.watchNodes ? await nodeProblems(cluster) : []),
  ];
}

export function missingTemplate({ namespace }: Cluster, { podTemplate }: TemplateSettings): string {
  return (
    `there is no PodTemplate "${podTemplate}" in namespace ${namespace}: create it ` +
    '(the Helm chart does, or deploy/kubernetes), or correct fleet.capacity.podTemplate and namespace'
  );
}

async function deniedVerbs(cluster: Cluster, { podTemplate }: TemplateSettings): Promise<string[]> {
  const asked = [
    ...POD_VERBS.map((verb) => [verb, 'pods'] as const),
    ...TEMPLATE_VERBS.map((verb) => [verb, 'podtemplates', podTemplate] as const),
  ];
  const allowed = await Promise.all(asked.map(([verb, resource, name]) => cluster.may(verb, resource, name)));
  const denied = asked.filter((_, index) => !allowed[index]).map(([verb, resource]) => `${verb} ${resource}`);
  if (denied.length === 0) return [];
  return [
    `may not ${denied.join(', ')} in namespace ${cluster.namespace}: bind the service account to the Role of the Helm chart or ` +
      'deploy/kubernetes, create the namespace if it is missing, or correct fleet.capacity.namespace',
  ];
}

export function namespaceWarnings({ namespace, podNamespace }: Pick<Cluster, 'namespace' | 'podNamespace'>): string[] {
  if (namespace !== podNamespace) return [];
  return [
    `the workers run in namespace ${namespace}, as Reelkit itself does: who may create pods there, as Reelkit may, can mount its Secrets. ` +
      'Give the workers a namespace of their own (egress.namespace of the Helm chart, fleet.capacity.namespace)',
  ];
}

async function nodeProblems(cluster: Cluster): Promise<string[]> {
  const allowed = await Promise.all(NODE_VERBS.map((verb) => cluster.mayInCluster(verb, 'nodes')));
  if (allowed.every(Boolean)) return [];
  return [
    'may not list, watch nodes: bind the service account to the ClusterRole of the Helm chart (egress.watchNodes), ' +
      'or set fleet.capacity.watchNodes to false',
  ];
}

/** What the API server would say to a launch: namespace, admission, quota and all. */
async function tryLaunch(cluster: Cluster, template: V1PodTemplate, settings: TemplateSettings): Promise<string[]> {
  try {
    const asked = podOf(template, settings, podName(settings.podTemplate, 'check', 0), 'check');
    return sidecarProblems(asked, await cluster.createPod(asked, true));
  } catch (error) {
    return [toCapacityError(error, `create pods in namespace ${cluster.namespace}`).message];
  }
}

/** What admission added: the containers of a mesh do not wait for the worker, nor end with it. Native sidecars do both. */
function sidecarProblems(asked: V1Pod, admitted: V1Pod): string[] {
  const own = new Set(asked.spec?.containers.map(({ name }) => name));
  const injected = (admitted.spec?.containers ?? []).flatMap(({ name }) => (own.has(name) ? [] : [name]));
  if (injected.length === 0) return [];
  return [
    `a sidecar is put into every worker (${injected.join(', ')}): it ends seconds after the worker is asked to finish, and takes its network ` +
      'away in the middle of a recording. Switch injection off for these pods, as the Helm chart does by labels and annotations of its ' +
      'PodTemplate, or for their namespace',
  ];
}
