// What Temporal stores is encrypted here: every payload as a whole, AES-256-GCM, with the id of its key beside it. Pure: keys
// come in, bytes go out. It may not log, and no error of it may quote a payload or a key.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';

export interface PayloadKey {
  /** Stands in clear beside each payload. */
  id: string;
  /** 32 bytes. */
  key: Uint8Array;
}

/** The first one encrypts; all of them decrypt. */
export type PayloadKeys = readonly [PayloadKey, ...PayloadKey[]];

export class PayloadKeyError extends Error {
  /** unknown_key: there is no key of this id. damaged: the key of this id does not open it. */
  readonly code: 'unknown_key' | 'damaged';
  readonly keyId: string;
  constructor(code: PayloadKeyError['code'], keyId: string, message: string) {
    super(message);
    this.name = 'PayloadKeyError';
    this.code = code;
    this.keyId = keyId;
  }
}

const ENCODING = 'binary/encrypted';
/** Tells our payloads from those of another codec with the same encoding. The number changes with the layout of `data`. */
const CIPHER = 'reelkit/aes-256-gcm/1';
const CIPHER_FIELD = 'encryption-cipher';
const KEY_ID_FIELD = 'encryption-key-id';
const ALGORITHM = 'aes-256-gcm';
/** NIST SP 800-38D: 96 bits chosen at random serve 2^32 payloads of one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Longer ones are none of ours, and would fill an error message. */
const MAX_KEY_ID_BYTES = 64;

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

export function createPayloadCodec(keys: PayloadKeys): PayloadCodec {
  const current = keys[0];
  const byId = new Map(keys.map((key) => [key.id, key]));
  return {
    encode: async (payloads) => payloads.map((payload) => encrypt(payload, current)),
    decode: async (payloads) => payloads.map((payload) => decrypt(payload, byId)),
  };
}

/** @returns the id of the key that encrypted it; undefined when none of ours did */
export function keyIdOf({ metadata }: Pick<Payload, 'metadata'>): string | undefined {
  if (text(metadata?.encoding) !== ENCODING || text(metadata?.[CIPHER_FIELD]) !== CIPHER) return undefined;
  const id = metadata?.[KEY_ID_FIELD];
  return id && id.length > 0 && id.length <= MAX_KEY_ID_BYTES ? text(id) : undefined;
}

function encrypt(payload: Payload, { id, key }: PayloadKey): Payload {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce).setAAD(boundTo(id));
  const sealed = [nonce, cipher.update(PayloadMessage.encode(payload).finish()), cipher.final(), cipher.getAuthTag()];
  return {
    metadata: { encoding: bytes(ENCODING), [CIPHER_FIELD]: bytes(CIPHER), [KEY_ID_FIELD]: bytes(id) },
    data: Buffer.concat(sealed),
  };
}

/** What was stored before encryption, or by other means, passes as it is. */
function decrypt(payload: Payload, keys: ReadonlyMap<string, PayloadKey>): Payload {
  const id = keyIdOf(payload);
  if (id === undefined) return payload;
  const found = keys.get(id);
  if (!found) throw unknownKey(id, [...keys.keys()]);
  try {
    return PayloadMessage.decode(open(payload.data ?? new Uint8Array(), found)) as Payload;
  } catch {
    throw new PayloadKeyError(
      'damaged',
      id,
      `a payload of encryption key "${id}" cannot be opened: another key now has this id, or the payload was changed. Give the key its own id again`,
    );
  }
}

function open(data: Uint8Array, { id, key }: PayloadKey): Uint8Array {
  const end = data.length - TAG_BYTES;
  if (end < NONCE_BYTES) throw new Error('too short');
  const decipher = createDecipheriv(ALGORITHM, key, data.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(boundTo(id)).setAuthTag(data.subarray(end));
  return Buffer.concat([decipher.update(data.subarray(NONCE_BYTES, end)), decipher.final()]);
}

export function unknownKey(id: string, known: readonly string[]): PayloadKeyError {
  return new PayloadKeyError(
    'unknown_key',
    id,
    `no encryption key "${id}" is configured (known: ${known.join(', ')}): put it back into encryption.keys or into the key file; what it encrypted cannot be read without it`,
  );
}

/** Another key id or another layout must not open it. */
function boundTo(keyId: string): Uint8Array {
  return bytes(`${CIPHER}\0${keyId}`);
}

function bytes(value: string): Uint8Array {
  return Buffer.from(value, 'utf8');
}

function text(value: Uint8Array | null | undefined): string | undefined {
  return value ? Buffer.from(value).toString('utf8') : undefined;
}
