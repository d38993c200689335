// Launching several workers one by one, some at a time: begins no more after the first that fails, and says what was launched and why
// no more.
import { eachAtOnce } from '../common/some-at-once.ts';
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
  await eachAtOnce(atOnce, ids, async (id) => {
    if (error) return;
    try {
      await launch(id);
      launched.push(id);
    } catch (cause) {
      error ??= toError(cause);
    }
  });
  if (error && launched.length === 0) throw error;
  return { launched, problems: error ? [launchProblemOf(error, ids.length - launched.length)] : [] };
}
