// What every part of the benchmark is given.

export interface Bench {
  report(line: string): void;
  /** So many turns, or a few when the benchmark is only tried out. */
  times(full: number): number;
}

const TRIED_SHARE = 0.2;

export function createBench(report: Bench['report'], quick: boolean): Bench {
  return { report, times: (full) => (quick ? Math.max(2, Math.round(full * TRIED_SHARE)) : full) };
}
