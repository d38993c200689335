// Ids and hashes of recordings. An id sorts by time unless an Idempotency-Key decides it.
import { createHash, randomBytes } from 'node:crypto';

/** Crockford's base 32 without i, l, o and u: sorts like the number, and nobody misreads it. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_CHARACTERS = 9; // 45 bits of milliseconds: until the year 3084
const RANDOM_CHARACTERS = 7; // 35 bits within one millisecond
const KEY_CHARACTERS = 20; // 100 bits of a hash

export const RECORDING_ID = /^[a-z0-9][a-z0-9-]{0,63}$/;

export function newRecordingId(nowMs: number, random: Uint8Array = randomBytes(RANDOM_CHARACTERS)): string {
  let time = '';
  for (let rest = nowMs, digit = 0; digit < TIME_CHARACTERS; digit++, rest = Math.floor(rest / 32)) {
    time = character(rest % 32) + time;
  }
  return time + encode(random).slice(0, RANDOM_CHARACTERS);
}

/** The same API key and Idempotency-Key always name the same recording. Starts with `k`, as no time does before the year 2600. */
export function recordingIdForKey(apiKey: string, idempotencyKey: string): string {
  const hash = createHash('sha256').update(`${apiKey}\n${idempotencyKey}`).digest();
  return `k${encode(hash).slice(0, KEY_CHARACTERS)}`;
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
  return [...bytes].map((byte) => character(byte % 32)).join('');
}

function character(index: number): string {
  return ALPHABET.charAt(index);
}
