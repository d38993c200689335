// Many callers of one moment, one request: a burst asks LiveKit about its rooms together.

const GATHER_MS = 5;
const MAX_KEYS = 200;

interface Batch<T> {
  keys: Set<string>;
  result: Promise<ReadonlyMap<string, T>>;
}

/** @param ask answers for many keys at once; a key it does not know is left out */
export function inBatches<T>(
  ask: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>,
): (key: string) => Promise<T | undefined> {
  let open: Batch<T> | undefined;

  function gather(): Batch<T> {
    const keys = new Set<string>();
    const gathered = new Promise<void>((resolve) => setTimeout(resolve, GATHER_MS));
    const batch: Batch<T> = {
      keys,
      result: gathered.then(() => {
        if (open === batch) open = undefined;
        return ask([...keys]);
      }),
    };
    return batch;
  }

  return async (key) => {
    if (!open || open.keys.size >= MAX_KEYS) open = gather();
    open.keys.add(key);
    return (await open.result).get(key);
  };
}
