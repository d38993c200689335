// What there is in the cluster: the fleet's pods, the template of new ones and, where that is wanted, the nodes, each kept current by
// a watch. Only reads.
import type { V1Node, V1Pod, V1PodTemplate } from '@kubernetes/client-node';
import type { ProviderLog } from '../provider.ts';
import type { Cluster } from './client.ts';
import { toCapacityError } from './errors.ts';
import { LABELS } from './names.ts';
import { whyLeaving } from './nodes.ts';
import { hasEnded, isReady } from './pod.ts';
import { type TemplateSettings, templateCores, templateHash } from './template.ts';
import { watchList } from './watch.ts';

export interface Inventory {
  /** What was seen last. @throws CapacityError when nothing was ever seen */
  pods(): Promise<V1Pod[]>;
  /** Until when `pods` is known to be all there is. */
  asOfMs(): number;
  /** What the API server has now. @throws CapacityError */
  currentPods(): Promise<V1Pod[]>;
  /** A pod of the fleet that may have been made too recently to have been seen. */
  pod(name: string): Promise<V1Pod | undefined>;
  /** Undefined: there is none of that name. @throws CapacityError */
  template(): Promise<V1PodTemplate | undefined>;
  /** Why each pod that is to go with its node is; empty where nodes are not watched. */
  leaving(pods: readonly V1Pod[]): Promise<ReadonlyMap<string, string>>;
  /** Of the last template from which a worker could be made. */
  known(): { cores: number; hash: string } | undefined;
  onChange(listener: (why: string) => void): void;
  close(): void;
}

export interface InventorySettings extends TemplateSettings {
  watchNodes: boolean;
}

export function createInventory(
  cluster: Cluster,
  settings: InventorySettings,
  log: ProviderLog | undefined,
): Inventory {
  const selector = `${LABELS.fleet}=${settings.fleet}`;
  const nameSelector = `metadata.name=${settings.podTemplate}`;
  const listeners: ((why: string) => void)[] = [];
  /** Read anew after each event: what a watch delivers is not what a read delivers, to the letter. */
  let reading: Promise<V1PodTemplate | undefined> | undefined;
  let known: { cores: number; hash: string } | undefined;

  const tell = (why: string) => {
    for (const listener of listeners) listener(why);
  };
  const onOutage = (what: string) => (problem: string | undefined) => {
    if (problem === undefined) log?.info({}, `the API server shows its ${what} again`);
    else log?.warn({ problem }, `the API server does not show its ${what}; what was seen last counts`);
  };

  const watchPods = once(() =>
    watchList<V1Pod>({
      config: cluster.config,
      path: cluster.podsPath,
      list: () => cluster.listPods(selector),
      labelSelector: selector,
      onChange(pod, before) {
        if (before === undefined) return;
        if (isReady(pod) && !isReady(before)) tell(`${pod.metadata?.name} is ready`);
        if (hasEnded(pod) && !hasEnded(before)) tell(`${pod.metadata?.name} has ended`);
      },
      onDelete: (pod) => tell(`${pod.metadata?.name} is gone`),
      onOutage: onOutage('pods'),
    }),
  );
  const watchTemplate = once(() =>
    watchList<V1PodTemplate>({
      config: cluster.config,
      path: cluster.podTemplatesPath,
      list: () => cluster.listPodTemplates(nameSelector),
      fieldSelector: nameSelector,
      onChange(_, before) {
        reading = undefined;
        if (before !== undefined) tell(`PodTemplate ${settings.podTemplate} has changed`);
      },
      onDelete: () => {
        reading = undefined;
      },
      onOutage: onOutage('pod templates'),
    }),
  );
  const watchNodes = once(() =>
    watchList<V1Node>({
      config: cluster.config,
      path: cluster.nodesPath,
      list: cluster.listNodes,
      onChange(node, before) {
        if (before === undefined || marksOf(node) === marksOf(before)) return;
        void pods().then(
          (all) => {
            if (all.some(({ spec }) => spec?.nodeName === node.metadata?.name))
              tell(`node ${node.metadata?.name} was marked`);
          },
          () => undefined,
        );
      },
      onDelete: () => {},
      onOutage: onOutage('nodes'),
    }),
  );

  async function seen<T>(what: string, list: () => Promise<T>): Promise<T> {
    try {
      return await list();
    } catch (error) {
      throw toCapacityError(error, `list ${what} in namespace ${cluster.namespace}`);
    }
  }

  const pods = () => seen('pods', () => watchPods().current());

  return {
    pods,

    asOfMs: () => watchPods().asOfMs(),

    currentPods: async () => (await cluster.listPods(selector)).items,

    async pod(name) {
      const known = (await pods()).find(({ metadata }) => metadata?.name === name);
      return known ?? (await cluster.listPods(selector, `metadata.name=${name}`)).items[0];
    },

    async leaving(all) {
      if (!settings.watchNodes) return new Map();
      // Without them a worker only stays longer than it should: no reason to fail a pass.
      const nodes = await watchNodes()
        .current()
        .catch(() => []);
      const byName = new Map(nodes.map((node) => [node.metadata?.name ?? '', node]));
      return new Map(
        all.flatMap((pod) => {
          const why = whyLeaving(byName.get(pod.spec?.nodeName ?? ''), pod);
          return why === undefined ? [] : [[pod.metadata?.name ?? '', why] as const];
        }),
      );
    },

    async template() {
      await seen('podtemplates', () => watchTemplate().current());
      reading ??= cluster.readPodTemplate(settings.podTemplate);
      const mine = reading;
      try {
        const read = await mine;
        const cores = templateCores(read, settings);
        if (read && cores !== undefined) known = { cores, hash: templateHash(read) };
        return read;
      } catch (error) {
        if (reading === mine) reading = undefined;
        throw error;
      }
    },

    known: () => known,

    onChange(listener) {
      listeners.push(listener);
      watchPods();
      watchTemplate();
      if (settings.watchNodes) watchNodes();
    },

    close() {
      watchPods.made()?.close();
      watchTemplate.made()?.close();
      watchNodes.made()?.close();
    },
  };
}

/** All that can make a node one to leave, as text. */
function marksOf({ metadata, spec }: V1Node): string {
  return JSON.stringify([metadata?.deletionTimestamp, spec?.unschedulable, spec?.taints]);
}

/** Made at the first call, and asked for without making it. */
function once<T>(make: () => T): (() => T) & { made: () => T | undefined } {
  let made: T | undefined;
  return Object.assign(
    () => {
      made ??= make();
      return made;
    },
    { made: () => made },
  );
}
