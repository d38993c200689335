// Waiting for conditions, never for time: whoever gives up says what it waited for, what it saw last, and where the logs are.
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

const POLL_MS = 200;
const SHOWN_CHARACTERS = 3_000;

let whereToLook = '';

/** Named by every wait that gives up. */
export function nameLogs(folder: string): void {
  whereToLook = folder;
}

/** @returns what was seen when it held. `look` may throw: that is seen, too. */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T>,
  holds: (seen: T) => boolean,
  limitMs = 180_000,
): Promise<T> {
  const startedAt = performance.now();
  let last: unknown = '(nothing yet)';
  do {
    try {
      const seen = await look();
      if (holds(seen)) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    await sleep(POLL_MS);
  } while (performance.now() - startedAt < limitMs);
  const seen = inspect(last, { depth: 8, breakLength: 140 }).slice(0, SHOWN_CHARACTERS);
  throw new Error(`waited ${limitMs / 1_000} s for: ${what}\nlast seen: ${seen}\nlogs: ${whereToLook}`);
}

/** What is seen stays as it is for the whole time. */
export async function holdsFor<T>(what: string, ms: number, look: () => Promise<T>, holds: (seen: T) => boolean) {
  for (const until = performance.now() + ms; performance.now() < until; await sleep(POLL_MS)) {
    const seen = await look();
    if (!holds(seen))
      throw new Error(`did not stay so: ${what}\nseen: ${inspect(seen, { depth: 8 })}\nlogs: ${whereToLook}`);
  }
}
