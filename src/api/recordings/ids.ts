// Ids and hashes of recordings. An id is an egress id as LiveKit makes them, longer than LiveKit's own.
import { createHash, randomBytes } from 'node:crypto';

/** LiveKit's base 57: no 0, O, 1, I, l. */
const ALPHABET = '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
/** 116 bits: LiveKit's twelve leave 70, which a key that anybody may choose should not have to live with. */
const CHARACTERS = 20;

export function newRecordingId(random: Uint8Array = randomBytes(32)): string {
  return `EG_${encode(random)}`;
}

/** An Idempotency-Key belongs to the API key and the room of the token: nobody meets, or takes, a key of another. */
export function recordingIdForKey(
  { apiKey, onlyRoom }: { apiKey: string; onlyRoom?: string },
  idempotencyKey: string,
): string {
  const owned = JSON.stringify([apiKey, onlyRoom ?? null, idempotencyKey]);
  return `EG_${encode(createHash('sha256').update(owned).digest())}`;
}

/** SHA-256 of the value as JSON with sorted keys: equal requests have equal hashes, however they were written. */
export function canonicalHash(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
}

function encode(bytes: Uint8Array): string {
  let number = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  let text = '';
  for (const base = BigInt(ALPHABET.length); text.length < CHARACTERS; number /= base) {
    text += ALPHABET.charAt(Number(number % base));
  }
  return text;
}
