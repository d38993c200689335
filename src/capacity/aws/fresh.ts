// An answer of AWS's that changes seldom: asked for at most once a minute, and by one asker at a time.

export interface Fresh<T> {
  /** @throws what the last question failed with, when there is no answer at all */
  get(): Promise<T>;
  /** The last answer, of whatever age. */
  known(): T | undefined;
}

export function createFresh<T>(ask: () => Promise<T>, maxAgeMs: number, now: () => number = Date.now): Fresh<T> {
  let last: { answer: T; atMs: number } | undefined;
  let asking: Promise<T> | undefined;

  async function renew(): Promise<T> {
    const atMs = now();
    try {
      const answer = await ask();
      last = { answer, atMs };
      return answer;
    } finally {
      asking = undefined;
    }
  }

  return {
    async get() {
      if (last && now() - last.atMs < maxAgeMs) return last.answer;
      asking ??= renew();
      return asking.catch((error: unknown) => {
        if (last) return last.answer;
        throw error;
      });
    },
    known: () => last?.answer,
  };
}
