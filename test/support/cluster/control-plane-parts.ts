// How each part of the control plane is started, and how one sees that it answers. Timings are a test's, defaults otherwise.
import { request } from 'node:https';
import type { ControlPlaneFiles } from './control-plane-files.ts';

export type ControlPlanePart = 'apiserver' | 'etcd' | 'controller-manager' | 'scheduler';

export const portNames = ['etcd', 'etcdPeer', 'apiserver', 'controllerManager', 'scheduler'] as const;

export interface Layout {
  stateDir: string;
  ports: Record<(typeof portNames)[number], number>;
  server: string;
  files: ControlPlaneFiles;
  audit: boolean;
  nodeGraceSeconds: number;
}

export interface PartPlan {
  args: string[];
  ready: () => Promise<boolean>;
}

const host = '127.0.0.1';

export function planParts(layout: Layout): Record<ControlPlanePart, PartPlan> {
  const { ports } = layout;
  return {
    etcd: {
      args: etcdArgs(layout),
      ready: () =>
        fetch(`http://${host}:${ports.etcd}/health`, { signal: AbortSignal.timeout(1_000) }).then(({ ok }) => ok),
    },
    apiserver: { args: apiserverArgs(layout), ready: () => answers(ports.apiserver, '/readyz') },
    'controller-manager': {
      args: controllerManagerArgs(layout),
      ready: () => answers(ports.controllerManager, '/healthz'),
    },
    scheduler: { args: schedulerArgs(layout), ready: () => answers(ports.scheduler, '/healthz') },
  };
}

function etcdArgs({ ports, files }: Layout): string[] {
  const client = `http://${host}:${ports.etcd}`;
  const peer = `http://${host}:${ports.etcdPeer}`;
  return flags({
    name: 'test',
    'data-dir': files.etcdData,
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `test=${peer}`,
    logger: 'zap',
    'log-level': 'warn',
  });
}

function apiserverArgs({ ports, files, audit }: Layout): string[] {
  return flags({
    'etcd-servers': `http://${host}:${ports.etcd}`,
    'etcd-compaction-interval': 0,
    'bind-address': host,
    'advertise-address': host,
    'secure-port': ports.apiserver,
    'cert-dir': files.certificates,
    'endpoint-reconciler-type': 'none',
    'service-cluster-ip-range': '10.96.0.0/24',
    'authorization-mode': 'RBAC',
    'token-auth-file': files.tokens,
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-key-file': files.accountKey,
    'service-account-signing-key-file': files.accountKey,
    'enable-priority-and-fairness': false,
    profiling: false,
    // With it, etcd before 3.4.31 fails every watch that names no version to begin with, and kwok's are such.
    'feature-gates': 'WatchList=false',
    ...(audit ? { 'audit-policy-file': files.auditPolicy, 'audit-log-path': files.auditLog } : {}),
  });
}

/** Controllers of volumes, certificates and services: nothing here uses them, and each holds watches of its own. */
const unusedControllers = [
  'certificatesigningrequest-approving-controller',
  'certificatesigningrequest-cleaner-controller',
  'certificatesigningrequest-signing-controller',
  'cronjob-controller',
  'device-taint-eviction-controller',
  'endpointslice-mirroring-controller',
  'ephemeral-volume-controller',
  'horizontal-pod-autoscaler-controller',
  'persistentvolume-attach-detach-controller',
  'persistentvolume-binder-controller',
  'persistentvolume-expander-controller',
  'persistentvolume-protection-controller',
  'persistentvolumeclaim-protection-controller',
  'podcertificaterequest-cleaner-controller',
  'resourceclaim-controller',
  'service-cidr-controller',
  'storage-version-migrator-controller',
  'volumeattributesclass-protection-controller',
];

function controllerManagerArgs({ ports, files, nodeGraceSeconds }: Layout): string[] {
  return flags({
    kubeconfig: files.controllerManager.kubeconfig,
    'bind-address': host,
    'secure-port': ports.controllerManager,
    'leader-elect': false,
    'use-service-account-credentials': true,
    'service-account-private-key-file': files.accountKey,
    'root-ca-file': files.serverCertificate,
    controllers: ['*', ...unusedControllers.map((name) => `-${name}`)].join(','),
    'node-monitor-period': '1s',
    'node-monitor-grace-period': `${nodeGraceSeconds}s`,
    'node-startup-grace-period': `${nodeGraceSeconds}s`,
    // Lost nodes are given up one after another, as fast as they are found.
    'node-eviction-rate': 10,
    'kube-api-qps': 200,
    'kube-api-burst': 400,
    profiling: false,
  });
}

function schedulerArgs({ ports, files }: Layout): string[] {
  return flags({
    config: files.schedulerConfig,
    'bind-address': host,
    'secure-port': ports.scheduler,
  });
}

function flags(values: Record<string, string | number | boolean>): string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`);
}

/** Certificates are not checked: those of the scheduler and the controller manager exist in memory only. */
function answers(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asking = request(
      { host, port, path, rejectUnauthorized: false, timeout: 2_000, agent: false },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    asking.once('error', () => resolve(false));
    asking.once('timeout', () => asking.destroy(new Error('no answer')));
    asking.end();
  });
}
