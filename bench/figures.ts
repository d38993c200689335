// What a row makes of many measurements. Pure.

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The value that so large a share of them does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN;
}

/** The first, the middle and the last tell whether all were slow or one was. */
export function describeSpread(lasted: readonly number[]): string {
  const at = (share: number) => percentile(lasted, share);
  return `${Math.min(...lasted)} (first), ${at(0.5)} (half), ${at(0.95)} (95 %), ${at(1)} (all)`;
}
