// psrpc's messages (internal/internal.proto) to and from bytes. What is not exactly such a message decodes to undefined: nothing
// here throws on what came from outside, and everything has a bound.
import { gunzipSync } from 'node:zlib';
import { type Message, type MessageType, type PlainMessage, proto3, ScalarType } from '@bufbuild/protobuf';
import { RpcError } from './error.ts';

/** Of one message on the bus, also after it was inflated. LiveKit's HTTP API takes 10 MiB; egress requests are a few KiB. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const MAX_ID_CHARACTERS = 256;
const TYPE_PREFIX = 'type.googleapis.com/';
const COMPRESSION_NONE = 0;
/** Since psrpc 0.8. */
const COMPRESSION_GZIP = 1;

const { STRING, BYTES, INT64, BOOL, FLOAT, INT32 } = ScalarType;

interface Msg extends Message<Msg> {
  typeUrl: string;
  value: Uint8Array;
  compression: number;
}
const Msg: MessageType<Msg> = proto3.makeMessageType<Msg>('internal.Msg', () => [
  { no: 1, name: 'type_url', kind: 'scalar', T: STRING },
  { no: 2, name: 'value', kind: 'scalar', T: BYTES },
  { no: 4, name: 'compression', kind: 'scalar', T: INT32 },
]);

interface RequestMessage extends Message<RequestMessage> {
  requestId: string;
  clientId: string;
  /** Unix time in nanoseconds, as all times on the wire. */
  sentAt: bigint;
  expiry: bigint;
  multi: boolean;
  metadata: Record<string, string>;
  rawRequest: Uint8Array;
}
const RequestMessage: MessageType<RequestMessage> = proto3.makeMessageType<RequestMessage>('internal.Request', () => [
  { no: 1, name: 'request_id', kind: 'scalar', T: STRING },
  { no: 2, name: 'client_id', kind: 'scalar', T: STRING },
  { no: 3, name: 'sent_at', kind: 'scalar', T: INT64 },
  { no: 4, name: 'expiry', kind: 'scalar', T: INT64 },
  { no: 5, name: 'multi', kind: 'scalar', T: BOOL },
  { no: 7, name: 'metadata', kind: 'map', K: STRING, V: { kind: 'scalar', T: STRING } },
  { no: 8, name: 'raw_request', kind: 'scalar', T: BYTES },
]);

interface ClaimMessage extends Message<ClaimMessage> {
  requestId: string;
  serverId: string;
  affinity: number;
  /** psrpc 0.8, queue methods only: the server handles already and waits for no grant. */
  handling: boolean;
}
const ClaimMessage: MessageType<ClaimMessage> = proto3.makeMessageType<ClaimMessage>('internal.ClaimRequest', () => [
  { no: 1, name: 'request_id', kind: 'scalar', T: STRING },
  { no: 2, name: 'server_id', kind: 'scalar', T: STRING },
  { no: 3, name: 'affinity', kind: 'scalar', T: FLOAT },
  { no: 4, name: 'handling', kind: 'scalar', T: BOOL },
]);

interface GrantMessage extends Message<GrantMessage> {
  requestId: string;
  serverId: string;
}
const GrantMessage: MessageType<GrantMessage> = proto3.makeMessageType<GrantMessage>('internal.ClaimResponse', () => [
  { no: 1, name: 'request_id', kind: 'scalar', T: STRING },
  { no: 2, name: 'server_id', kind: 'scalar', T: STRING },
]);

interface ReplyMessage extends Message<ReplyMessage> {
  requestId: string;
  serverId: string;
  sentAt: bigint;
  error: string;
  code: string;
  rawResponse: Uint8Array;
}
const ReplyMessage: MessageType<ReplyMessage> = proto3.makeMessageType<ReplyMessage>('internal.Response', () => [
  { no: 1, name: 'request_id', kind: 'scalar', T: STRING },
  { no: 2, name: 'server_id', kind: 'scalar', T: STRING },
  { no: 3, name: 'sent_at', kind: 'scalar', T: INT64 },
  { no: 5, name: 'error', kind: 'scalar', T: STRING },
  { no: 6, name: 'code', kind: 'scalar', T: STRING },
  { no: 7, name: 'raw_response', kind: 'scalar', T: BYTES },
]);

export interface WireRequest {
  requestId: string;
  clientId: string;
  sentAtMs: number;
  /** After it nobody may start on the request. */
  expiryMs: number;
  /** Every server answers; nobody claims. */
  multi: boolean;
  metadata: Readonly<Record<string, string>>;
  request: Uint8Array;
}
export type WireClaim = Pick<PlainMessage<ClaimMessage>, 'requestId' | 'serverId' | 'affinity' | 'handling'>;
export type WireGrant = Pick<PlainMessage<GrantMessage>, 'requestId' | 'serverId'>;
export interface WireReply {
  requestId: string;
  serverId: string;
  sentAtMs: number;
  response: Uint8Array;
  /** Of a failure; `response` is empty then. */
  error?: { code: string; message: string };
}

