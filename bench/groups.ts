// Many calls, some at a time: neither laying out a measurement nor reading its results may become a load test of its own.

const GROUP = 10;

export async function inGroups<T, R>(items: readonly T[], work: (item: T) => Promise<R>, size = GROUP): Promise<R[]> {
  const results: R[] = [];
  for (let done = 0; done < items.length; done += size) {
    results.push(...(await Promise.all(items.slice(done, done + size).map(work))));
  }
  return results;
}
