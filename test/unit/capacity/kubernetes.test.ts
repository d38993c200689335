// What Reelkit makes of a PodTemplate, and what it reads from pods and refusals: as the API server writes them.
import {
  ApiException,
  type V1Container,
  type V1Pod,
  type V1PodSpec,
  type V1PodTemplate,
} from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { toCapacityError } from '../../../src/capacity/kubernetes/errors.ts';
import { workerOf } from '../../../src/capacity/kubernetes/pod.ts';
import {
  coresOf,
  graceProblems,
  podName,
  podOf,
  type TemplateSettings,
  templateHash,
  templateProblems,
} from '../../../src/capacity/kubernetes/template.ts';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-11-23T12:10:00Z');
const settings: TemplateSettings = {
  fleet: 'default',
  podTemplate: 'reelkit-egress',
  container: 'egress',
  longestRecording: 24 * HOUR,
};
const egress: V1Container = {
  name: 'egress',
  image: 'livekit/egress:v1.14.0',
  ports: [
    { name: 'health', containerPort: 9090 },
    { name: 'metrics', containerPort: 9091 },
  ],
  resources: { requests: { cpu: '3500m' } },
};

function template(container: Partial<V1Container> = {}, spec: Partial<V1PodSpec> = {}): V1PodTemplate {
  return {
    metadata: { name: 'reelkit-egress', uid: 'u-1' },
    template: {
      metadata: { labels: { team: 'media' } },
      spec: { containers: [{ ...egress, ...container }], terminationGracePeriodSeconds: 90_000, ...spec },
    },
  };
}

describe('the pod of a worker', () => {
  const pod = podOf(template(), settings, 'reelkit-egress-t-1', 't');

  it('carries the fleet, the launch, an owner, and is not to be tidied away before it was seen idle', () => {
    expect(pod.metadata).toMatchObject({
      name: 'reelkit-egress-t-1',
      labels: { team: 'media', 'reelkit.dev/fleet': 'default', 'app.kubernetes.io/managed-by': 'reelkit' },
      annotations: {
        'reelkit.dev/launch': 't',
        'reelkit.dev/template': templateHash(template()),
        'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
        'karpenter.sh/do-not-disrupt': 'true',
      },
      ownerReferences: [{ kind: 'PodTemplate', name: 'reelkit-egress', uid: 'u-1', controller: true }],
    });
    expect(pod.metadata?.labels).not.toHaveProperty(['reelkit.dev/busy']);
  });

  it('has a topic of its own, in front of what may refer to it, whatever the template sets', () => {
    const config = { name: 'EGRESS_CONFIG_BODY', value: 'cluster_id: $(REELKIT_TOPIC)' };
    const made = podOf(
      template({ env: [config, { name: 'REELKIT_TOPIC', value: 'one-for-all' }] }),
      settings,
      'n',
      't',
    );
    expect(made.spec?.containers[0]?.env?.slice(0, 2)).toEqual([{ name: 'REELKIT_TOPIC', value: 'n' }, config]);
  });

  it("tells LiveKit's admission the cores it requests, unless the template does", () => {
    expect(pod.spec?.containers[0]?.env).toContainEqual({ name: 'LIVEKIT_CPU_REQUEST', value: '3.5' });
    const own = podOf(template({ env: [{ name: 'LIVEKIT_CPU_REQUEST', value: '2' }] }), settings, 'n', 't');
    expect(own.spec?.containers[0]?.env?.slice(1)).toEqual([{ name: 'LIVEKIT_CPU_REQUEST', value: '2' }]);
  });

  it('has a name that is a host name, however long the template is called', () => {
    const name = podName('a-very-long-name-of-a-pod-template-.-for-egress', '0123abcd-1000', 100);
    expect(name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])$/);
  });

  it.each([
    ['4', 4],
    ['3500m', 3.5],
    ['250u', 0.00025],
    [undefined, 0],
    ['lots', 0],
  ])('reads a cpu request of %s as %d cores', (cpu, cores) => {
    expect(coresOf({ resources: { requests: cpu === undefined ? {} : { cpu } } })).toBe(cores);
  });
});

const body = (value: string) => ({ name: 'EGRESS_CONFIG_BODY', value });
const bodyOfSecret = {
  name: 'EGRESS_CONFIG_BODY',
  valueFrom: { secretKeyRef: { name: 'egress', key: 'config.yaml' } },
};

