// The Helm chart: what Helm makes of it, which mistakes it refuses, and what its manifests promise. No cluster; see
// helm-cluster.test.ts for what a real API server says.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../../src/config/load.ts';
import {
  chart,
  find,
  type Helm,
  type Manifest,
  podSpecs,
  root,
  startHelm,
  type Template,
  valueSets,
  valuesOf,
} from '../../support/chart.ts';

let helm: Helm;
const rendered: Record<string, Manifest[]> = {};
const manifestsOf = (set: string) => rendered[set] ?? [];

beforeAll(async () => {
  helm = await startHelm();
  for (const set of valueSets) rendered[set] = await helm.manifests(set);
});

test('the chart is of the version of the package', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  expect(parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8'))).toMatchObject({ version, appVersion: version });
});

test.each(valueSets)('helm lint --strict has nothing to say about %s', async (set) => {
  const { exitCode, stdout, stderr } = await helm.lint(valuesOf(set));
  expect({ exitCode, complaints: `${stdout}${stderr}`.match(/\[(WARNING|ERROR)\].*/g) }).toEqual({
    exitCode: 0,
    complaints: null,
  });
});

describe('a mistake in the values is refused, and the message names the field', () => {
  const mistakes: [mistake: string, values: string, field: string][] = [
    ['no image is published yet', 'image: {repository: ""}', "'/image/repository'"],
    ['a key that does not exist', 'replicas: 2', "'replicas' not allowed"],
    ['a misspelt key', 'egress: {nodeselector: {pool: egress}}', "'nodeselector' not allowed"],
    ['no LiveKit', 'livekit: {url: ""}', "'/livekit/url'"],
    ['a LiveKit that is no URL', 'livekit: {url: livekit.example.com}', "'/livekit/url'"],
    ['no keys of LiveKit', 'livekit: {existingSecret: ""}', "'/livekit/existingSecret'"],
    ['keys of LiveKit themselves', 'livekit: {apiKey: a, apiSecret: b}', "'/livekit'"],
    ['encryption keys themselves', 'encryption: {keys: a}', "'keys' not allowed"],
    ['no Redis of LiveKit', 'livekit: {redis: {address: ""}}', 'livekit.redis names no Redis'],
    [
      'no Redis of the workers',
      'workersRedis: {enabled: false}',
      'workers.redis names no Redis, and workersRedis.enabled is',
    ],
    ['a password of the Redis of the workers', 'workersRedis: {password: s}', "'password' not allowed"],
    ['a URL as address of a Redis', 'workers: {redis: {address: "redis://r:6379"}}', "'/workers/redis/address'"],
    ['a password of a Redis itself', 'workers: {redis: {password: s}}', "'password' not allowed"],
    ['no Temporal', 'temporal: {address: ""}', "'/temporal/address'"],
    ['a URL as address of Temporal', 'temporal: {address: "https://cloud.temporal.io"}', "'/temporal/address'"],
    ['an API key of Temporal itself', 'temporal: {apiKey: secret}', "'apiKey' not allowed"],
    ['replicas below 0', 'api: {replicas: -1}', "'/api/replicas'"],
    ['replicas as text', 'temporalWorker: {replicas: "2"}', "'/temporalWorker/replicas'"],
    [
      'a grace period as text',
      'egress: {terminationGracePeriodSeconds: 25h}',
      "'/egress/terminationGracePeriodSeconds'",
    ],
    ['CPU as a number', 'egress: {resources: {requests: {cpu: 4}}}', "'/egress/resources/requests/cpu'"],
    [
      'CPU that is no quantity',
      'egress: {resources: {requests: {cpu: "4 cores"}}}',
      "'/egress/resources/requests/cpu'",
    ],
    ['no CPU', 'egress: {resources: {requests: {cpu: null}}}', "'/egress/resources/requests'"],
    ['no configuration of the egress', 'egress: {configSecret: {name: ""}}', "'/egress/configSecret/name'"],
    ['a configuration itself', 'egress: {config: {redis: {}}}', "'config' not allowed"],
    ['a port out of range', 'egress: {ports: {health: 90900}}', "'/egress/ports/health'"],
    ['no storage', 'storages: null', "'storages'"],
    ['a storage without bucket', 'storages: {recordings: {bucket: null}}', "'/storages/recordings'"],
    ['a storage whose keys nobody gives', 'storages: {more: {type: s3, bucket: b}}', "'/storages/more'"],
    ['a proxy that is none', 'api: {trustProxy: -1}', "'/api/trustProxy'"],
    ['an access key', 'storages: {recordings: {accessKey: a}}', "'accessKey' not allowed"],
    ['a secret', 'storages: {recordings: {secret: s}}', "'secret' not allowed"],
    ['credentials', 'storages: {more: {type: gcs, bucket: b, credentials: "{}"}}', "'credentials' not allowed"],
    ['a storage that needs a key', 'storages: {more: {type: azure, containerName: c}}', "'/storages/more/type'"],
    ['a folder that is not absolute', 'storages: {more: {type: local, path: recordings}}', "'/storages/more/path'"],
    ['another provider', 'fleet: {capacity: {provider: static}}', "'capacity' not allowed"],
    ['a fleet that is no label', 'fleet: {name: Prod}', "'/fleet/name'"],
    ['a duration without unit', 'fleet: {cooldown: "300"}', "'/fleet/cooldown'"],
    ['a public URL, which nothing needs any more', 'api: {publicUrl: "http://reelkit"}', "'publicUrl' not allowed"],
    ['a placeholder as important as a worker', 'placeholder: {priority: 0}', "'/placeholder/priority'"],
    [
      'worker versioning, which one rolling Deployment cannot do',
      'env: [{name: TEMPORAL_WORKER_BUILD_ID, value: "1"}]',
      'env sets TEMPORAL_WORKER_BUILD_ID',
    ],
    ['a fleet without a name', 'extraFleets: [{maxWorkers: 2}]', "'/extraFleets/0'"],
    ['a misspelt key of a fleet', 'extraFleets: [{name: gpu, egress: {ports: {health: 1}}}]', "'ports' not allowed"],
    [
      'two fleets of one name',
      'extraFleets: [{name: default}]',
      'extraFleets names default, which is the name of another',
    ],
    [
      'a grace period of a fleet that is shorter than its recordings',
      'extraFleets: [{name: gpu, egress: {terminationGracePeriodSeconds: 600}}]',
      'egress.longestRecording is 24h (fleet gpu)',
    ],
    ['the namespace of the workers as text', 'egress: {namespace: workers}', "'/egress/namespace'"],
    ['a namespace that can be none', 'egress: {namespace: {name: my.workers}}', "'/egress/namespace/name'"],
    [
      'a LiveKit that the workers do not find by this name',
      'livekit: {url: "ws://livekit:7880"}',
      'livekit.url names the host livekit, which is found in namespace reelkit alone, and the workers run in reelkit-egress: write livekit.reelkit',
    ],
    [
      'a Redis of the workers that they do not find',
      'workers: {redis: {address: "redis:6379"}}',
      'workers.redis names the host redis,',
    ],
    [
      'a Sentinel that they do not find',
      'workers: {redis: {sentinelMasterName: main, sentinelAddresses: ["redis-0.r:26379", "sentinel:26379"]}}',
      'workers.redis names the host sentinel,',
    ],
    [
      'a storage that they do not find',
      'storages: {more: {type: s3, bucket: b, workerIdentity: true, endpoint: "http://minio:9000"}}',
      'storages.more.endpoint names the host minio,',
    ],
    ['an unknown log level', 'logLevel: verbose', "'/logLevel'"],
    [
      'a grace period shorter than a recording',
      'egress: {terminationGracePeriodSeconds: 86400}',
      'egress.terminationGracePeriodSeconds is 86400, but egress.longestRecording is 24h',
    ],
    [
      'a recording longer than the grace period',
      'egress: { longestRecording: 1d1h30m }',
      'Set at least 92100, or lower egress.longestRecording',
    ],
  ];

  test.each(mistakes)('%s', async (_, values, field) => {
    const { exitCode, stderr } = await helm.template(valuesOf('minimal'), values);
    expect(stderr).toContain(field);
    expect(exitCode).toBe(1);
  });
});

