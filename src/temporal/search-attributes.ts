// The search attributes that recordings need of their namespace: whether they are there, and making those that are not. What a connection
// may not ask or do, as on Temporal Cloud, is found out in another way, or said with the command that works there.
import { type Client, isGrpcServiceError } from '@temporalio/client';
import proto from '@temporalio/proto';
import { messageOf } from '../common/error-message.ts';
import { SEARCH_ATTRIBUTES } from '../recording/search-attributes.ts';
import type { Log } from '../telemetry/log.ts';
import { grpcCode } from './grpc.ts';

type Missing = Record<string, string>;
type Place = { address: string; namespace: string };

const CALL_MS = 5_000;
/** Of gRPC. */
const INVALID_ARGUMENT = 3;
const ALREADY_EXISTS = 6;
const NOT_FOR_US = new Set([7, 12, 16]); // permission denied, unimplemented, unauthenticated

/** @returns the search attributes that the namespace lacks or has with another type, with the type they need */
export async function missingSearchAttributes(client: Client, namespace: string): Promise<Missing> {
  const has = await listed(client, namespace).catch((error: unknown) => {
    if (NOT_FOR_US.has(grpcCode(error) ?? 0)) return undefined;
    throw error;
  });
  if (!has) return missingByQueries(client);
  return Object.fromEntries(
    Object.entries(SEARCH_ATTRIBUTES).filter(([name, type]) => has[name] !== INDEXED_TYPES[type]),
  );
}

async function listed(client: Client, namespace: string) {
  const { customAttributes } = await client.withDeadline(Date.now() + CALL_MS, () =>
    client.connection.operatorService.listSearchAttributes({ namespace }),
  );
  return customAttributes ?? {};
}

/** A query by an attribute that is not there, or by a value that is not of its type, is refused. One at a time: they are limited. */
async function missingByQueries(client: Client): Promise<Missing> {
  const missing: Missing = {};
  for (const [name, type] of Object.entries(SEARCH_ATTRIBUTES)) {
    const value = type === 'Int' ? '1' : "'none'";
    try {
      await client.withDeadline(Date.now() + CALL_MS, () => client.workflow.count(`${name} = ${value}`));
    } catch (error) {
      if (grpcCode(error) !== INVALID_ARGUMENT) throw error;
      missing[name] = type;
    }
  }
  return missing;
}

/** Creates what is missing. @throws with what to do where this connection may not, or the store has no place */
export async function ensureSearchAttributes(client: Client, place: Place, log: Log): Promise<void> {
  const { namespace } = place;
  const missing = await missingSearchAttributes(client, namespace);
  if (Object.keys(missing).length === 0) return;
  try {
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
    // Another replica may have been faster.
    if (isGrpcServiceError(cause) && cause.code === ALREADY_EXISTS) return;
    const why = messageOf(cause).split('\n')[0] ?? '';
    const problem =
      grpcCode(cause) === INVALID_ARGUMENT
        ? `cannot get its search attributes (${why}). A Temporal on SQL holds 10 of type Keyword, 3 Int and 3 KeywordList for a namespace: give Reelkit a namespace of its own, or remove what nobody uses with \`temporal operator search-attribute remove\``
        : `lacks search attributes and this connection may not create them (${why}). Run:\n${searchAttributeCommands(place, missing)}`;
    throw new Error(`namespace "${namespace}" ${problem}`, { cause });
  }
}

export function searchAttributeCommands({ address, namespace }: Place, missing: Missing): string {
  const command = isCloud(address)
    ? ([name, type]: [string, string]) =>
        `  tcld namespace search-attributes add --namespace ${namespace} --search-attribute "${name}=${type}"`
    : ([name, type]: [string, string]) =>
        `  temporal operator search-attribute create --namespace ${namespace} --name ${name} --type ${type}`;
  return Object.entries(missing).map(command).join('\n');
}

/** There the CLI of the server has no operator's rights, whoever runs it. */
function isCloud(address: string): boolean {
  return /\.(tmprl\.cloud|api\.temporal\.io)(:\d+)?$/.test(address);
}

const { IndexedValueType } = proto.temporal.api.enums.v1;
const INDEXED_TYPES = {
  Keyword: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
  Int: IndexedValueType.INDEXED_VALUE_TYPE_INT,
  KeywordList: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
} as const;
