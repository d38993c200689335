// The few calls to the API server that Reelkit makes, each with a time limit and an error that says what was tried.
import {
  AuthorizationV1Api,
  CoreV1Api,
  createConfiguration,
  KubeConfig,
  PatchStrategy,
  type RequestContext,
  type ResponseContext,
  ServerConfiguration,
  setHeaderOptions,
  type V1Pod,
  type V1ResourceAttributes,
} from '@kubernetes/client-node';
import { messageOf } from '../../common/error-message.ts';
import { CapacityError } from '../provider.ts';
import { isNotFound, toCapacityError } from './errors.ts';

export interface ClusterSettings {
  namespace?: string | undefined;
  kubeconfig?: string | undefined;
  context?: string | undefined;
}

const CALL_MS = 10_000;
/** As the client calls the context of a pod's service account. */
const IN_CLUSTER = 'inClusterContext';

export type Cluster = ReturnType<typeof connectCluster>;

/** @throws CapacityError of kind `configuration` when there is no cluster to talk to */
export function connectCluster(settings: ClusterSettings) {
  const config = loadConfig(settings);
  const namespace = settings.namespace ?? ownNamespace(config);
  const configuration = createConfiguration({
    baseServer: new ServerConfiguration(config.getCurrentCluster()?.server ?? '', {}),
    authMethods: { default: config },
    promiseMiddleware: [timeLimit],
  });
  const core = new CoreV1Api(configuration);
  const authorization = new AuthorizationV1Api(configuration);
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;

  async function call<T>(doing: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw toCapacityError(error, `${doing} in namespace ${namespace}`);
    }
  }

  async function isAllowed(resourceAttributes: V1ResourceAttributes): Promise<boolean> {
    const review = await call('ask for permissions', () =>
      authorization.createSelfSubjectAccessReview({ body: { spec: { resourceAttributes } } }),
    );
    return review.status?.allowed ?? false;
  }

  return {
    config,
    namespace,
    podNamespace: podNamespace(config),
    podsPath: `${path}/pods`,
    podTemplatesPath: `${path}/podtemplates`,
    nodesPath: '/api/v1/nodes',
    listNodes: () => call('list nodes', () => core.listNode()),
    listPods: (labelSelector: string, fieldSelector?: string) =>
      call('list pods', () =>
        core.listNamespacedPod({ namespace, labelSelector, ...(fieldSelector ? { fieldSelector } : {}) }),
      ),
    listPodTemplates: (fieldSelector: string) =>
      call('list podtemplates', () => core.listNamespacedPodTemplate({ namespace, fieldSelector })),
    readPodTemplate: (name: string) =>
      call(`get podtemplate ${name}`, () =>
        core.readNamespacedPodTemplate({ namespace, name }).catch((error: unknown) => {
          if (isNotFound(error)) return undefined;
          throw error;
        }),
      ),
    createPod: (pod: V1Pod, dryRun = false) =>
      core.createNamespacedPod({ namespace, body: pod, ...(dryRun ? { dryRun: 'All' } : {}) }),
    /** Exactly this pod: another one of the same name is left alone. `graceSeconds` absent: the pod's own. */
    deletePod: (pod: V1Pod, graceSeconds?: number) =>
      core.deleteNamespacedPod({
        namespace,
        name: pod.metadata?.name ?? '',
        body: {
          ...(pod.metadata?.uid ? { preconditions: { uid: pod.metadata.uid } } : {}),
          ...(graceSeconds === undefined ? {} : { gracePeriodSeconds: graceSeconds }),
        },
      }),
    patchPod: (name: string, metadata: object) =>
      core.patchNamespacedPod(
        { namespace, name, body: { metadata } },
        setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
      ),
    may: (verb: string, resource: string, name?: string) =>
      isAllowed({ namespace, verb, resource, ...(name ? { name } : {}) }),
    /** For what is of no namespace, of which a Role says nothing. */
    mayInCluster: (verb: string, resource: string) => isAllowed({ verb, resource }),
  };
}

function loadConfig({ kubeconfig, context }: ClusterSettings): KubeConfig {
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
    if (context !== undefined) config.setCurrentContext(context);
  } catch (error) {
    throw noCluster(messageOf(error));
  }
  if (!config.getCurrentCluster())
    throw noCluster(context === undefined ? 'no current context' : `no context "${context}"`);
  return config;
}

function noCluster(problem: string): CapacityError {
  return new CapacityError(
    'configuration',
    `no Kubernetes cluster to use (${problem}): run inside the cluster, or set KUBECONFIG or fleet.capacity.kubeconfig and context`,
  );
}

/** The service account's inside a cluster, the context's outside. */
function ownNamespace(config: KubeConfig): string {
  return config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
}

/** Of the pod that this process runs in; undefined outside a cluster, and where a kubeconfig is used. */
export function podNamespace(config: KubeConfig): string | undefined {
  return config.getCurrentContext() === IN_CLUSTER ? config.getContextObject(IN_CLUSTER)?.namespace : undefined;
}

const timeLimit = {
  pre: async (context: RequestContext) => {
    context.setSignal(AbortSignal.timeout(CALL_MS));
    return context;
  },
  post: async (context: ResponseContext) => context,
};
