// Why no worker could be launched, as this process knows it from the last pass it ran.

export interface LaunchProblem {
  /** @param text undefined: the last pass had none */
  note(text: string | undefined): void;
  /** @returns undefined when there is none, or it is too old to be told */
  fresh(): string | undefined;
}

/** Passes may run in another process, which then knows better. */
const FRESH_MS = 60_000;

export function createLaunchProblem(now: () => number = Date.now): LaunchProblem {
  let last: { text: string; atMs: number } | undefined;
  return {
    note(text) {
      last = text === undefined ? undefined : { text, atMs: now() };
    },
    fresh: () => (last && now() - last.atMs < FRESH_MS ? last.text : undefined),
  };
}
