// What holds for every capacity provider, whatever its platform: looks are shared, large launches go in batches, and a worker that may
// record is not ended. The rest of Reelkit has its workers from here.
import {
  CapacityError,
  type CapacityProvider,
  type LaunchResult,
  launchProblemOf,
  type Worker,
  type WorkerList,
} from './provider.ts';

export interface Capacity extends CapacityProvider {
  /** @param notBeforeMs an answer from before this will not do; without it, one that is shared will */
  list(notBeforeMs?: number): Promise<WorkerList>;
  /** Any number, in batches. What could not be launched is in the result. */
  launch(count: number, token: string): Promise<LaunchResult>;
  /** @throws CapacityError with the code `busy` where the platform would cut its recordings off */
  drain(id: string): Promise<void>;
  /** @throws CapacityError with the code `busy` while the worker says that it runs something */
  remove(id: string): Promise<void>;
}

/** Asks the worker itself. `unknown`: it does not answer. */
export type AskWorker = (worker: Worker) => Promise<'busy' | 'idle' | 'unknown'>;

export function guardProvider(
  provider: CapacityProvider,
  askWorker: AskWorker,
  now: () => number = Date.now,
): Capacity {
  let shared: { askedAtMs: number; list: Promise<WorkerList> } | undefined;

  function list(notBeforeMs = now() - (provider.limits.listEveryMs ?? 0)): Promise<WorkerList> {
    if (shared && shared.askedAtMs >= notBeforeMs) return shared.list;
    const mine = { askedAtMs: now(), list: provider.list() };
    shared = mine;
    mine.list.catch(() => {
      if (shared === mine) shared = undefined;
    });
    return mine.list;
  }

  /** What is shared does not show it. */
  async function thenForget<T>(change: Promise<T>): Promise<T> {
    return change.finally(() => {
      shared = undefined;
    });
  }

  async function ask(id: string): Promise<'busy' | 'idle' | 'unknown'> {
    const find = async (notBeforeMs?: number) =>
      (await list(notBeforeMs)).workers.find((one) => one.id === id || one.launchedAs === id);
    let worker = await find();
    if (worker && isNotUp(worker)) worker = await find(now());
    return worker && worker.state !== 'gone' && !isNotUp(worker) ? askWorker(worker) : 'idle';
  }

  return {
    kind: provider.kind,
    get limits() {
      return provider.limits;
    },
    list,
    launch: (count, token) => thenForget(launchInBatches(provider, count, token)),

    async drain(id) {
      const { drainLimitMs } = provider.limits;
      // It cannot finish what it runs, so that only its own word that it runs nothing will do.
      if (drainLimitMs !== undefined && (await ask(id)) !== 'idle')
        throw busy(id, `would be killed after ${drainLimitMs} ms`);
      await thenForget(provider.drain(id));
    },

    async remove(id) {
      if ((await ask(id)) === 'busy') throw busy(id, 'would be killed');
      await thenForget(provider.remove(id));
    },

    ...(provider.protect
      ? { protect: (id: string, isBusy: boolean) => provider.protect?.(id, isBusy) ?? Promise.resolve() }
      : {}),
    ...(provider.onChange
      ? {
          onChange: (listener: (why: string) => void) =>
            provider.onChange?.((why) => {
              shared = undefined;
              listener(why);
            }),
        }
      : {}),
    check: () => provider.check(),
    warnings: () => provider.warnings?.() ?? [],
    close: async () => provider.close?.(),
  };
}

/** By the platform's word: nothing can run on it yet. */
function isNotUp({ state }: Worker): boolean {
  return state === 'requested' || state === 'booting';
}

function busy(id: string, what: string): CapacityError {
  return new CapacityError('retryable', `${id} may be recording and ${what}: it is left alone`, { code: 'busy' });
}

/** One after the other, up to the first that is not made whole; each has a token of its own that follows from that of all. */
async function launchInBatches(provider: CapacityProvider, count: number, token: string): Promise<LaunchResult> {
  const size = provider.limits.maxPerLaunch ?? count;
  const launched: string[] = [];
  for (let batch = 0; batch * size < count; batch += 1) {
    const missing = count - batch * size;
    const one = await launchBatch(provider, Math.min(size, missing), batch === 0 ? token : `${token}-b${batch + 1}`);
    launched.push(...one.launched);
    if (one.problems.length > 0) return { launched, problems: withUntried(one, missing - size) };
  }
  return { launched, problems: [] };
}

async function launchBatch(provider: CapacityProvider, count: number, token: string): Promise<LaunchResult> {
  try {
    return await provider.launch(count, token);
  } catch (error) {
    if (!(error instanceof CapacityError)) throw error;
    return { launched: [], problems: [launchProblemOf(error, count)] };
  }
}

/** The batches behind it were not even asked for, for the same reason. */
function withUntried({ problems }: LaunchResult, untried: number): LaunchResult['problems'] {
  const [first, ...others] = problems;
  return first ? [{ ...first, count: first.count + Math.max(0, untried) }, ...others] : [];
}
