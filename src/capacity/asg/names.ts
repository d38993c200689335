// How a launch is named, so that its repeat, also by another process, is the same launch to AWS. Pure.
import { createHash } from 'node:crypto';

/** AWS takes 64 characters of letters, digits, `-`, `_` and `/`, and keeps one for eight hours. */
const MAX_CHARACTERS = 64;
const PREFIX = 'reelkit/';

/** @param attempt which of the zones, from 0 */
export function clientToken(token: string, attempt: number): string {
  const whole = `${PREFIX}${token}/${attempt}`;
  if (/^[\w/-]+$/.test(token) && whole.length <= MAX_CHARACTERS) return whole;
  return `${PREFIX}${createHash('sha256').update(token).digest('hex').slice(0, 40)}/${attempt}`;
}

/** The token of the launch, where it went along whole. */
export function tokenOf(clientTokenText: string | undefined): string | undefined {
  return /^reelkit\/(.+)\/\d+$/.exec(clientTokenText ?? '')?.[1];
}

/** Each launch begins with another zone, and its repeat with the same. */
export function zonesInOrder(zones: readonly string[], token: string): string[] {
  const sorted = zones.toSorted();
  const first = createHash('sha256').update(token).digest().readUInt32BE() % Math.max(1, sorted.length);
  return [...sorted.slice(first), ...sorted.slice(0, first)];
}
