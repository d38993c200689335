// Workers as pods of a Kubernetes cluster. Reelkit makes each pod itself from a PodTemplate and deletes exactly the one it chose:
// no controller stands between them that would choose another, replace it, or roll it (docs/decisions.md, "Kubernetes").
// What pods there are comes from a watch; a pass sends no request to the API server unless it changes something.
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Pod, V1PodTemplate } from '@kubernetes/client-node';
import { UNKNOWN_CORES } from '../egress-worker.ts';
import type { ProviderContext } from '../kind.ts';
import { launchAll } from '../launch-all.ts';
import { CapacityError, type CapacityProvider } from '../provider.ts';
import { findProblems, missingTemplate, namespaceWarnings } from './check.ts';
import { connectCluster } from './client.ts';
import type { KubernetesCapacity } from './config.ts';
import { isAlreadyThere, isAnother, isNotFound, toCapacityError } from './errors.ts';
import { createInventory, type InventorySettings } from './inventory.ts';
import { protection } from './names.ts';
import { hasEnded, isLaunched, isOfLaunch, timeMs, workerOf } from './pod.ts';
import { podName, podOf, templateProblems } from './template.ts';

const CREATES_AT_ONCE = 20;
/** An idle worker that was asked to drain and is still there gets this long. */
const REMOVE_GRACE_S = 5;
/** The kubelet had its time, and this much more: its node is gone, and only the object is left to delete. */
const ABANDONED_MS = 30_000;
/** The watch shows a new pod within milliseconds; what was just made here gets this long. */
const BEHIND_LIMIT_MS = 2_000;
const BEHIND_STEP_MS = 250;
/** Pods that ended stay this many, so that their reasons can be read. */
const KEPT_ENDED_PODS = 10;

export function createKubernetesProvider(
  settings: KubernetesCapacity,
  { fleet, log }: ProviderContext,
): CapacityProvider {
  const template: InventorySettings = { ...settings, fleet };
  const cluster = connectCluster(settings);
  const inventory = createInventory(cluster, template, log);

  return {
    kind: 'kubernetes',

    get limits() {
      return { coresPerWorker: inventory.known()?.cores ?? UNKNOWN_CORES };
    },

    async list() {
      const refreshed = inventory.template().catch(() => undefined);
      const pods = await inventory.pods();
      // Later it is only refreshed: a pass must not wait for a server that is away.
      if (!inventory.known()) await refreshed;
      const leaving = await inventory.leaving(pods);
      const reading = { ...settings, nowMs: Date.now(), currentTemplate: inventory.known()?.hash, leaving };
      return { workers: pods.map((pod) => workerOf(pod, reading)), asOfMs: inventory.asOfMs() };
    },

    async launch(count, token) {
      const from = await usableTemplate();
      await refuseIfBehind(token);
      const result = await launchAll({
        ids: Array.from({ length: count }, (_, index) => podName(settings.podTemplate, token, index + 1)),
        atOnce: CREATES_AT_ONCE,
        launch: (name) => createPod(from, name, token),
        toError: (error) => toCapacityError(error, 'launch workers'),
      });
      await forgetEndedPods().catch(() => undefined);
      return result;
    },

    async drain(id) {
      const pod = await ownPod(id);
      if (pod && pod.metadata?.deletionTimestamp === undefined) await deletePod(pod);
    },

    async remove(id) {
      const pod = await ownPod(id);
      if (pod) await deletePod(pod, isAbandoned(pod) ? 0 : REMOVE_GRACE_S);
    },

    async protect(id, busy) {
      if (await ownPod(id)) await unlessGone('patch', () => cluster.patchPod(id, protection(busy)));
    },

    onChange: inventory.onChange,

    check: () => findProblems(cluster, inventory, template),
    warnings: () => namespaceWarnings(cluster),

    async close() {
      inventory.close();
    },
  };

  /** @throws CapacityError of kind `configuration` when no worker can be made from it */
  async function usableTemplate(): Promise<V1PodTemplate> {
    const found = await inventory.template();
    const problems = found ? templateProblems(found, template) : [missingTemplate(cluster, template)];
    if (!found || problems.length > 0) throw new CapacityError('configuration', problems.join('; '));
    return found;
  }

  /**
   * A watch that lags, here or in the process that looks, must not make the same launch twice: the API server itself is asked once.
   * @throws CapacityError of kind `retryable` when it has pods that were not seen yet
   */
  async function refuseIfBehind(token: string): Promise<void> {
    for (const sinceMs = Date.now(); ; await sleep(BEHIND_STEP_MS)) {
      const there = await inventory.currentPods();
      const seen = new Set((await inventory.pods()).map(({ metadata }) => metadata?.name));
      const unseen = there.filter(
        (pod) => !seen.has(pod.metadata?.name) && !hasEnded(pod) && !isOfLaunch(pod, token),
      ).length;
      if (unseen === 0) return;
      if (Date.now() - sinceMs > BEHIND_LIMIT_MS) throw behind(unseen, there.length);
    }
  }

  /** Nothing to do when an earlier try of the same launch made it. */
  async function createPod(from: V1PodTemplate, name: string, token: string): Promise<void> {
    try {
      await cluster.createPod(podOf(from, template, name, token));
    } catch (error) {
      if (!isAlreadyThere(error)) throw toCapacityError(error, `create pods in namespace ${cluster.namespace}`);
    }
  }

  /** That lives, and that Reelkit may change. */
  async function ownPod(id: string): Promise<V1Pod | undefined> {
    const pod = await inventory.pod(id);
    return pod && !hasEnded(pod) && (settings.manageUnowned || isLaunched(pod)) ? pod : undefined;
  }

  function deletePod(pod: V1Pod, graceSeconds?: number): Promise<void> {
    return unlessGone('delete', () => cluster.deletePod(pod, graceSeconds));
  }

  async function unlessGone(verb: string, run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      // Gone, or another one of its name.
      if (isNotFound(error) || isAnother(error)) return;
      throw toCapacityError(error, `${verb} pods in namespace ${cluster.namespace}`);
    }
  }

  async function forgetEndedPods(): Promise<void> {
    const ended = (await inventory.pods()).filter((pod) => hasEnded(pod) && isLaunched(pod));
    const oldFirst = ended.sort(
      (a, b) => timeMs(a.metadata?.creationTimestamp) - timeMs(b.metadata?.creationTimestamp),
    );
    for (const pod of oldFirst.slice(0, Math.max(0, ended.length - KEPT_ENDED_PODS))) await deletePod(pod, 0);
  }
}

function behind(unseen: number, there: number): CapacityError {
  const message = `the watch of the API server has not shown ${unseen} of ${there} pods yet: nothing is launched until it has`;
  return new CapacityError('retryable', message, { code: 'watch_behind' });
}

/** A deletion is due when the grace period is over. */
function isAbandoned({ metadata }: V1Pod): boolean {
  return metadata?.deletionTimestamp !== undefined && Date.now() - timeMs(metadata.deletionTimestamp) > ABANDONED_MS;
}