export function encodeRequest({ sentAtMs, expiryMs, request, ...rest }: WireRequest): Uint8Array {
  const times = { sentAt: toNanoseconds(sentAtMs), expiry: toNanoseconds(expiryMs) };
  return encode(RequestMessage, new RequestMessage({ ...rest, ...times, rawRequest: request }));
}

export function encodeClaim(claim: WireClaim): Uint8Array {
  return encode(ClaimMessage, new ClaimMessage(claim));
}

export function encodeGrant(grant: WireGrant): Uint8Array {
  return encode(GrantMessage, new GrantMessage(grant));
}

export function encodeReply({ requestId, serverId, sentAtMs, response, error }: WireReply): Uint8Array {
  const outcome = error ? { error: error.message, code: error.code } : { rawResponse: response };
  return encode(ReplyMessage, new ReplyMessage({ requestId, serverId, sentAt: toNanoseconds(sentAtMs), ...outcome }));
}

export function decodeRequest(bytes: Uint8Array): WireRequest | undefined {
  const message = decode(RequestMessage, bytes);
  if (!message || !isId(message.requestId) || !isId(message.clientId)) return undefined;
  return {
    requestId: message.requestId,
    clientId: message.clientId,
    sentAtMs: toMilliseconds(message.sentAt),
    expiryMs: toMilliseconds(message.expiry),
    multi: message.multi,
    metadata: message.metadata,
    request: message.rawRequest,
  };
}

export function decodeClaim(bytes: Uint8Array): WireClaim | undefined {
  const message = decode(ClaimMessage, bytes);
  if (!message || !isId(message.requestId) || !isId(message.serverId)) return undefined;
  const { requestId, serverId, affinity, handling } = message;
  return Number.isFinite(affinity) ? { requestId, serverId, affinity, handling } : undefined;
}

export function decodeGrant(bytes: Uint8Array): WireGrant | undefined {
  const message = decode(GrantMessage, bytes);
  if (!message || !isId(message.requestId) || !isId(message.serverId)) return undefined;
  return { requestId: message.requestId, serverId: message.serverId };
}

export function decodeReply(bytes: Uint8Array): WireReply | undefined {
  const message = decode(ReplyMessage, bytes);
  if (!message || !isId(message.requestId)) return undefined;
  const { requestId, serverId, error, code } = message;
  const common = { requestId, serverId, sentAtMs: toMilliseconds(message.sentAt) };
  return error === '' && code === ''
    ? { ...common, response: message.rawResponse }
    : { ...common, response: new Uint8Array(), error: { code: code || 'unknown', message: error } };
}

function encode<T extends Message<T>>(type: MessageType<T>, message: T): Uint8Array {
  const bytes = new Msg({ typeUrl: typeUrlOf(type), value: message.toBinary() }).toBinary();
  if (bytes.length > MAX_MESSAGE_BYTES) {
    throw new RpcError('invalid_argument', `a message of ${bytes.length} bytes: at most ${MAX_MESSAGE_BYTES} are sent`);
  }
  return bytes;
}

function decode<T extends Message<T>>(type: MessageType<T>, bytes: Uint8Array): T | undefined {
  if (bytes.length > MAX_MESSAGE_BYTES) return undefined;
  try {
    const { typeUrl, value, compression } = Msg.fromBinary(bytes);
    return typeUrl === typeUrlOf(type) ? type.fromBinary(inflate(value, compression)) : undefined;
  } catch {
    return undefined;
  }
}

function typeUrlOf({ typeName }: { typeName: string }): string {
  return TYPE_PREFIX + typeName;
}

function inflate(value: Uint8Array, compression: number): Uint8Array {
  if (compression === COMPRESSION_NONE) return value;
  if (compression === COMPRESSION_GZIP) return plain(gunzipSync(value, { maxOutputLength: MAX_MESSAGE_BYTES }));
  throw new RangeError(`unknown compression ${compression}`);
}

/** A Buffer is one, but compares, prints and slices differently. */
export function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** Not empty, not endless, and no damaged text: an answer must bear exactly this id. */
function isId(id: string): boolean {
  return id !== '' && id.length <= MAX_ID_CHARACTERS && !id.includes('\ufffd');
}

function toNanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms * 1_000)) * 1_000n;
}

function toMilliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000n) / 1_000;
}
