// Many who ask the same thing in one moment share a call: the first asks at once, whoever comes while that is under way is in the next.

/** One who asked, until it is answered. */
export interface Asked<A, R> {
  what: A;
  answer(result: R): void;
}

/**
 * @param most that share a call
 * @param answerAll answers each of them; what it throws is told to those it has not answered
 * @returns asks together with others; answered by what was looked up after it asked
 */
export function together<A, R>(
  most: number,
  answerAll: (asked: readonly Asked<A, R>[]) => Promise<void>,
): (what: A) => Promise<R> {
  const waiting: (Asked<A, R> & { fail(error: unknown): void })[] = [];
  let isAsking = false;

  async function serve(): Promise<void> {
    while (waiting.length > 0) {
      const asked = waiting.splice(0, most);
      await answerAll(asked).catch((error: unknown) => {
        for (const { fail } of asked) fail(error);
      });
    }
    isAsking = false;
  }

  return (what) =>
    new Promise((answer, fail) => {
      waiting.push({ what, answer, fail });
      if (isAsking) return;
      isAsking = true;
      void serve();
    });
}