/** Secrets that the chart makes where none is named. */
const MADE: Record<string, string[]> = {
  minimal: ['reelkit/reelkit-encryption', 'reelkit/reelkit-workers-redis', 'reelkit-egress/reelkit-workers-redis'],
  'config-secret': ['reelkit/reelkit-workers-redis', 'reelkit-workers/reelkit-workers-redis'],
};

describe.each(valueSets)('the manifests of %s', (set) => {
  test('configure Reelkit without an error', () => {
    const configMaps = manifestsOf(set).filter(({ kind }) => kind === 'ConfigMap');
    expect(configMaps).toHaveLength(set === 'config-secret' ? 0 : 1);
    for (const { data } of configMaps) {
      const config = parseConfig(parse(data?.['reelkit.yaml'] ?? ''), environmentOf(manifestsOf(set)));
      const templates = manifestsOf(set).filter(({ kind }) => kind === 'PodTemplate');
      expect(config.fleets.map(({ capacity }) => capacity)).toMatchObject(
        templates.map(({ metadata, template }) => ({
          provider: 'kubernetes',
          namespace: metadata.namespace,
          podTemplate: metadata.name,
          container: template?.spec.containers[0]?.name,
        })),
      );
    }
  });

  test('hold no secret but what the chart makes itself, and name each by Secret and key', () => {
    const made = manifestsOf(set).filter(({ kind }) => kind === 'Secret');
    expect(made.map(({ metadata: { namespace: of, name } }) => `${of}/${name}`)).toEqual(MADE[set] ?? []);
    const secret = /KEY|SECRET|TOKEN|CERT_DATA|PASSWORD|_AUTH$|EGRESS_CONFIG$/;
    const named = podSpecs(manifestsOf(set)).flatMap(([, { containers }]) =>
      containers.flatMap(({ env = [] }) => env.filter(({ name }) => secret.test(name))),
    );
    expect(named.length).toBeGreaterThan(6);
    for (const { value, valueFrom } of named) {
      expect(value).toBeUndefined();
      expect(valueFrom?.secretKeyRef).toMatchObject({ name: expect.any(String), key: expect.any(String) });
    }
  });

  test('give no pod more than it needs', () => {
    for (const [name, spec] of podSpecs(manifestsOf(set))) {
      expect({ name, ...spec.securityContext }).toMatchObject({
        name,
        runAsNonRoot: true,
        runAsUser: expect.any(Number),
        seccompProfile: { type: 'RuntimeDefault' },
      });
      for (const { securityContext } of spec.containers) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });

  test('let only Reelkit talk to the Kubernetes API, and no Service near it set its port', () => {
    for (const [name, spec] of podSpecs(manifestsOf(set))) {
      const isReelkit = /-(api|worker|doctor)$/.test(name);
      expect({ name, token: spec.automountServiceAccountToken ?? true }).toEqual({ name, token: isReelkit });
      if (isReelkit) expect({ name, links: spec.enableServiceLinks }).toEqual({ name, links: false });
    }
  });

  test('ask for two Roles in one namespace, and for nothing cluster-wide but a look at nodes where that is wanted', () => {
    const templates = manifestsOf(set).filter(({ kind }) => kind === 'PodTemplate');
    const namespace = templates[0]?.metadata.namespace;
    const clusterWide = manifestsOf(set).filter(({ kind }) => kind.startsWith('ClusterRole'));
    expect(clusterWide.map(({ kind }) => kind)).toEqual(
      set === 'everything' ? ['ClusterRole', 'ClusterRoleBinding'] : [],
    );
    expect(clusterWide.flatMap(({ rules = [] }) => rules)).toEqual(
      set === 'everything' ? [{ apiGroups: [''], resources: ['nodes'], verbs: ['list', 'watch'] }] : [],
    );
    const roles = manifestsOf(set).filter(({ kind }) => kind === 'Role');
    expect(roles.map(({ metadata }) => metadata.namespace)).toEqual([namespace, namespace]);
    const podTemplates = {
      apiGroups: [''],
      resources: ['podtemplates'],
      resourceNames: templates.map(({ metadata }) => metadata.name),
      verbs: ['get', 'list', 'watch'],
    };
    const pods = (...verbs: string[]) => ({ apiGroups: [''], resources: ['pods'], verbs });
    expect(roles.map(({ rules }) => rules)).toEqual([
      [pods('list', 'watch'), podTemplates],
      [pods('list', 'watch', 'create', 'patch', 'delete'), podTemplates],
    ]);
  });

  test('select with no Deployment what belongs to another, or to nobody', () => {
    const labels = manifestsOf(set).flatMap(({ kind, metadata, template, spec }) => {
      const found = kind === 'Pod' ? metadata.labels : (template ?? spec?.template)?.metadata.labels;
      return found ? [found] : [];
    });
    for (const { kind, spec } of manifestsOf(set)) {
      if (kind !== 'Deployment') continue;
      const wanted = Object.entries(spec?.selector?.matchLabels ?? {});
      expect(labels.filter((one) => wanted.every(([key, value]) => one[key] === value))).toHaveLength(1);
    }
  });
});

describe('the egress workers', () => {
  const podTemplate = (manifests: Manifest[]): Template => {
    const { template } = find(manifests, 'PodTemplate', 'reelkit-egress');
    if (!template) throw new Error('the PodTemplate is empty');
    return template;
  };

  test('may finish the longest recording, and are never killed by a liveness probe', () => {
    const { spec } = podTemplate(manifestsOf('minimal'));
    expect(spec).toMatchObject({ terminationGracePeriodSeconds: 90_000, restartPolicy: 'Always' });
    expect(spec.containers).toMatchObject([
      { name: 'egress', readinessProbe: { httpGet: { path: '/', port: 'health' }, periodSeconds: 1 } },
    ]);
    expect(spec.containers[0]).not.toHaveProperty('livenessProbe');
  });

  test('have ports that Reelkit knows by name', () => {
    expect(podTemplate(manifestsOf('minimal')).spec.containers[0]).toMatchObject({
      ports: [
        { name: 'health', containerPort: 9090 },
        { name: 'metrics', containerPort: 9091 },
      ],
    });
  });

  test('are replaced when their configuration gets a new version, and not by what concerns Reelkit alone', async () => {
    const before = podTemplate(manifestsOf('minimal'));
    const versioned = await helm.manifests('minimal', 'egress: {configVersion: "2026-08-24"}');
    expect(podTemplate(versioned)).not.toEqual(before);
    const reelkitOnly = await helm.manifests('minimal', 'fleet: {maxWorkers: 3}\nimage: {tag: "9.9.9"}');
    expect(podTemplate(reelkitOnly)).toEqual(before);
  });

  test('of several fleets have a template, a budget and settings each, on top of those of the first', () => {
    const manifests = manifestsOf('fleets');
    const specOf = (name: string) => find(manifests, 'PodTemplate', name).template?.spec;
    expect(specOf('reelkit-egress')).toMatchObject({ terminationGracePeriodSeconds: 90_000 });
    expect(specOf('reelkit-egress-small')).toMatchObject({
      nodeSelector: { pool: 'small' },
      containers: [{ resources: { requests: { cpu: '2' }, limits: { memory: '4Gi' } } }],
    });
    expect(specOf('reelkit-egress-gpu')).toMatchObject({
      terminationGracePeriodSeconds: 7_500,
      containers: [{ image: 'livekit/egress:v1.14.1-gpu', resources: { requests: { cpu: '4' } } }],
    });
    expect(specOf('reelkit-egress-gpu')).not.toHaveProperty('nodeSelector');
    const budgets = manifests.filter(({ metadata }) => metadata.name.endsWith('-busy'));
    expect(budgets.map(({ spec }) => spec?.selector?.matchLabels['reelkit.dev/fleet'])).toEqual([
      'main',
      'small',
      'gpu',
    ]);
    expect(find(manifests, 'NetworkPolicy', 'reelkit-egress').spec).toMatchObject({
      podSelector: { matchExpressions: [{ key: 'reelkit.dev/fleet', values: ['main', 'small', 'gpu'] }] },
    });
    const { fleets, rules } = parseConfig(
      parse(find(manifests, 'ConfigMap', 'reelkit').data?.['reelkit.yaml'] ?? ''),
      environmentOf(manifests),
    );
    expect(fleets.map(({ name, maxWorkers, cooldown }) => [name, maxWorkers, cooldown])).toEqual([
      ['main', 20, 600_000],
      ['small', 5, 120_000],
      ['gpu', 20, 600_000],
    ]);
    expect(rules).toMatchObject([{ fleet: 'small' }]);
  });

  test('keep their budget and network policy by the name of the fleet', () => {
    const budget = find(manifestsOf('everything'), 'PodDisruptionBudget', 'recorder-egress-busy');
    expect(budget.spec).toMatchObject({
      minAvailable: 1_000_000,
      selector: { matchLabels: { 'reelkit.dev/fleet': 'prod', 'reelkit.dev/busy': 'true' } },
    });
    expect(find(manifestsOf('everything'), 'NetworkPolicy', 'recorder-egress').spec).toMatchObject({
      podSelector: { matchLabels: { 'reelkit.dev/fleet': 'prod' } },
    });
  });

  test('ask for disk, without a limit that would evict a recording, and get no sidecar of a mesh', () => {
    const template = find(manifestsOf('minimal'), 'PodTemplate', 'reelkit-egress').template;
    expect(template?.spec.containers[0]?.resources).toMatchObject({ requests: { 'ephemeral-storage': '10Gi' } });
    expect(template?.spec.containers[0]?.resources).not.toMatchObject({
      limits: { 'ephemeral-storage': expect.anything() },
    });
    expect(template?.metadata).toMatchObject({
      labels: { 'sidecar.istio.io/inject': 'false', 'kuma.io/sidecar-injection': 'disabled' },
      annotations: { 'linkerd.io/inject': 'disabled', 'consul.hashicorp.com/connect-inject': 'false' },
    });
    const labelled = find(manifestsOf('everything'), 'PodTemplate', 'recorder-egress').template?.metadata;
    expect(labelled).toMatchObject({ labels: { team: 'media', 'sidecar.istio.io/inject': 'false' } });
  });

  test('are out of reach for everybody but Reelkit by default', () => {
    const names = manifestsOf('minimal')
      .filter(({ kind }) => kind === 'NetworkPolicy')
      .map(({ metadata }) => metadata.name);
    expect(names.sort()).toEqual(['reelkit-api', 'reelkit-egress', 'reelkit-worker', 'reelkit-workers-redis']);
  });

  test('reach LiveKit by a WebSocket, however its URL is written', () => {
    const egress = find(manifestsOf('everything'), 'PodTemplate', 'recorder-egress').template?.spec.containers[0];
    expect(egress?.env).toContainEqual({ name: 'LIVEKIT_WS_URL', value: 'wss://livekit.example.com' });
  });

  test('have placeholders of their size and image that give way to them', () => {
    const manifests = manifestsOf('everything');
    const placeholder = find(manifests, 'Deployment', 'recorder-placeholder').spec?.template?.spec;
    const egress = find(manifests, 'PodTemplate', 'recorder-egress').template?.spec;
    expect(placeholder?.containers[0]?.resources).toEqual(egress?.containers[0]?.resources);
    expect(placeholder?.containers[0]?.image).toBe(egress?.containers[0]?.image);
    expect(find(manifests, 'PriorityClass', placeholder?.priorityClassName ?? '')).toMatchObject({
      value: -10,
      preemptionPolicy: 'Never',
    });
    expect(placeholder?.priorityClassName).toBe('reelkit-recorder-placeholder-10');
    const named = find(manifestsOf('placeholder'), 'Deployment', 'reelkit-placeholder').spec?.template?.spec;
    expect(named?.priorityClassName).toBe('overprovisioning');
    expect(manifestsOf('placeholder').filter(({ kind }) => kind === 'PriorityClass')).toEqual([]);
  });
});

describe('Reelkit itself', () => {
  const annotations = (manifests: Manifest[], name: string) =>
    find(manifests, 'Deployment', name).spec?.template?.metadata.annotations;

  test('is rolled when its configuration changes', async () => {
    const changed = await helm.manifests('minimal', 'fleet: {maxWorkers: 3}');
    for (const name of ['reelkit-api', 'reelkit-worker']) {
      const before = annotations(manifestsOf('minimal'), name)?.['checksum/config'];
      expect(before).toMatch(/^[0-9a-f]{64}$/);
      expect(annotations(changed, name)?.['checksum/config']).not.toBe(before);
    }
  });

  test('has a budget where it has more than one replica', () => {
    const budgets = (set: string) =>
      manifestsOf(set)
        .filter(({ kind }) => kind === 'PodDisruptionBudget')
        .map(({ metadata }) => metadata.name);
    expect(budgets('minimal')).toEqual(['reelkit-api', 'reelkit-egress-busy', 'reelkit-worker']);
    expect(budgets('temporal-cloud')).not.toContain('reelkit-api');
    expect(budgets('placeholder')).not.toContain('reelkit-worker');
  });

  test('takes its encryption keys from a Secret, and rules and origins from the values', () => {
    const [{ data } = {}] = manifestsOf('everything').filter(({ kind }) => kind === 'ConfigMap');
    const config = parseConfig(parse(data?.['reelkit.yaml'] ?? ''), environmentOf(manifestsOf('everything')));
    expect(config.encryption).toMatchObject({ keys: [{ id: 'k1' }], uiOrigins: ['https://temporal.example.com'] });
    expect(config.rules).toEqual([{ match: { room: 'exam-*' }, maxDuration: 10_800_000 }]);
  });

  test('has its encryption key made where none is named: one that nobody writes over and no uninstall takes', () => {
    const secret = find(manifestsOf('minimal'), 'Secret', 'reelkit-encryption');
    expect(secret).toMatchObject({ immutable: true, metadata: { annotations: { 'helm.sh/resource-policy': 'keep' } } });
    const made = Buffer.from(secret.data?.keys ?? '', 'base64').toString();
    const { encryption } = parseConfig(ownConfig, {
      ...environmentOf(manifestsOf('minimal')),
      REELKIT_ENCRYPTION_KEYS: made,
    });
    expect(encryption.keys).toEqual([{ id: expect.stringMatching(/^k-[a-z0-9]{12}$/), key: expect.any(String) }]);
    for (const name of ['reelkit-api', 'reelkit-worker']) {
      const [container] = find(manifestsOf('minimal'), 'Deployment', name).spec?.template?.spec.containers ?? [];
      expect(container?.env).toContainEqual({
        name: 'REELKIT_ENCRYPTION_KEYS',
        valueFrom: { secretKeyRef: { name: 'reelkit-encryption', key: 'keys' } },
      });
    }
  });

  test('answers LiveKit from two processes, of which an upgrade takes none away before the next one is ready', () => {
    const { spec } = find(manifestsOf('minimal'), 'Deployment', 'reelkit-api');
    expect(spec).toMatchObject({
      replicas: 2,
      strategy: { rollingUpdate: { maxUnavailable: 0 } },
      template: { spec: { containers: [{ startupProbe: { httpGet: { path: '/readyz' } } }] } },
    });
  });

  test('knows both Redis, whichever way they are reached', () => {
    const configOf = (set: string) => {
      const file = manifestsOf(set).find(({ kind }) => kind === 'ConfigMap')?.data?.['reelkit.yaml'] ?? '';
      return parseConfig(parse(file), environmentOf(manifestsOf(set)));
    };
    expect(configOf('minimal')).toMatchObject({
      livekit: { redis: { address: 'redis.livekit:6379' } },
      workers: { redis: { address: 'reelkit-workers-redis.reelkit.svc:6379', password: 'of a Secret' } },
    });
    expect(configOf('everything')).toMatchObject({
      livekit: { redis: { sentinelMasterName: 'main', sentinelAddresses: { length: 2 }, tls: { enabled: true } } },
      workers: { redis: { address: 'redis.reelkit:6379', username: 'reelkit', db: 1 } },
    });
  });

  test('has its ports and its task queue whatever a configuration of your own says', () => {
    const config = parseConfig(ownConfig, environmentOf(manifestsOf('config-secret')));
    expect(config).toMatchObject({
      api: { host: '0.0.0.0', port: 8080 },
      temporal: { healthPort: 8081, taskQueue: 'reelkit' },
    });
  });

  test('talks to Temporal by TLS as soon as a certificate or a name of the server is given', async () => {
    const tls = async (values: string) =>
      environmentOf(await helm.manifests('minimal', `temporal: {tls: {${values}}}`)).TEMPORAL_TLS;
    for (const values of ['enabled: true', 'clientSecret: temporal-client', 'caSecret: ca', 'serverName: temporal'])
      expect(await tls(values)).toBe('true');
    expect(await tls('enabled: false')).toBeUndefined();
  });

  test('lets Prometheus reach the API where only some may', () => {
    const { apiFrom, metricsFrom } = parse(
      readFileSync(join(chart, 'ci/everything-values.yaml'), 'utf8'),
    ).networkPolicy;
    const policy = find(manifestsOf('everything'), 'NetworkPolicy', 'recorder-api').spec as object;
    expect(policy).toMatchObject({ ingress: [{ from: [...apiFrom, ...metricsFrom, {}] }] });
  });

  test('takes a file of your own by the key it has in its Secret', () => {
    expect(environmentOf(manifestsOf('config-secret')).REELKIT_CONFIG).toBe('/etc/reelkit/config.yaml');
  });
});

describe('the namespace of the workers', () => {
  const namespaces = (manifests: Manifest[]) => manifests.filter(({ kind }) => kind === 'Namespace');

  test.each([
    ['minimal', 'reelkit-egress'],
    ['config-secret', 'reelkit-workers'],
    ['everything', 'recorders'],
    ['fleets', 'reelkit'],
  ])('of %s is %s: the workers and the only rights that Reelkit has are there, Reelkit is not', (set, workers) => {
    const kinds = ['PodTemplate', 'Role', 'RoleBinding'];
    const theirs = manifestsOf(set).filter(
      ({ kind, metadata }) => kinds.includes(kind) || /-egress(-busy)?$|-placeholder$/.test(metadata.name),
    );
    const placed = theirs.filter(({ kind }) => !['Namespace', 'PriorityClass'].includes(kind));
    expect(new Set(placed.map(({ metadata }) => metadata.namespace))).toEqual(new Set([workers]));
    for (const kind of ['Deployment', 'ConfigMap', 'Service'])
      for (const { metadata } of manifestsOf(set).filter((one) => one.kind === kind && !theirs.includes(one)))
        expect({ name: metadata.name, namespace: metadata.namespace }).toMatchObject({ namespace: 'reelkit' });
  });

  test('gives the accounts of another namespace its rights', () => {
    expect(find(manifestsOf('minimal'), 'RoleBinding', 'reelkit-worker')).toMatchObject({
      metadata: { namespace: 'reelkit-egress' },
      subjects: [{ kind: 'ServiceAccount', name: 'reelkit-worker', namespace: 'reelkit' }],
    });
  });

  test('is made by the chart, under the restricted standard, and outlives it', () => {
    expect(namespaces(manifestsOf('minimal'))).toMatchObject([
      {
        metadata: {
          name: 'reelkit-egress',
          labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
          annotations: { 'helm.sh/resource-policy': 'keep' },
        },
      },
    ]);
    expect(namespaces(manifestsOf('everything'))).toMatchObject([
      {
        metadata: {
          name: 'recorders',
          labels: { team: 'media' },
          annotations: { 'example.com/project': 'recordings' },
        },
      },
    ]);
  });

  test('is not made where that is not wanted, or where it is that of the release', () => {
    expect(namespaces(manifestsOf('config-secret'))).toEqual([]);
    expect(namespaces(manifestsOf('fleets'))).toEqual([]);
  });

  test('may be the one of the release, where short names are found', async () => {
    const values = 'livekit: {url: "ws://livekit:7880"}\negress: {namespace: {name: reelkit}}';
    expect(namespaces(await helm.manifests('minimal', values))).toEqual([]);
  });

  test('lets Reelkit alone, from its own namespace, reach the ports of the workers', () => {
    const policy = find(manifestsOf('minimal'), 'NetworkPolicy', 'reelkit-egress');
    expect(policy.metadata.namespace).toBe('reelkit-egress');
    expect(policy.spec).toMatchObject({
      policyTypes: ['Ingress'],
      ingress: [
        {
          ports: [{ port: 'health' }, { port: 'metrics' }],
          from: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'reelkit' } },
              podSelector: { matchExpressions: [{ values: ['api', 'temporal-worker', 'test'] }] },
            },
          ],
        },
      ],
    });
  });
});

