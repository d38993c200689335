// Lets some tasks run at once; the others wait, first come first. A task that fails lets the next one in.

type Turn = <T>(task: () => Promise<T>) => Promise<T>;

export function someAtOnce(most: number): Turn {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await task();
    } finally {
      // Whoever waits takes this place over.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}

/** All of them, so many at once. @returns in the order of the items @throws what the first to fail threw */
export function eachAtOnce<T, R>(most: number, items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const turn = someAtOnce(most);
  return Promise.all(items.map((item) => turn(() => run(item))));
}
