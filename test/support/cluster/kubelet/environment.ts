// The environment of a container, and the egress configuration in it, resolved as the kubelet does: literal values, keys of
// secrets and config maps, the pod's own fields, and files mounted from them.
import { posix } from 'node:path';
import type {
  V1ConfigMap,
  V1Container,
  V1EnvVar,
  V1EnvVarSource,
  V1Pod,
  V1Secret,
  V1Volume,
} from '@kubernetes/client-node';
import { type Api, hasCode } from './api.ts';
import { parseCpu, requestedCpu } from './quantity.ts';

/** Nothing is wrong with the container but what it refers to: the kubelet waits for that and tells. */
export class ContainerConfigError extends Error {}

type Env = Record<string, string>;

/** @throws ContainerConfigError */
export async function resolveEnvironment(api: Api, pod: V1Pod, container: V1Container, podIp: string): Promise<Env> {
  const env: Env = {};
  for (const source of container.envFrom ?? []) {
    const { secretRef, configMapRef, prefix = '' } = source;
    const data = secretRef
      ? await secretData(api, pod, secretRef.name ?? '', secretRef.optional)
      : await configMapData(api, pod, configMapRef?.name ?? '', configMapRef?.optional);
    for (const [key, value] of Object.entries(data ?? {})) env[`${prefix}${key}`] = value;
  }
  for (const variable of container.env ?? []) {
    const value = await variableValue(api, pod, container, podIp, variable);
    if (value !== undefined) env[variable.name] = value.replaceAll(/\$\((\w+)\)/g, (all, name) => env[name] ?? all);
  }
  return withConfigBody(api, pod, container, env);
}

async function variableValue(api: Api, pod: V1Pod, container: V1Container, podIp: string, variable: V1EnvVar) {
  const { value, valueFrom } = variable;
  if (!valueFrom) return value ?? '';
  const { secretKeyRef, configMapKeyRef, fieldRef, resourceFieldRef } = valueFrom;
  if (secretKeyRef) return keyOf('secret', secretKeyRef, (name, optional) => secretData(api, pod, name, optional));
  if (configMapKeyRef)
    return keyOf('configmap', configMapKeyRef, (name, optional) => configMapData(api, pod, name, optional));
  if (fieldRef) return fieldOf(pod, fieldRef.fieldPath, podIp);
  return resourceOf(container, resourceFieldRef);
}

type KeyRef = { name?: string; key: string; optional?: boolean };

async function keyOf(
  kind: string,
  { name = '', key, optional = false }: KeyRef,
  read: (name: string, optional: boolean) => Promise<Env | undefined>,
): Promise<string | undefined> {
  const value = (await read(name, optional))?.[key];
  if (value === undefined && !optional) throw new ContainerConfigError(`couldn't find key ${key} in ${kind} ${name}`);
  return value;
}

function fieldOf({ metadata, spec }: V1Pod, path: string, podIp: string): string {
  const fields: Env = {
    'metadata.name': metadata?.name ?? '',
    'metadata.namespace': metadata?.namespace ?? '',
    'metadata.uid': metadata?.uid ?? '',
    'spec.nodeName': spec?.nodeName ?? '',
    'status.podIP': podIp,
  };
  const value = fields[path];
  if (value === undefined) throw new ContainerConfigError(`fieldRef ${path} is not known to this test's kubelet`);
  return value;
}

/** Rounded up to whole divisors, as Kubernetes does: 3500m by 1 are 4. */
function resourceOf(container: V1Container, reference: V1EnvVarSource['resourceFieldRef']): string {
  if (reference?.resource !== 'requests.cpu')
    throw new ContainerConfigError(`resourceFieldRef ${reference?.resource} is not known to this test's kubelet`);
  const divisor = parseCpu(reference.divisor || '1') || 1;
  return String(Math.ceil(requestedCpu(container) / divisor));
}

/** A pod has no files of its own here, so a mounted configuration becomes its text. */
async function withConfigBody(api: Api, pod: V1Pod, container: V1Container, env: Env): Promise<Env> {
  const { EGRESS_CONFIG_FILE: file, ...others } = env;
  if (others.EGRESS_CONFIG_BODY || !file) return others;
  return { ...others, EGRESS_CONFIG_BODY: await mountedFile(api, pod, container, file) };
}

async function mountedFile(api: Api, pod: V1Pod, container: V1Container, file: string): Promise<string> {
  for (const mount of container.volumeMounts ?? []) {
    const volume = pod.spec?.volumes?.find(({ name }) => name === mount.name);
    const path = posix.relative(mount.mountPath, file);
    if (!volume || path.startsWith('..')) continue;
    // A mount with a subPath is the file itself.
    const text = await volumeFile(api, pod, volume, path === '' ? (mount.subPath ?? '') : path);
    if (text !== undefined) return text;
  }
  throw new ContainerConfigError(`EGRESS_CONFIG_FILE ${file} is in no volume of kind secret or configMap`);
}

async function volumeFile(api: Api, pod: V1Pod, { secret, configMap }: V1Volume, path: string) {
  const data = secret
    ? await secretData(api, pod, secret.secretName ?? '', secret.optional)
    : configMap && (await configMapData(api, pod, configMap.name ?? '', configMap.optional));
  const items = (secret ?? configMap)?.items;
  return data?.[items?.find((item) => item.path === path)?.key ?? path];
}

async function secretData(api: Api, pod: V1Pod, name: string, optional = false): Promise<Env | undefined> {
  const secret = await read<V1Secret>(api, pod, 'secret', name, optional);
  const decode = (value: string) => Buffer.from(value, 'base64').toString();
  return secret && Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, decode(value)]));
}

async function configMapData(api: Api, pod: V1Pod, name: string, optional = false): Promise<Env | undefined> {
  const map = await read<V1ConfigMap>(api, pod, 'configmap', name, optional);
  return map && (map.data ?? {});
}

async function read<T>(api: Api, { metadata }: V1Pod, kind: string, name: string, optional: boolean) {
  try {
    const path = `/api/v1/namespaces/${metadata?.namespace}/${kind}s/${name}`;
    return await api.persistently<T>({ method: 'GET', path });
  } catch (error) {
    if (!hasCode(error, 404)) throw error;
    if (optional) return undefined;
    throw new ContainerConfigError(`${kind} "${name}" not found`);
  }
}
