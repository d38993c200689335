// The Helm chart on a real API server: every object is valid, its Roles are enough and not more, its budget keeps busy workers,
// an uninstall lets them go, and their namespace is made, kept and shared as it says.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Capacity } from '../../../src/capacity/guard.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { reportToStderr } from '../../../src/dev/reporter.ts';
import {
  chart,
  type Helm,
  namespace,
  parseManifests,
  root,
  startHelm,
  valueSets,
  valuesOf,
  workerNamespaces,
} from '../../support/chart.ts';
import { type ControlPlane, startControlPlane } from '../../support/cluster/control-plane.ts';
import { waitFor } from '../../support/stack-wait.ts';
import { openCapacity, workersOf } from '../capacity/open.ts';

/** Apart from where the value sets are tried. */
const installed = 'studio';
/** Made by the chart. */
const workers = 'studio-egress';

let folder: string;
let helm: Helm;
let cluster: ControlPlane;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-helm-'));
  helm = await startHelm();
  cluster = await startControlPlane({ stateDir: folder, report: reportToStderr });
  for (const name of [namespace, ...workerNamespaces, installed]) {
    await cluster.createNamespace(name);
    await cluster.kubectl(['label', 'namespace', name, 'pod-security.kubernetes.io/enforce=restricted']);
  }
  await cluster.kubectl(['apply', '-f', '-'], serviceMonitorDefinition);
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd/servicemonitors.monitoring.coreos.com']);
});
afterAll(async () => {
  await cluster?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const dryRun = (manifests: string) =>
  cluster.kubectl(['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-'], manifests);

test.each(valueSets)('the API server accepts every object of %s', async (set) => {
  const { stdout } = await helm.template(valuesOf(set));
  // Of all objects a pod alone is looked at with another one in mind.
  const { spec } = parseManifests(stdout).find(({ kind }) => kind === 'Pod') ?? {};
  await cluster.kubectl(['create', 'sa', spec?.serviceAccountName ?? '', '-n', namespace]).catch(() => undefined);
  const applied = (await dryRun(stdout)).split('\n');
  expect(applied).toHaveLength(parseManifests(stdout).length);
  expect(applied.filter((line) => !line.endsWith('serverside-applied (server dry run)'))).toEqual([]);
});

test('the API server accepts deploy/kubernetes/reelkit.yaml', async () => {
  const applied = await dryRun(await readFile(join(root, 'deploy/kubernetes/reelkit.yaml'), 'utf8'));
  expect(applied).toContain('podtemplate/reelkit-egress serverside-applied');
});

test('it does refuse an object with a field that does not exist', async () => {
  const { stdout } = await helm.template(valuesOf('minimal'));
  await expect(dryRun(stdout.replace('startupProbe:', 'startProbe:'))).rejects.toThrow('startProbe');
});

describe('installed', () => {
  let provider: Capacity;
  const kubectl = (...args: string[]) => cluster.kubectl(['--namespace', installed, ...args]);
  const ofWorkers = (...args: string[]) => cluster.kubectl(['--namespace', workers, ...args]);
  const podsLeft = () => ofWorkers('get', 'pods', '--selector', 'reelkit.dev/fleet=default', '--output', 'name');

  beforeAll(async () => {
    const { exitCode, stderr } = await withCluster('install', chart, ...valuesOf('minimal'));
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    provider = await openCapacity((await configOf('reelkit-worker')).fleets[0]);
  });
  afterAll(() => provider?.close?.());

  const withCluster = (command: string, ...args: string[]) => helmAsAdmin(command, 'reelkit', installed, ...args);

  /** As a pod of the Deployment has it, but from outside the cluster, with the token of its service account. */
  async function configOf(serviceAccount: string) {
    const read = await kubectl('get', 'configmap', 'reelkit', '--output', 'jsonpath={.data.reelkit\\.yaml}');
    const file = parse(read);
    file.fleet.capacity.kubeconfig = await cluster.kubeconfigFor(installed, serviceAccount);
    const livekit = { LIVEKIT_URL: 'ws://livekit', LIVEKIT_API_KEY: 'key', LIVEKIT_API_SECRET: 'secret' };
    const redis = { LIVEKIT_REDIS_ADDRESS: 'redis.livekit:6379', WORKERS_REDIS_ADDRESS: 'redis.reelkit:6379' };
    return parseConfig(file, { ...livekit, ...redis });
  }

  test('the Temporal worker has the rights and the template it needs to launch', async () => {
    expect(await provider.check()).toEqual([]);
    const { launched, problems } = await provider.launch(2, 'helm');
    expect({ launched: launched.length, problems }).toEqual({ launched: 2, problems: [] });
    expect(provider.limits.coresPerWorker).toBe(4);
  });

  test('the workers have a namespace of their own, in which alone Reelkit may do anything', async () => {
    const podsOf = async (of: string) =>
      cluster.kubectl([
        'get',
        'pods',
        '--namespace',
        of,
        '--selector',
        'app.kubernetes.io/component=egress',
        '-o',
        'name',
      ]);
    expect((await podsOf(workers)).split('\n')).toHaveLength(2);
    expect(await podsOf(installed)).toBe('');
    const may = (verb: string, resource: string, of: string) =>
      mayIn(of, verb, resource, `system:serviceaccount:${installed}:reelkit-worker`);
    for (const verb of ['list', 'watch', 'create', 'patch', 'delete']) {
      expect({ verb, may: await may(verb, 'pods', workers) }).toEqual({ verb, may: 'yes' });
      for (const of of [installed, 'default'])
        expect({ verb, of, may: await may(verb, 'pods', of) }).toMatchObject({ may: 'no' });
    }
    for (const of of [workers, installed]) expect(await may('get', 'secrets', of)).toBe('no');
  });

  test('every pod keeps to the restricted Pod Security Standard, which both namespaces enforce', async () => {
    const labels = ['app.kubernetes.io/component', 'app.kubernetes.io/instance=reelkit'];
    await waitFor(
      'two pods each of API, Temporal worker and egress',
      () =>
        kubectl('get', 'pods', '-A', '--selector', labels.join(), '--label-columns', labels[0] ?? '', '--no-headers'),
      (pods) =>
        ['api', 'temporal-worker', 'egress'].every((one) => pods.match(new RegExp(` ${one}$`, 'gm'))?.length === 2),
      90_000,
    );
  });

  test('the API may see the workers and not touch them', async () => {
    const viewer = await openCapacity((await configOf('reelkit-api')).fleets[0]);
    expect(await workersOf(viewer)).toHaveLength(2);
    await viewer.close?.();
    const may = (verb: string, resource: string) =>
      mayIn(workers, verb, resource, `system:serviceaccount:${installed}:reelkit-api`);
    expect(await may('list', 'pods')).toBe('yes');
    expect(await may('watch', 'pods')).toBe('yes');
    expect(await may('get', 'podtemplates/reelkit-egress')).toBe('yes');
    for (const verb of ['create', 'patch', 'delete']) expect(await may(verb, 'pods')).toBe('no');
    for (const resource of ['secrets', 'podtemplates/other', 'pods/exec'])
      expect({ resource, may: await may('get', resource) }).toEqual({ resource, may: 'no' });
  });

  test('a busy worker is not evicted, an idle one is', async () => {
    const [busy, idle] = (await podsLeft()).split('\n') as [string, string];
    for (const pod of [busy, idle]) await ofWorkers('patch', pod, '--subresource=status', '--patch', runningPatch);
    await provider.protect?.(busy.replace('pod/', ''), true);
    await waitFor(
      'the budget to see the busy worker',
      () => ofWorkers('get', 'pdb', 'reelkit-egress-busy', '--output', 'jsonpath={.status.currentHealthy}'),
      (healthy) => healthy === '1',
      90_000,
    );
    await expect(evict(busy)).rejects.toThrow("Cannot evict pod as it would violate the pod's disruption budget");
    await evict(idle);
    expect(await podsLeft()).toBe(busy);
  });

  const evict = (pod: string) => {
    const name = pod.replace('pod/', '');
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: workers } };
    const path = `/api/v1/namespaces/${workers}/pods/${name}/eviction`;
    return cluster.kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction));
  };

  test('an upgrade changes the template in its place, and keeps the key and the password that the first install made', async () => {
    const secrets = () =>
      kubectl('get', 'secret', 'reelkit-encryption', 'reelkit-workers-redis', '--output', 'jsonpath={.items[*].data}');
    const made = await secrets();
    expect(made).toMatch(/^\{"keys":"[^"]{60,}"\} \{"password":"[^"]{40,}"\}$/);
    const uid = () => ofWorkers('get', 'podtemplate', 'reelkit-egress', '--output', 'jsonpath={.metadata.uid}');
    const before = await uid();
    const { exitCode, stderr } = await withCluster(
      'upgrade',
      chart,
      ...valuesOf('minimal'),
      '--set',
      'egress.configVersion=2',
    );
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(await uid()).toBe(before);
    expect(await secrets()).toBe(made);
    const password = await ofWorkers('get', 'secret', 'reelkit-workers-redis', '--output', 'jsonpath={.data}');
    expect(made).toContain(password);
  });

  test('an upgrade does not move the workers away from under a recording', async () => {
    const moved = (...args: string[]) =>
      withCluster('upgrade', chart, ...valuesOf('minimal'), '--dry-run=server', ...args);
    const { exitCode, stderr } = await moved('--set', `egress.namespace.name=${installed}`);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`to namespace ${installed} while recordings run on 1 of those in ${workers}: wait until`);
    expect((await moved()).exitCode).toBe(0);
  });

  test('another release does not take the namespace by accident, and may share it', async () => {
    const other = (...args: string[]) =>
      helmAsAdmin('install', 'second', installed, chart, ...valuesOf('minimal'), '--dry-run=server', ...args);
    const { exitCode, stderr } = await other();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      `namespace ${workers} is of the release reelkit in namespace ${installed}: name another one`,
    );
    const shared = await other('--set', 'egress.namespace.create=false,fleet.name=second');
    expect({ exitCode: shared.exitCode, stderr: shared.stderr }).toEqual({ exitCode: 0, stderr: '' });
  });

  test('nobody writes over the key, as manifests that are rendered anew would', async () => {
    const { stdout } = await helm.template(valuesOf('minimal'));
    const secret = parseManifests(stdout).find(({ metadata }) => metadata.name === 'reelkit-encryption');
    const another = JSON.stringify({ ...secret, metadata: { ...secret?.metadata, namespace: installed } });
    await expect(cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], another)).rejects.toThrow(
      'immutable',
    );
  });

  test('an uninstall takes the workers with it, and leaves their namespace to those that still record', async () => {
    const { exitCode, stderr } = await withCluster('uninstall');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    await waitFor('the workers to go', podsLeft, (left) => left === '', 90_000);
    expect(await kubectl('get', 'secrets', '--output', 'name')).toBe('secret/reelkit-encryption');
    expect(await cluster.kubectl(['get', 'namespace', workers, '--output', 'jsonpath={.status.phase}'])).toBe('Active');
  });

  test('an install after that takes up what was left', async () => {
    const key = () => kubectl('get', 'secret', 'reelkit-encryption', '--output', 'jsonpath={.data}');
    const before = await key();
    const { exitCode, stderr } = await withCluster('install', chart, ...valuesOf('minimal'));
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(await key()).toBe(before);
    expect(await ofWorkers('get', 'podtemplates', '--output', 'name')).toBe('podtemplate/reelkit-egress');
  });
});