describe('a template', () => {
  it('has the same hash whatever the order of its keys, and another one when a pod would differ', () => {
    const { spec } = template().template ?? {};
    const turned = {
      template: {
        spec: Object.fromEntries(Object.entries(spec ?? {}).reverse()),
        metadata: { labels: { team: 'media' } },
      },
    };
    expect(templateHash(turned as unknown as V1PodTemplate)).toBe(templateHash(template()));
    expect(templateHash(template({ image: 'livekit/egress:v1.15.0' }))).not.toBe(templateHash(template()));
  });

  it.each([
    [
      'another container',
      template({ name: 'web' }),
      /no container "egress" \(it has "web"\).*fleet\.capacity\.container/,
    ],
    ['no cpu request', template({ resources: {} }), /requests no cpu: set resources\.requests\.cpu/],
    ['no health port', template({ ports: [] }), /no port named "health": add it/],
    ['nothing', {}, /no container "egress" \(it has none\)/],
  ])('with %s cannot make a worker, and says what to change', (_, broken, message) => {
    expect(templateProblems(broken, settings)).toEqual([expect.stringMatching(message)]);
  });

  it.each<[what: string, container: Partial<V1Container>, tells: boolean]>([
    ['a configuration that refers to it', { env: [body('health_port: 9090\ncluster_id: $(REELKIT_TOPIC)')] }, false],
    ['one that does not', { env: [body('health_port: 9090')] }, true],
    ['a Secret, in which Kubernetes replaces nothing', { env: [bodyOfSecret] }, true],
    [
      'a Secret and a line behind it',
      { env: [{ ...bodyOfSecret, name: 'C' }, body('$(C)\ncluster_id: $(REELKIT_TOPIC)')] },
      false,
    ],
    ['an argument', { env: [bodyOfSecret], args: ['--topic=$(REELKIT_TOPIC)'] }, false],
    ['a script of its own, which may', { env: [bodyOfSecret], command: ['/start'] }, false],
    ['a file, which nobody sees', { env: [{ name: 'EGRESS_CONFIG_FILE', value: '/etc/egress.yaml' }] }, false],
  ])('that gives workers no topic of their own is told of: %s', (_, container, tells) => {
    const problems = templateProblems(template(container), settings);
    expect(problems).toEqual(
      tells ? [expect.stringMatching(/no topic of their own.*`cluster_id: \$\(REELKIT_TOPIC\)`/)] : [],
    );
  });

  it('whose grace period is shorter than the longest recording is told of', () => {
    expect(graceProblems(template(), settings)).toEqual([]);
    expect(graceProblems(template({}, { terminationGracePeriodSeconds: 3_600 }), settings)).toEqual([
      expect.stringMatching(/terminationGracePeriodSeconds is 3600, and a recording may last 1d.*at least 86700/),
    ]);
    expect(
      graceProblems(template({}, { terminationGracePeriodSeconds: 3_900 }), { ...settings, longestRecording: HOUR }),
    ).toEqual([]);
  });
});

const READING = { container: 'egress', manageUnowned: false, nowMs: NOW, leaving: new Map<string, string>() };

function pod(status: V1Pod['status'] = {}, metadata: V1Pod['metadata'] = {}, spec: Partial<V1PodSpec> = {}): V1Pod {
  return {
    metadata: {
      name: 'w-1',
      creationTimestamp: new Date('2026-11-23T12:00:00Z'),
      annotations: { 'reelkit.dev/launch': 't' },
      ...metadata,
    },
    spec: { containers: [egress], nodeName: 'node-1', ...spec },
    status: { phase: 'Running', podIP: '10.0.0.7', ...status },
  };
}

/** What the node controller leaves behind. */
const NODE_LOST = [
  { type: 'Ready', status: 'False' },
  { type: 'ContainersReady', status: 'True' },
];
const running = {
  state: { running: { startedAt: new Date('2026-11-23T12:01:00Z') } },
  ready: true,
  name: 'egress',
  image: '',
  imageID: '',
  restartCount: 0,
};
const waiting = (reason: string, message = '') => ({
  ...running,
  ready: false,
  state: { waiting: { reason, message } },
});

