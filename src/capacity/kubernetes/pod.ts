// What a pod says about the worker in it. Pure.

import type { V1Container, V1Pod } from '@kubernetes/client-node';
import { defined } from '../../common/defined.ts';
import { TOPIC } from '../egress-worker.ts';
import type { Worker } from '../provider.ts';
import { ANNOTATIONS, LABELS } from './names.ts';
import { condition, containerStatus, isCutOff, whyNotReady } from './reasons.ts';
import { coresOf, HEALTH_PORT, METRICS_PORT, portOf } from './template.ts';

export interface PodReading {
  container: string;
  /** Pods of the fleet that Reelkit did not launch are Reelkit's too. */
  manageUnowned: boolean;
  nowMs: number;
  /** Of the template that new workers get; undefined while that is not known. */
  currentTemplate?: string | undefined;
  /** Pod -> why it is to go with its node. */
  leaving: ReadonlyMap<string, string>;
}

export function workerOf(pod: V1Pod, reading: PodReading): Worker {
  const { metadata, spec, status } = pod;
  const container = spec?.containers.find(({ name }) => name === reading.container);
  const state = platformStateOf(pod, reading.container);
  const owned = isLaunched(pod) || reading.manageUnowned;
  const leaving = reading.leaving.get(metadata?.name ?? '');
  const reason = [isLaunched(pod) ? undefined : NOT_OURS, whyNotReady(pod, reading.container, reading.nowMs), leaving]
    .filter(Boolean)
    .join('; ');
  const url = (port: number | undefined, path: string) =>
    state !== 'gone' && status?.podIP && port !== undefined ? `http://${host(status.podIP)}:${port}${path}` : undefined;
  const healthUrl = container && url(portOf(container, HEALTH_PORT), '/');
  const metricsUrl = container && url(portOf(container, METRICS_PORT), '/metrics');
  const isProtected = protectedOf(pod);
  const token = metadata?.annotations?.[ANNOTATIONS.launch];
  const topic = container && topicOf(container, metadata?.name);
  return {
    id: metadata?.name ?? '',
    state,
    ...(topic ? { topic } : {}),
    ...(reason ? { reason } : {}),
    launchedAtMs: timeMs(metadata?.creationTimestamp),
    ...defined({ healthUrl, metricsUrl }),
    cpuCores: container ? coresOf(container) : 0,
    owned,
    ...defined({ token }),
    ...(isProtected === undefined ? {} : { protected: isProtected }),
    ...(isCutOff(pod, reading.container) ? { cutOff: true } : {}),
    ...defined({ leaving }),
    ...(owned && isOutdated(pod, reading.currentTemplate) ? { outdated: true } : {}),
  };
}

const NOT_OURS = 'not launched by Reelkit';

export function isLaunched({ metadata }: V1Pod): boolean {
  return metadata?.annotations?.[ANNOTATIONS.launch] !== undefined;
}

export function isOfLaunch({ metadata }: V1Pod, token: string): boolean {
  return metadata?.annotations?.[ANNOTATIONS.launch] === token;
}

/** Serves as far as Kubernetes can tell. */
export function isReady(pod: V1Pod): boolean {
  return pod.metadata?.deletionTimestamp === undefined && condition(pod, 'Ready')?.status === 'True';
}

export function hasEnded({ status }: V1Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

function platformStateOf(pod: V1Pod, containerName: string): Worker['state'] {
  if (hasEnded(pod)) return 'gone';
  if (pod.metadata?.deletionTimestamp !== undefined) return 'draining';
  if (!pod.spec?.nodeName) return 'requested';
  return containerStatus(pod, containerName)?.state?.running ? 'running' : 'booting';
}

/** Pods that Reelkit did not make may say it by the same variable. */
function topicOf({ env = [] }: V1Container, podName: string | undefined): string | undefined {
  const variable = env.find(({ name }) => name === TOPIC);
  return variable?.valueFrom?.fieldRef?.fieldPath === 'metadata.name' ? podName : variable?.value;
}

/** Both marks together, or neither: anything else is still to be decided. */
function protectedOf({ metadata }: V1Pod): boolean | undefined {
  const label = metadata?.labels?.[LABELS.busy] === 'true';
  const annotation = metadata?.annotations?.[ANNOTATIONS.doNotDisrupt] === 'true';
  return label === annotation ? label : undefined;
}

function isOutdated({ metadata }: V1Pod, currentTemplate: string | undefined): boolean {
  const made = metadata?.annotations?.[ANNOTATIONS.template];
  return made !== undefined && currentTemplate !== undefined && made !== currentTemplate;
}

/** A watch delivers text, a list delivers dates. */
export function timeMs(time: Date | string | undefined): number {
  return new Date(time ?? 0).getTime();
}

function host(ip: string): string {
  return ip.includes(':') ? `[${ip}]` : ip;
}
