// When a small recording may start before a large one that waits: on room that the large one cannot use, now or soon. Each that waits
// for a ready worker has one kept for it, the first to be free by what is known. Whoever has waited for long is passed only where that
// changes nothing for it, in whatever order the others end: small ones never starve it. Pure.
import { type Bin, freeCoresOf } from './admission.ts';
import { MAX_CPU_UTILIZATION } from './cost.ts';

/** From then on it is passed only where that cannot delay it. */
export const PASSED_MS = 120_000;
/** More ways for a worker to become free than this are not looked through. */
const MOST_SUMS = 512;
const ROUNDING = 1e-9;

/** What those who stand before it wait for, in cores. */
export interface Claims {
  /** Of those who have waited for long: on every worker. */
  aged: Set<number>;
  /** Worker -> of those it is kept for. */
  kept: Map<string, Set<number>>;
}

export function mayPass(bin: Bin, costCores: number, { aged, kept }: Claims): boolean {
  const claimed = [...aged, ...(kept.get(bin.id) ?? [])];
  return claimed.every((waitsCores) => isHarmless(bin, costCores, waitsCores));
}

/** Would it fit there afterwards, too, whenever it fits there without: whichever of the others have ended by then? */
export function isHarmless(bin: Bin, costCores: number, waitsCores: number): boolean {
  if (waitsCores > bin.cpuCores + ROUNDING) return true;
  const most = bin.cpuCores * MAX_CPU_UTILIZATION + ROUNDING;
  const sums = usedThen(bin);
  return (
    sums?.every((used) => {
      const fits = used === 0 || used + waitsCores <= most;
      return !fits || used + costCores + waitsCores <= most;
    }) ?? false
  );
}

/** What may be in use there later: any of them may have ended, and what nobody declared. Undefined: too much to look through. */
function usedThen({ loads, usedCores }: Bin): number[] | undefined {
  const undeclared = usedCores - loads.reduce((sum, { costCores }) => sum + costCores, 0);
  let sums = new Set([0]);
  for (const cores of [...loads.map(({ costCores }) => costCores), ...(undeclared > ROUNDING ? [undeclared] : [])]) {
    sums = new Set([...sums].flatMap((sum) => [sum, Math.round((sum + cores) * 1_000) / 1_000]));
    if (sums.size > MOST_SUMS) return undefined;
  }
  return [...sums];
}

/** When it would fit there by what is known of the ends of the others; infinite when that is not known. Unix ms. */
export function freeAtMs(bin: Bin, costCores: number): number {
  if (costCores > bin.cpuCores + ROUNDING) return Number.POSITIVE_INFINITY;
  const loads = [...bin.loads].sort((a, b) => endOf(a) - endOf(b));
  let left = { ...bin };
  for (const load of loads) {
    left = { ...left, requests: left.requests - 1, usedCores: left.usedCores - load.costCores };
    if (freeCoresOf(left) + ROUNDING >= costCores) return endOf(load);
  }
  return Number.POSITIVE_INFINITY;
}

function endOf({ endsByMs = Number.POSITIVE_INFINITY }: Bin['loads'][0]): number {
  return endsByMs;
}

/** The worker to keep for it: the first that is free, by what is known, else the emptiest. */
export function toKeep(bins: readonly Bin[], costCores: number, { kept }: Claims): Bin | undefined {
  let best: { bin: Bin; rank: number[] } | undefined;
  for (const bin of bins) {
    if (bin.kind !== 'ready' || costCores > bin.cpuCores + ROUNDING) continue;
    const rank = [kept.has(bin.id) ? 1 : 0, freeAtMs(bin, costCores), bin.requests, -freeCoresOf(bin)];
    if (!best || isLess(rank, best.rank)) best = { bin, rank };
  }
  return best?.bin;
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
}
