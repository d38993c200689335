// Ids on the bus, in psrpc's own manner: a prefix and twelve letters or digits.
import { randomInt } from 'node:crypto';

const ALPHABET = '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const RANDOM_CHARACTERS = 12;
/** By it Reelkit's processes know each other. */
const REELKIT_SERVER_PREFIX = 'SRV_rk';

export const newClientId = () => newId('CLI_');
export const newRequestId = () => newId('REQ_');
export const newServerId = () => newId(REELKIT_SERVER_PREFIX);

export function isReelkitServer(serverId: string): boolean {
  return serverId.startsWith(REELKIT_SERVER_PREFIX);
}

function newId(prefix: string): string {
  return prefix + Array.from({ length: RANDOM_CHARACTERS }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}
