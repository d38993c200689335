// The page token that clients see: Temporal's own, with a checksum over it and the filter it belongs to. Temporal answers a token
// that it did not make, or that belongs to another filter, as slowly and as wrongly as its store happens to; this answers 400. Pure.
import { createHash } from 'node:crypto';

const CHECKSUM_CHARACTERS = 8;

export function writePageToken(token: Uint8Array, filter: string): string {
  const text = Buffer.from(token).toString('base64url');
  return `${checksum(text, filter)}${text}`;
}

/** @returns undefined when it is not one of ours, or was made for another filter */
export function readPageToken(pageToken: string, filter: string): Uint8Array | undefined {
  const text = pageToken.slice(CHECKSUM_CHARACTERS);
  if (text === '' || pageToken.slice(0, CHECKSUM_CHARACTERS) !== checksum(text, filter)) return undefined;
  return Buffer.from(text, 'base64url');
}

function checksum(text: string, filter: string): string {
  return createHash('sha256').update(`${filter}\n${text}`).digest('base64url').slice(0, CHECKSUM_CHARACTERS);
}
