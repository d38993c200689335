// What a benchmark has started, ended in reverse order: when its part is over, or when it is interrupted. Workers are no children
// of this process and would live on.
const running = new Set<() => Promise<void>>();

export type Endings = ReturnType<typeof createEndings>;

export function createEndings() {
  const endings: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    running.delete(stop);
    const problems: unknown[] = [];
    for (const end of endings.splice(0).reverse()) await end().catch((error: unknown) => problems.push(error));
    if (problems.length > 0) throw problems[0];
  };
  running.add(stop);
  return { atEnd: (end: () => Promise<unknown>) => void endings.push(end), stop };
}

export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((stop) => stop()));
}