describe("the workers' own Redis", () => {
  const redisOf = (manifests: Manifest[]) =>
    find(manifests, 'Deployment', 'reelkit-workers-redis').spec?.template?.spec;
  const egressOf = (manifests: Manifest[], name = 'reelkit-egress') =>
    find(manifests, 'PodTemplate', name).template?.spec.containers[0]?.env ?? [];
  const workerConfig = (env: { name: string; value?: string }[]) =>
    parse(env.find(({ name }) => name === 'EGRESS_CONFIG_BODY')?.value?.replace('$(REELKIT_EGRESS_CONFIG)', '') ?? '');

  test('comes with the chart, one alone, and is told to every worker beside its own topic', () => {
    const manifests = manifestsOf('minimal');
    expect(find(manifests, 'Deployment', 'reelkit-workers-redis').spec).toMatchObject({
      replicas: 1,
      strategy: { type: 'Recreate' },
    });
    expect(workerConfig(egressOf(manifests))).toEqual({
      cluster_id: '$(REELKIT_TOPIC)',
      redis: { address: 'reelkit-workers-redis.reelkit.svc:6379', password: '$(REELKIT_WORKERS_REDIS_PASSWORD)' },
    });
  });

  test('has one password, for itself, Reelkit and the workers, wherever these are', () => {
    for (const [set, secretKeyRef] of Object.entries({
      minimal: { name: 'reelkit-workers-redis', key: 'password' },
      'config-secret': { name: 'reelkit-workers-redis', key: 'password' },
      placeholder: { name: 'workers-redis', key: 'secret' },
    })) {
      const manifests = manifestsOf(set);
      const worker = find(manifests, 'Deployment', 'reelkit-worker').spec?.template?.spec.containers[0]?.env;
      expect(redisOf(manifests)?.containers[0]?.env).toEqual([{ name: 'REDISCLI_AUTH', valueFrom: { secretKeyRef } }]);
      expect(worker).toContainEqual({ name: 'WORKERS_REDIS_PASSWORD', valueFrom: { secretKeyRef } });
      expect(egressOf(manifests)).toContainEqual({
        name: 'REELKIT_WORKERS_REDIS_PASSWORD',
        valueFrom: { secretKeyRef },
      });
    }
    for (const set of ['minimal', 'config-secret']) {
      const passwords = manifestsOf(set).filter(({ metadata }) => metadata.name === 'reelkit-workers-redis');
      const data = passwords.flatMap((one) => (one.kind === 'Secret' ? [one.data?.password] : []));
      expect({ secrets: data.length, passwords: new Set(data).size }).toEqual({ secrets: 2, passwords: 1 });
    }
  });

  test('is not made where one is named; its address is then in the configuration of the workers', () => {
    for (const [set, name] of [
      ['everything', 'recorder'],
      ['temporal-cloud', 'reelkit'],
    ] as const) {
      const manifests = manifestsOf(set);
      expect(manifests.filter(({ metadata }) => metadata.name === `${name}-workers-redis`)).toEqual([]);
      expect(workerConfig(egressOf(manifests, `${name}-egress`))).toEqual({ cluster_id: '$(REELKIT_TOPIC)' });
    }
  });

  test('is reached by Reelkit and the workers alone where policies are on', () => {
    const policy = find(manifestsOf('config-secret'), 'NetworkPolicy', 'reelkit-workers-redis');
    expect(policy.spec).toMatchObject({
      ingress: [
        {
          ports: [{ port: 'redis' }],
          from: [
            { podSelector: { matchExpressions: [{ values: ['api', 'temporal-worker', 'test'] }] } },
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'reelkit-workers' } },
              podSelector: { matchLabels: { 'reelkit.dev/fleet': 'azure' } },
            },
          ],
        },
      ],
    });
  });

  test('has no sidecar of a mesh either, which would ask the workers for an identity', () => {
    const { metadata } = find(manifestsOf('minimal'), 'Deployment', 'reelkit-workers-redis').spec?.template ?? {};
    expect(metadata).toMatchObject({
      labels: { 'sidecar.istio.io/inject': 'false' },
      annotations: { 'linkerd.io/inject': 'disabled' },
    });
  });

  test('goes back into service soon when its node is lost', () => {
    expect(redisOf(manifestsOf('placeholder'))).toMatchObject({
      tolerations: [
        { key: 'node.kubernetes.io/not-ready', tolerationSeconds: 20 },
        { key: 'node.kubernetes.io/unreachable', tolerationSeconds: 20 },
        { key: 'pool' },
      ],
    });
  });
});

test('deploy/kubernetes/reelkit.yaml is what generate makes of it now', async () => {
  const { stdout } = await execa(join(root, 'deploy/kubernetes/generate'), { env: { HELM: helm.path } });
  expect(`${stdout}\n`).toBe(readFileSync(join(root, 'deploy/kubernetes/reelkit.yaml'), 'utf8'));
});

/** The rest comes by environment. */
const ownConfig = {
  livekit: {},
  storages: { disk: { type: 'local', path: '/recordings' } },
  fleet: { capacity: { provider: 'kubernetes' as const, podTemplate: 'reelkit-egress' } },
};

/** Where any text will not do. */
const OF_A_SECRET: Record<string, string> = { REELKIT_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32).toString('base64')}` };

/** What the Temporal worker finds in its environment; secrets get a stand-in. */
function environmentOf(manifests: Manifest[]): Record<string, string> {
  const [, spec] = podSpecs(manifests).find(([name]) => name.endsWith('-worker')) ?? [];
  const env = (spec?.containers[0]?.env ?? []).map(({ name, value }) => [
    name,
    value ?? OF_A_SECRET[name] ?? 'of a Secret',
  ]);
  return Object.fromEntries(env);
}
