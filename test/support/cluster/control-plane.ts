// A real Kubernetes control plane on loopback: etcd, API server, controller manager and scheduler, with RBAC. No node and no
// kubelet: kubelet.ts and kwok.ts bring those. It decides nothing about what runs in it.
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { messageOf } from '../../../src/common/error-message.ts';
import { type Child, startChild } from '../../../src/dev/child.ts';
import { ensureComponents } from '../../../src/dev/components.ts';
import { endLeftovers, stateDirVariable } from '../../../src/dev/leftovers.ts';
import { freePorts } from '../../../src/dev/ports.ts';
import { type Report, reportNothing } from '../../../src/dev/reporter.ts';
import { waitFor } from '../stack-wait.ts';
import { type AuditedRequest, readRequests } from './audit.ts';
import { kubeconfigText, prepareFiles } from './control-plane-files.ts';
import { type ControlPlanePart, type Layout, type PartPlan, planParts, portNames } from './control-plane-parts.ts';
import { compactEtcd } from './etcd.ts';
import { runKubectl } from './kubectl.ts';

export type { AuditedRequest } from './audit.ts';
export type { ControlPlanePart } from './control-plane-parts.ts';

export interface ControlPlaneOptions {
  /** Everything it writes: keys, logs, etcd's data. */
  stateDir: string;
  /** Notes every request, for `requests`. */
  audit?: boolean;
  /** A node silent for this long becomes NotReady; 10 by default. */
  nodeGraceSeconds?: number;
  report?: Report;
}

export interface ControlPlane {
  readonly server: string;
  readonly stateDir: string;
  /** A file, for user `admin` of group system:masters. */
  readonly kubeconfig: string;
  /** A file with a token from TokenRequest; the namespace is the context's. */
  kubeconfigFor(namespace: string, serviceAccount: string): Promise<string>;
  /** As admin. @returns stdout; rejects with stderr */
  kubectl(args: readonly string[], stdin?: string): Promise<string>;
  /** Pods can be made in it when this returns: its default service account is there. */
  createNamespace(name: string): Promise<void>;
  /** SIGKILL. */
  kill(part: ControlPlanePart): Promise<void>;
  /** Ends the part in order if it runs, and starts it again on the same ports with the same data. */
  restart(part: ControlPlanePart): Promise<void>;
  /**
   * Forgets all history and restarts the API server, which would remember it: a watch that resumes from before is told 410 Gone.
   */
  compact(): Promise<void>;
  /** With `audit` only: what the user has asked for since the start, oldest first; a watch counts when it begins. */
  requests(user: string): Promise<AuditedRequest[]>;
  /** The process ids of the parts that run now. */
  pids(): Partial<Record<ControlPlanePart, number>>;
  /** May be called again. */
  stop(): Promise<void>;
}

const startTries = 3;
const readyTimeoutMs = 60_000;
const leftoverLimitMs = 500;
/** The API server waits for watches that never end. */
const restartLimitMs = 2_000;
const binaryOf = {
  etcd: 'etcd',
  apiserver: 'kube-apiserver',
  'controller-manager': 'kube-controller-manager',
  scheduler: 'kube-scheduler',
} as const;

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const report = options.report ?? reportNothing;
  const binaries = await ensureComponents([...Object.values(binaryOf), 'kubectl'], report);
  const stateDir = resolve(options.stateDir);
  await endLeftovers(stateDir, leftoverLimitMs);
  for (let tries = 1; ; tries++) {
    const layout = await layOut(options, stateDir);
    try {
      return await startParts(layout, binaries, report);
    } catch (error) {
      // Another process took a port between our choice and the part's start.
      if (tries === startTries || !/address already in use/i.test(messageOf(error))) throw error;
    }
  }
}

async function layOut(options: ControlPlaneOptions, stateDir: string): Promise<Layout> {
  const free = await freePorts(portNames.length);
  const ports = Object.fromEntries(portNames.map((name, i) => [name, free[i]])) as Layout['ports'];
  const server = `https://127.0.0.1:${ports.apiserver}`;
  const audit = options.audit ?? false;
  const files = await prepareFiles(stateDir, audit);
  return { stateDir, ports, server, files, audit, nodeGraceSeconds: options.nodeGraceSeconds ?? 10 };
}

type Binaries = Record<(typeof binaryOf)[ControlPlanePart] | 'kubectl', string>;

async function startParts(layout: Layout, binaries: Binaries, report: Report): Promise<ControlPlane> {
  const { stateDir, files, server } = layout;
  const plans: Record<ControlPlanePart, PartPlan> = planParts(layout);
  const running = new Map<ControlPlanePart, Child>();

  const start = async (part: ControlPlanePart) => {
    const startedAt = performance.now();
    const child = await startChild({
      name: part,
      command: binaries[binaryOf[part]],
      args: plans[part].args,
      env: { [stateDirVariable]: stateDir },
      logFile: join(stateDir, 'logs', `${part}.log`),
      ready: plans[part].ready,
      readyTimeoutMs,
    });
    running.set(part, child);
    report(`${part} ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  };
  const stopAll = async () => {
    await Promise.all([...running.values()].map((child) => child.kill('SIGKILL')));
    await endLeftovers(stateDir, leftoverLimitMs);
  };
  const kubectl = (args: readonly string[], stdin?: string) =>
    runKubectl(binaries.kubectl, [`--kubeconfig=${files.admin.kubeconfig}`, ...args], files.kubectlCache, stdin);
  const defaultAccount = (namespace: string) =>
    waitFor(
      `the default service account of namespace ${namespace}`,
      () => kubectl(['get', 'serviceaccount', 'default', '-n', namespace, '-o', 'name']),
      (name) => name !== '',
      readyTimeoutMs,
    );

  try {
    await start('etcd');
    await start('apiserver');
    await files.writeKubeconfigs(server);
    await Promise.all([start('controller-manager'), start('scheduler')]);
    await defaultAccount('default');
  } catch (error) {
    await stopAll();
    throw error;
  }
  let stopped: Promise<void> | undefined;
  return {
    server,
    stateDir,
    kubeconfig: files.admin.kubeconfig,
    kubectl,
    kubeconfigFor: async (namespace, serviceAccount) => {
      const token = await kubectl(['create', 'token', serviceAccount, '-n', namespace, '--duration=24h']);
      const authority = await readFile(files.serverCertificate);
      const file = join(stateDir, `${namespace}.${serviceAccount}.kubeconfig`);
      await writeFile(file, kubeconfigText({ server, authority, token: token.trim(), namespace }), { mode: 0o600 });
      return file;
    },
    createNamespace: async (name) => {
      await kubectl(['create', 'namespace', name]);
      await defaultAccount(name);
    },
    kill: async (part) => running.get(part)?.kill('SIGKILL'),
    restart: async (part) => {
      await running.get(part)?.stop(restartLimitMs);
      await start(part);
    },
    compact: async () => {
      await compactEtcd(`http://127.0.0.1:${layout.ports.etcd}`);
      await running.get('apiserver')?.kill('SIGKILL');
      await start('apiserver');
    },
    requests: (user) => {
      if (!layout.audit) throw new Error('requests() needs a control plane started with `audit: true`');
      return readRequests(files.auditLog, user);
    },
    pids: () => Object.fromEntries([...running].filter(([, child]) => child.isRunning()).map(([p, c]) => [p, c.pid])),
    stop: () => {
      stopped ??= stopAll();
      return stopped;
    },
  };
}