describe('a worker, read from its pod', () => {
  it('runs when its container runs, with its cores, its ports and its age', () => {
    expect(workerOf(pod({ containerStatuses: [running] }), READING)).toEqual({
      id: 'w-1',
      state: 'running',
      launchedAtMs: Date.parse('2026-11-23T12:00:00Z'),
      healthUrl: 'http://10.0.0.7:9090/',
      metricsUrl: 'http://10.0.0.7:9091/metrics',
      cpuCores: 3.5,
      owned: true,
      token: 't',
      protected: false,
    });
  });

  it.each([
    ['as Reelkit set it', { name: 'REELKIT_TOPIC', value: 'w-1' }, 'w-1'],
    [
      'as whoever made it set it',
      { name: 'REELKIT_TOPIC', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      'w-1',
    ],
    ['which nobody knows', { name: 'OTHER', value: 'w-1' }, undefined],
  ])('has a topic, %s', (_, variable, topic) => {
    const containers = [{ ...egress, env: [variable] }];
    expect(workerOf(pod({ containerStatuses: [running] }, {}, { containers }), READING).topic).toBe(topic);
  });

  it('is reached at an IPv6 address too', () => {
    expect(workerOf(pod({ podIP: 'fd00::7', containerStatuses: [running] }), READING).healthUrl).toBe(
      'http://[fd00::7]:9090/',
    );
  });

  const scheduled = (message: string) => [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }];
  it.each<[string, V1Pod, string, RegExp | undefined]>([
    [
      'no node',
      pod(
        { phase: 'Pending', conditions: scheduled('0/3 nodes are available: 3 Insufficient cpu.') },
        {},
        { nodeName: undefined },
      ),
      'requested',
      /^no node yet: 0\/3 nodes are available/,
    ],
    [
      'an image that cannot be pulled',
      pod({ phase: 'Pending', containerStatuses: [waiting('ImagePullBackOff', 'Back-off pulling image "x"')] }),
      'booting',
      /^image pull failing \(ImagePullBackOff\): Back-off/,
    ],
    [
      'a secret that is missing',
      pod({
        phase: 'Pending',
        containerStatuses: [waiting('CreateContainerConfigError', 'secret "egress" not found')],
      }),
      'booting',
      /^cannot be started .*secret "egress" not found/,
    ],
    [
      'an image of an init container that cannot be pulled',
      pod({
        phase: 'Pending',
        containerStatuses: [waiting('PodInitializing')],
        initContainerStatuses: [waiting('ErrImagePull', 'not found')],
      }),
      'booting',
      /^image pull failing \(ErrImagePull\): not found/,
    ],
    [
      'a crash loop',
      pod({
        containerStatuses: [
          {
            ...waiting('CrashLoopBackOff'),
            restartCount: 4,
            lastState: { terminated: { exitCode: 1, reason: 'Error' } },
          },
        ],
      }),
      'booting',
      /^crash loop: 4 restarts, last exit code 1 \(Error\)/,
    ],
    [
      'a probe that fails',
      pod({
        containerStatuses: [{ ...running, ready: false }],
        conditions: [{ type: 'Ready', status: 'False', reason: 'ContainersNotReady' }],
      }),
      'running',
      /^probe failing/,
    ],
    [
      'a node that is silent',
      pod({ containerStatuses: [running], conditions: NODE_LOST }),
      'running',
      /its node does not answer/,
    ],
    [
      'an eviction for want of memory',
      pod({ phase: 'Failed', reason: 'Evicted', message: 'The node was low on memory.' }),
      'gone',
      /^evicted: The node was low/,
    ],
    [
      'an eviction by the API',
      pod(
        {
          containerStatuses: [running],
          conditions: [
            {
              type: 'DisruptionTarget',
              status: 'True',
              reason: 'EvictionByEvictionAPI',
              message: 'Eviction API: evicting',
            },
          ],
        },
        { deletionTimestamp: new Date() },
      ),
      'draining',
      /^evicted \(EvictionByEvictionAPI\)/,
    ],
    [
      'an end of its own',
      pod({
        phase: 'Succeeded',
        containerStatuses: [{ ...running, state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
      }),
      'gone',
      /ended by itself: exit code 0/,
    ],
    ['a deletion', pod({ containerStatuses: [running] }, { deletionTimestamp: new Date() }), 'draining', undefined],
  ])('with %s says so', (_, seen, state, reason) => {
    const worker = workerOf(seen, READING);
    expect(worker.state).toBe(state);
    if (reason) expect(worker.reason).toMatch(reason);
    else expect(worker.reason).toBeUndefined();
  });

  it('is cut off when its node is silent, and not when only its probe fails', () => {
    const cutOff = (status: object, readinessGates: { conditionType: string }[] = []) => {
      const seen = pod({ containerStatuses: [running], conditions: NODE_LOST, ...status });
      Object.assign(seen.spec ?? {}, { readinessGates });
      return workerOf(seen, READING).cutOff ?? false;
    };
    expect(cutOff({})).toBe(true);
    expect(cutOff({ containerStatuses: [{ ...running, ready: false }] })).toBe(false);
    const sidecarUnready = [
      { type: 'Ready', status: 'False' },
      { type: 'ContainersReady', status: 'False' },
    ];
    expect(cutOff({ conditions: sidecarUnready })).toBe(false);
    expect(cutOff({}, [{ conditionType: 'example.com/admitted' }])).toBe(false);
    const admitted = [...NODE_LOST, { type: 'example.com/admitted', status: 'True' }];
    expect(cutOff({ conditions: admitted }, [{ conditionType: 'example.com/admitted' }])).toBe(true);
  });

  it('that has only just started is given time before its probe counts as failing', () => {
    const young = { ...running, ready: false, state: { running: { startedAt: new Date(NOW - 2_000) } } };
    const ready = [{ type: 'Ready', status: 'False', reason: 'ContainersNotReady' }];
    expect(workerOf(pod({ containerStatuses: [young], conditions: ready }), READING).reason).toBeUndefined();
  });

  it("is not Reelkit's when nothing says that Reelkit launched it, unless it is configured so", () => {
    const stranger = pod({ containerStatuses: [running] }, { annotations: {} });
    expect(workerOf(stranger, READING)).toMatchObject({ owned: false, reason: 'not launched by Reelkit' });
    expect(workerOf(stranger, { ...READING, manageUnowned: true })).toMatchObject({ owned: true });
  });

  it('is outdated when new workers are made from another template, and not while that is unknown', () => {
    const made = pod(
      { containerStatuses: [running] },
      { annotations: { 'reelkit.dev/launch': 't', 'reelkit.dev/template': 'old' } },
    );
    expect(workerOf(made, { ...READING, currentTemplate: 'new' }).outdated).toBe(true);
    expect(workerOf(made, { ...READING, currentTemplate: 'old' }).outdated).toBeUndefined();
    expect(workerOf(made, READING).outdated).toBeUndefined();
  });

  it.each([
    ['both marks', { 'reelkit.dev/busy': 'true' }, 'true', true],
    ['neither', {}, undefined, false],
    ['what a new pod has', {}, 'true', undefined],
  ])('with %s is protected: %s', (_, labels, doNotDisrupt, expected) => {
    const annotations = {
      'reelkit.dev/launch': 't',
      ...(doNotDisrupt ? { 'karpenter.sh/do-not-disrupt': doNotDisrupt } : {}),
    };
    expect(workerOf(pod({}, { labels, annotations }), READING).protected).toBe(expected);
  });
});

describe('a refusal of the API server', () => {
  const refusal = (code: number, message: string, details: object = {}) =>
    toCapacityError(
      new ApiException(code, message, JSON.stringify({ message, details }), {}),
      'create pods in namespace reelkit',
    );

  it.each([
    [
      'quota',
      403,
      'pods "x" is forbidden: exceeded quota: media, requested: cpu=4, used: cpu=8, limited: cpu=8',
      'no_capacity',
      /exceeded quota: media.*raise the ResourceQuota/,
    ],
    [
      'role',
      403,
      'pods is forbidden: User "system:serviceaccount:reelkit:reelkit" cannot create resource "pods"',
      'configuration',
      /cannot create resource "pods".*Role/,
    ],
    [
      'admission',
      403,
      'pods "x" is forbidden: violates PodSecurity "restricted:latest"',
      'configuration',
      /violates PodSecurity/,
    ],
    ['credentials', 401, 'Unauthorized', 'configuration', /Unauthorized: the credentials are not valid/],
    [
      'template',
      422,
      'Pod "x" is invalid: spec.containers[0].image: Required value',
      'configuration',
      /image: Required value/,
    ],
    ['overload', 429, 'too many requests', 'retryable', /too many requests/],
    [
      'a race for the quota',
      409,
      'Operation cannot be fulfilled on resourcequotas "media"',
      'retryable',
      /resourcequotas/,
    ],
    ['outage', 503, 'etcdserver: no leader', 'retryable', /no leader/],
  ])('for %s is told apart and says what to do', (_, code, message, kind, text) => {
    expect(refusal(code, message)).toMatchObject({ kind, message: expect.stringMatching(text) });
  });

  it('names a namespace that does not exist', () => {
    expect(refusal(404, 'namespaces "rec" not found', { kind: 'namespaces', name: 'rec' })).toMatchObject({
      kind: 'configuration',
      message: expect.stringMatching(/namespaces "rec" not found: create the namespace/),
    });
  });

  it('is waited for as long as the server asks', () => {
    expect(refusal(429, 'slow down', { retryAfterSeconds: 7 }).retryAfterMs).toBe(7_000);
  });

  it('is retryable when there was no answer at all', () => {
    const error = toCapacityError(new Error('connect ECONNREFUSED 127.0.0.1:6443'), 'create pods in namespace reelkit');
    expect(error).toMatchObject({
      kind: 'retryable',
      message: expect.stringMatching(/cannot be reached \(connect ECONNREFUSED/),
    });
  });
});
