// How a launch is named, so that its repeat, also by another process, is the same launch to ECS. Pure.
import { createHash } from 'node:crypto';

/** ECS takes 128 characters of letters, digits, `-`, `/` and `_`. */
export function startedBy(fleet: string, token: string): string {
  return `${ownerPrefix(fleet)}${allowed(token)}`.slice(0, 128);
}

export function ownerPrefix(fleet: string): string {
  return `reelkit/${allowed(fleet)}/`;
}

/** The token of the launch that made a task of this fleet; undefined for all other tasks. */
export function tokenOf(fleet: string, startedByText: string | undefined): string | undefined {
  const prefix = ownerPrefix(fleet);
  return startedByText?.startsWith(prefix) ? startedByText.slice(prefix.length) : undefined;
}

/** Also its topic. @param nth of the launch, from 1 */
export function workerName(fleet: string, token: string, nth: number): string {
  return `ecs-${hashOf(fleet, token)}-${nth}`;
}

/** ECS keeps it for a day: the same one launches nothing more. @param attempt which of the strategies, from 0 */
export function clientToken(name: string, attempt: number): string {
  return `${name}-${attempt}`;
}

function allowed(text: string): string {
  return text.replaceAll(/[^\w-]/g, '_');
}

function hashOf(...parts: string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 24);
}