describe('somebody who may not make namespaces', () => {
  const own = 'ward';
  const theirs = 'ward-egress';
  let kubeconfig: string;
  const install = (...args: string[]) =>
    helm.run(['install', 'reelkit', chart, ...valuesOf('minimal'), ...args, '-n', own, '--kubeconfig', kubeconfig]);

  beforeAll(async () => {
    for (const name of [own, theirs]) await cluster.createNamespace(name);
    await cluster.kubectl(['create', 'serviceaccount', 'installer', '-n', own]);
    // What docs/kubernetes.md says is enough.
    const rights = ['--verb=*', '--resource=podtemplates'];
    for (const name of [own, theirs]) {
      const who = ['-n', name, `--serviceaccount=${own}:installer`];
      await cluster.kubectl(['create', 'rolebinding', 'installer', '--clusterrole=admin', ...who]);
      await cluster.kubectl(['create', 'role', 'podtemplates', ...rights, '-n', name]);
      await cluster.kubectl(['create', 'rolebinding', 'podtemplates', '--role=podtemplates', ...who]);
    }
    kubeconfig = await cluster.kubeconfigFor(own, 'installer');
  });

  test('is told of one that is missing before anything is made', async () => {
    const { exitCode, stderr } = await install('--set', 'egress.namespace.name=missing');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/namespaces "missing" is forbidden/);
    const made = await cluster.kubectl(['get', 'configmaps,deployments,secrets', '-n', own, '--output', 'name']);
    expect(made).toBe('configmap/kube-root-ca.crt');
  });

  test('installs into two that were made for it', async () => {
    const { exitCode, stderr } = await install();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const placed = [
      'get',
      'podtemplates,roles,secrets',
      '-n',
      theirs,
      '--selector',
      'app.kubernetes.io/instance=reelkit',
    ];
    expect((await cluster.kubectl([...placed, '--output', 'name'])).split('\n')).toEqual([
      'podtemplate/reelkit-egress',
      'role.rbac.authorization.k8s.io/reelkit-api',
      'role.rbac.authorization.k8s.io/reelkit-worker',
      'secret/reelkit-workers-redis',
    ]);
  });
});

const helmAsAdmin = (command: string, release: string, into: string, ...args: string[]) =>
  helm.run([command, release, ...args, '--namespace', into, '--kubeconfig', cluster.kubeconfig]);

const mayIn = (of: string, verb: string, resource: string, who: string) =>
  cluster.kubectl(['auth', 'can-i', verb, resource, '--namespace', of, `--as=${who}`]).catch(() => 'no');

/** What a kubelet would say. */
const runningPatch = JSON.stringify({
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
});

/** As much of the Prometheus operator's as the chart uses. */
const serviceMonitorDefinition = JSON.stringify({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'servicemonitors.monitoring.coreos.com' },
  spec: {
    group: 'monitoring.coreos.com',
    names: {
      kind: 'ServiceMonitor',
      listKind: 'ServiceMonitorList',
      plural: 'servicemonitors',
      singular: 'servicemonitor',
    },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
});
