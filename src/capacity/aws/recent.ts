// What was launched a moment ago and may not be listed yet: AWS's reads lag behind its writes. In memory; after a restart the repeat
// of the launch, with its token, names them again.

const UNSEEN_MS = 60_000;

export interface Recent<T> {
  add(id: string, launched: T): void;
  /** Not older than a minute. */
  entries(): [id: string, launched: T][];
}

export function createRecent<T>(now: () => number = Date.now): Recent<T> {
  const held = new Map<string, { launched: T; atMs: number }>();
  return {
    add(id, launched) {
      if (!held.has(id)) held.set(id, { launched, atMs: now() });
    },
    entries() {
      for (const [id, { atMs }] of held) if (now() - atMs > UNSEEN_MS) held.delete(id);
      return [...held].map(([id, { launched }]) => [id, launched]);
    },
  };
}
