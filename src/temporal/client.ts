// The connection to Temporal: read from the TEMPORAL_* environment as every Temporal tool reads it, patient, and checked
// for what Reelkit needs of the namespace.
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  isGrpcServiceError,
  makeGrpcRetryInterceptor,
} from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { messageOf } from '../common/error-message.ts';
import type { Log } from '../telemetry/log.ts';
import type { PayloadKeys } from './codec.ts';
import { clientDataConverter } from './converter.ts';
import { type CountCall, limitVisibility } from './visibility-calls.ts';
import { createVisibilityLimit } from './visibility-limit.ts';

const DEFAULT_ADDRESS = 'localhost:7233';
const CALL_MS = 5_000;
const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 10_000;

export interface TemporalSettings {
  address: string;
  namespace: string;
  connectionOptions: ReturnType<typeof loadClientConnectConfig>['connectionOptions'];
}

/** @throws when TEMPORAL_* name a profile, file or key that cannot be read */
export function readTemporalSettings(): TemporalSettings {
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  return { address: connectionOptions.address ?? DEFAULT_ADDRESS, namespace, connectionOptions };
}

/**
 * Connects with the first call, and again whenever the connection broke.
 * @param keys none for a client that reads and writes no payload
 * @param visibility none for a client that asks it once or twice
 */
export function createTemporalClient(
  settings: TemporalSettings,
  keys: PayloadKeys | undefined,
  visibility?: { perSecond: number; called: CountCall },
): { client: Client; close: () => Promise<void> } {
  const retries = makeGrpcRetryInterceptor(defaultGrpcRetryOptions());
  const limited = visibility && limitVisibility(createVisibilityLimit(visibility.perSecond), visibility.called);
  const connection = Connection.lazy({
    ...settings.connectionOptions,
    address: settings.address,
    ...(limited ? { interceptors: [retries, limited] } : {}),
  });
  const dataConverter = keys && clientDataConverter(keys);
  return {
    client: new Client({ connection, namespace: settings.namespace, ...(dataConverter ? { dataConverter } : {}) }),
    close: () => connection.close(),
  };
}

/** Waits for Temporal and its namespace for as long as it takes, saying what is missing. */
export async function untilTemporalAnswers(
  client: Client,
  settings: TemporalSettings,
  log: Log,
  stopping: AbortSignal,
): Promise<void> {
  for (let delayMs = RETRY_MIN_MS; !stopping.aborted; delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)) {
    const problem = await namespaceProblem(client, settings);
    if (problem === undefined) return;
    log.warn({ address: settings.address, retryInMs: delayMs }, problem);
    await sleep(delayMs, undefined, { signal: stopping }).catch(() => undefined);
  }
  throw new Error('stopped before Temporal answered');
}

/** @returns what is wrong and what to do, or undefined when the namespace answers */
export async function namespaceProblem(
  client: Client,
  settings: TemporalSettings,
  limitMs = CALL_MS,
): Promise<string | undefined> {
  const { address, namespace } = settings;
  try {
    const { namespaceInfo } = await client.withDeadline(Date.now() + limitMs, () =>
      client.workflowService.describeNamespace({ namespace }),
    );
    return takesUpdates(namespaceInfo?.capabilities) ? undefined : noUpdates(settings);
  } catch (error) {
    const code = isGrpcServiceError(error) ? error.code : undefined;
    if (code === 5)
      return `Temporal at ${address} has no namespace "${namespace}": create it with \`temporal operator namespace create --namespace ${namespace}\`, or set TEMPORAL_NAMESPACE`;
    if (code === 7 || code === 16)
      return `Temporal at ${address} refuses these credentials for namespace "${namespace}": check TEMPORAL_API_KEY or TEMPORAL_TLS_*`;
    return `Temporal does not answer at ${address}: start it, or set TEMPORAL_ADDRESS${code === 4 ? '' : ` (${firstLine(error)})`}`;
  }
}

/** Servers from 1.25 on say what they can; older ones say nothing of it, or no. */
function takesUpdates(capabilities: { syncUpdate?: boolean | null } | null | undefined): boolean {
  return capabilities?.syncUpdate === true;
}

function noUpdates({ address, namespace }: TemporalSettings): string {
  return `Temporal at ${address} takes no Updates in namespace "${namespace}", by which recordings are cancelled and extended: use a server from 1.25 on, and set frontend.enableUpdateWorkflowExecution to true in its dynamic configuration if that is switched off`;
}

/** By its own id a namespace is known from one of the same name elsewhere. */
export async function namespaceId(client: Client, namespace: string): Promise<string> {
  const { namespaceInfo } = await client.withDeadline(Date.now() + CALL_MS, () =>
    client.workflowService.describeNamespace({ namespace }),
  );
  return namespaceInfo?.id ?? '';
}

function firstLine(error: unknown): string {
  return messageOf(error).split('\n')[0] ?? '';
}
