// What the control plane reads from disk: users with tokens, the key of service account tokens, the audit policy, kubeconfigs.
// Everything is made anew for each start and is worth nothing outside this machine.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';

interface User {
  name: string;
  group: string;
  token: string;
  kubeconfig: string;
}

export type ControlPlaneFiles = Awaited<ReturnType<typeof prepareFiles>>;

export async function prepareFiles(stateDir: string, audit: boolean) {
  await mkdir(join(stateDir, 'logs'), { recursive: true, mode: 0o700 });
  const inState = (name: string) => join(stateDir, name);
  const user = (name: string, group = ''): User => ({
    name,
    group,
    token: randomBytes(16).toString('hex'),
    kubeconfig: inState(`${name.replace(/^system:/, '')}.kubeconfig`),
  });
  const admin = user('admin', 'system:masters');
  const controllerManager = user('system:kube-controller-manager');
  const scheduler = user('system:kube-scheduler');
  const users = [admin, controllerManager, scheduler];

  const files = {
    admin,
    controllerManager,
    scheduler,
    etcdData: inState('etcd'),
    certificates: inState('certificates'),
    /** Written by the API server at its first start; it signs itself. */
    serverCertificate: inState('certificates/apiserver.crt'),
    tokens: inState('tokens.csv'),
    accountKey: inState('service-account.key'),
    auditPolicy: inState('audit-policy.yaml'),
    auditLog: inState('logs/audit.log'),
    schedulerConfig: inState('scheduler.yaml'),
    kubectlCache: inState('kubectl-cache'),
    async writeKubeconfigs(server: string) {
      const authority = await readFile(files.serverCertificate);
      for (const { kubeconfig, token } of users) {
        await writeFile(kubeconfig, kubeconfigText({ server, authority, token }), { mode: 0o600 });
      }
    },
  };
  for (const old of [files.etcdData, files.auditLog]) await rm(old, { recursive: true, force: true });
  await writeFile(files.tokens, users.map(tokenLine).join(''), { mode: 0o600 });
  await writeFile(files.accountKey, newKey(), { mode: 0o600 });
  await writeFile(files.schedulerConfig, stringify(schedulerConfig(scheduler.kubeconfig)));
  if (audit) await writeFile(files.auditPolicy, stringify(auditPolicy));
  return files;
}

function tokenLine({ token, name, group }: User): string {
  return `${[token, name, name, ...(group ? [`"${group}"`] : [])].join(',')}\n`;
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'sec1', format: 'pem' }).toString();
}

interface Access {
  server: string;
  authority: Buffer;
  token: string;
  namespace?: string;
}

export function kubeconfigText({ server, authority, token, namespace }: Access): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': authority.toString('base64') } }],
    users: [{ name: 'user', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'user', ...(namespace ? { namespace } : {}) } }],
    'current-context': 'test',
  });
}

/** The pods a test waits for are tried again after 1 s, not 10. */
function schedulerConfig(kubeconfig: string) {
  return {
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    leaderElection: { leaderElect: false },
    clientConnection: { kubeconfig, qps: 200, burst: 400 },
    podInitialBackoffSeconds: 1,
    podMaxBackoffSeconds: 1,
  };
}

/** Each request once: a watch when it begins, because it may never end. */
const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  rules: [
    { level: 'Metadata', verbs: ['watch'], omitStages: ['RequestReceived', 'ResponseComplete'] },
    { level: 'Metadata', omitStages: ['RequestReceived', 'ResponseStarted'] },
  ],
};
