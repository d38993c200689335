// Launching several workers one by one, some at a time: stops at the first that fails, and says what was launched and why no more.
import { type CapacityError, type LaunchResult, launchProblemOf } from './provider.ts';

interface LaunchAll {
  ids: readonly string[];
  atOnce: number;
  launch: (id: string) => Promise<unknown>;
  toError: (cause: unknown) => CapacityError;
}

/** @throws CapacityError when none could be launched */
export async function launchAll({ ids, atOnce, launch, toError }: LaunchAll): Promise<LaunchResult> {
  const launched: string[] = [];
  let error: CapacityError | undefined;
  for (let start = 0; start < ids.length && !error; start += atOnce) {
    const batch = ids.slice(start, start + atOnce);
    const results = await Promise.allSettled(batch.map(launch));
    results.forEach((result, index) => {
      if (result.status === 'fulfilled') launched.push(batch[index] as string);
      else error ??= toError(result.reason);
    });
  }
  if (error && launched.length === 0) throw error;
  return { launched, problems: error ? [launchProblemOf(error, ids.length - launched.length)] : [] };
}
