// What there is in the cluster: the fleet's pods and the template of new ones, each kept current by a watch. Only reads.
import type { V1Pod, V1PodTemplate } from '@kubernetes/client-node';
import type { ProviderLog } from '../provider.ts';
import type { Cluster } from './client.ts';
import { toCapacityError } from './errors.ts';
import { LABELS } from './names.ts';
import { hasEnded, isReady } from './pod.ts';
import { type TemplateSettings, templateCores, templateHash } from './template.ts';
import { watchList } from './watch.ts';

export interface Inventory {
  /** What was seen last. @throws CapacityError when nothing was ever seen */
  pods(): Promise<V1Pod[]>;
  /** What the API server has now. @throws CapacityError */
  currentPods(): Promise<V1Pod[]>;
  /** A pod of the fleet that may have been made too recently to have been seen. */
  pod(name: string): Promise<V1Pod | undefined>;
  /** Undefined: there is none of that name. @throws CapacityError */
  template(): Promise<V1PodTemplate | undefined>;
  /** Of the last template from which a worker could be made. */
  known(): { cores: number; hash: string } | undefined;
  onChange(listener: (why: string) => void): void;
  close(): void;
}

export function createInventory(cluster: Cluster, settings: TemplateSettings, log: ProviderLog | undefined): Inventory {
  const selector = `${LABELS.fleet}=${settings.fleet}`;
  const nameSelector = `metadata.name=${settings.podTemplate}`;
  const listeners: ((why: string) => void)[] = [];
  /** Read anew after each event: what a watch delivers is not what a read delivers, to the letter. */
  let reading: Promise<V1PodTemplate | undefined> | undefined;
  let known: { cores: number; hash: string } | undefined;

  const tell = (why: string) => {
    for (const listener of listeners) listener(why);
  };
  const onOutage = (problem: string | undefined) => {
    if (problem === undefined) log?.info({}, 'the API server shows its pods again');
    else log?.warn({ problem }, 'the API server does not show its pods; what was seen last counts');
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
      onOutage,
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
      onOutage,
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

    currentPods: async () => (await cluster.listPods(selector)).items,

    async pod(name) {
      const known = (await pods()).find(({ metadata }) => metadata?.name === name);
      return known ?? (await cluster.listPods(selector, `metadata.name=${name}`)).items[0];
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
    },

    close() {
      watchPods.made()?.close();
      watchTemplate.made()?.close();
    },
  };
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
