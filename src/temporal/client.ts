// The connection to Temporal: read from the TEMPORAL_* environment as every Temporal tool reads it, patient, and checked
// for what Reelkit needs of the namespace.
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, isGrpcServiceError } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import proto from '@temporalio/proto';
import { messageOf } from '../common/error-message.ts';
import { SEARCH_ATTRIBUTES } from '../recording/search-attributes.ts';
import type { Log } from '../telemetry/log.ts';
import type { PayloadKeys } from './codec.ts';
import { clientDataConverter } from './converter.ts';

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
 */
export function createTemporalClient(
  settings: TemporalSettings,
  keys: PayloadKeys | undefined,
): { client: Client; close: () => Promise<void> } {
  const connection = Connection.lazy({ ...settings.connectionOptions, address: settings.address });
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
    await client.withDeadline(Date.now() + limitMs, () => client.workflowService.describeNamespace({ namespace }));
    return undefined;
  } catch (error) {
    const code = isGrpcServiceError(error) ? error.code : undefined;
    if (code === 5)
      return `Temporal at ${address} has no namespace "${namespace}": create it with \`temporal operator namespace create --namespace ${namespace}\`, or set TEMPORAL_NAMESPACE`;
    if (code === 7 || code === 16)
      return `Temporal at ${address} refuses these credentials for namespace "${namespace}": check TEMPORAL_API_KEY or TEMPORAL_TLS_*`;
    return `Temporal does not answer at ${address}: start it, or set TEMPORAL_ADDRESS${code === 4 ? '' : ` (${firstLine(error)})`}`;
  }
}

/** By its own id a namespace is known from one of the same name elsewhere. */
export async function namespaceId(client: Client, namespace: string): Promise<string> {
  const { namespaceInfo } = await client.withDeadline(Date.now() + CALL_MS, () =>
    client.workflowService.describeNamespace({ namespace }),
  );
  return namespaceInfo?.id ?? '';
}

/** @returns the search attributes that the namespace lacks or has with another type, with the type they need */
export async function missingSearchAttributes(client: Client, namespace: string): Promise<Record<string, string>> {
  const { customAttributes } = await client.withDeadline(Date.now() + CALL_MS, () =>
    client.connection.operatorService.listSearchAttributes({ namespace }),
  );
  return Object.fromEntries(
    Object.entries(SEARCH_ATTRIBUTES).filter(([name, type]) => customAttributes?.[name] !== INDEXED_TYPES[type]),
  );
}

/** Creates what is missing. @throws with the commands to run where this connection may not */
export async function ensureSearchAttributes(client: Client, namespace: string, log: Log): Promise<void> {
  let missing: Record<string, string> = SEARCH_ATTRIBUTES;
  try {
    missing = await missingSearchAttributes(client, namespace);
    if (Object.keys(missing).length === 0) return;
    await client.withDeadline(Date.now() + CALL_MS, () =>
      client.connection.operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(
          Object.entries(missing).map(([name, type]) => [name, INDEXED_TYPES[type as keyof typeof INDEXED_TYPES]]),
        ),
      }),
    );
    log.info({ created: Object.keys(missing) }, 'search attributes created');
  } catch (cause) {
    // Another replica may have been faster; Temporal Cloud has no operator service at all.
    if (isGrpcServiceError(cause) && cause.code === 6) return;
    throw new Error(
      `namespace "${namespace}" lacks search attributes and this connection may not create them (${firstLine(cause)}). Run:\n${searchAttributeCommands(namespace, missing)}`,
      { cause },
    );
  }
}

export function searchAttributeCommands(namespace: string, missing: Record<string, string>): string {
  return Object.entries(missing)
    .map(
      ([name, type]) =>
        `  temporal operator search-attribute create --namespace ${namespace} --name ${name} --type ${type}`,
    )
    .join('\n');
}

const { IndexedValueType } = proto.temporal.api.enums.v1;
const INDEXED_TYPES = {
  Keyword: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  Int: IndexedValueType.INDEXED_VALUE_TYPE_INT,
  KeywordList: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
} as const;

function firstLine(error: unknown): string {
  return messageOf(error).split('\n')[0] ?? '';
}
