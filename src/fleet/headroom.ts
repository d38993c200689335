// Headroom: room for what may be asked for next. Free cores in fragments that no request fits into are none. Pure.
import { type Bin, place } from './admission.ts';
import type { FleetPolicy } from './policy.ts';

export type HeadroomPolicy = Pick<FleetPolicy, 'headroomCores' | 'largestRequestCores'>;

/** The requests that headroom is kept for: the largest there are, as many as it holds, and one for the rest. */
export function headroomAsks({ headroomCores, largestRequestCores }: HeadroomPolicy, workerCores: number): number[] {
  const most = Math.min(largestRequestCores, workerCores);
  if (!(most > 0)) return [];
  const asks: number[] = [];
  for (let left = headroomCores; left > 0; left -= most) asks.push(Math.min(left, most));
  return asks;
}

/** The bins with these requests on them, and those that fit nowhere. The bins themselves stay as they are. */
export function withAsks(bins: readonly Bin[], asks: readonly number[]): { filled: Bin[]; unmet: number[] } {
  const filled = bins.map((bin) => ({ ...bin }));
  return { filled, unmet: asks.filter((costCores) => !place(filled, costCores)) };
}
