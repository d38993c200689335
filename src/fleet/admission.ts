// The workers' own admission as arithmetic: which worker takes a request. An idle worker takes any request up to its CPU count, a busy
// one up to 80 % of it minus what is used (livekit/egress pkg/stats/monitor.go). Pure.
import { MAX_CPU_UTILIZATION } from './cost.ts';
import { isLastChoice } from './doubt.ts';
import type { ObservedWorker } from './observation.ts';

export interface Load {
  costCores: number;
  /** It has ended by then, unix ms, as far as anybody knows. */
  endsByMs?: number;
}

/** A worker being filled: ready ones take requests now, booting ones soon, planned ones are to be launched. */
export interface Bin {
  id: string;
  kind: 'ready' | 'booting' | 'planned';
  cpuCores: number;
  usedCores: number;
  requests: number;
  /** What is known of them, one by one. */
  loads: readonly Load[];
  /** Requests of those that this pass put there. */
  placed: number;
  /** Still takes requests, but is to be replaced. */
  outdated?: boolean;
  /** The last to be filled: it takes requests once its cordon is lifted, or what it started last failed. */
  last?: boolean;
}

const ROUNDING = 1e-9;
const KINDS = ['ready', 'booting', 'planned'] as const;

/** The largest request the worker would take now, in cores. */
export function freeCoresOf(bin: Bin): number {
  return bin.requests === 0 ? bin.cpuCores : Math.max(0, bin.cpuCores * MAX_CPU_UTILIZATION - bin.usedCores);
}

export function fits(bin: Bin, costCores: number): boolean {
  return freeCoresOf(bin) >= costCores - ROUNDING;
}

/** Declared costs and the worker's own figure disagree at times; the one that leaves less room counts. */
export function binOf(
  worker: ObservedWorker,
  kind: 'ready' | 'booting',
  endsByMs: (egressId: string) => number | undefined = () => undefined,
): Bin {
  const requests = worker.egresses.length;
  const free = worker.freeCores ?? Number.POSITIVE_INFINITY;
  const declared = worker.egresses.reduce((sum, egress) => sum + egress.costCores, 0);
  const cpuCores = requests === 0 ? Math.min(worker.cpuCores, free) : worker.cpuCores;
  const usedCores = requests === 0 ? 0 : Math.max(declared, cpuCores * MAX_CPU_UTILIZATION - free);
  const last = worker.cordoned || isLastChoice(worker.doubt);
  const marks = { ...(worker.outdated ? { outdated: true } : {}), ...(last ? { last } : {}) };
  const loads = worker.egresses.map(({ egressId, costCores }) => ({ costCores, ...endOf(endsByMs(egressId)) }));
  return { id: worker.id, kind, cpuCores, usedCores, requests, loads, placed: 0, ...marks };
}

/**
 * On a busy worker with room before an idle one; the fullest first, so that large requests keep their room.
 */
export function place(bins: readonly Bin[], costCores: number, kinds: readonly Bin['kind'][] = KINDS): Bin | undefined {
  let best: Bin | undefined;
  for (const bin of bins) {
    if (kinds.includes(bin.kind) && fits(bin, costCores) && (!best || comesBefore(bin, best))) best = bin;
  }
  if (best) fill(best, costCores);
  return best;
}

/** Bins without those that take nothing more: thousands of full ones are not looked through for each request. */
export interface OpenBins {
  readonly bins: readonly Bin[];
  /** As `place` among them. */
  place(costCores: number, kinds?: readonly Bin['kind'][]): Bin | undefined;
  add(bin: Bin): void;
}

export function openBinsOf(bins: readonly Bin[]): OpenBins {
  const open = bins.filter(takesMore);
  return {
    bins: open,
    place(costCores, kinds) {
      const bin = place(open, costCores, kinds);
      if (bin && !takesMore(bin)) open.splice(open.indexOf(bin), 1);
      return bin;
    },
    add(bin) {
      if (takesMore(bin)) open.push(bin);
    },
  };
}

function takesMore(bin: Bin): boolean {
  return freeCoresOf(bin) > ROUNDING;
}

function endOf(endsByMs: number | undefined): Pick<Load, 'endsByMs'> {
  return endsByMs === undefined ? {} : { endsByMs };
}

export function fill(bin: Bin, costCores: number): void {
  bin.loads = [...bin.loads, { costCores }];
  bin.usedCores += costCores;
  bin.requests += 1;
  bin.placed += 1;
}

function comesBefore(a: Bin, b: Bin): boolean {
  const rank = ({ kind, last, requests }: Bin) => KINDS.indexOf(kind) * 4 + (last ? 2 : 0) + (requests === 0 ? 1 : 0);
  return rank(a) !== rank(b) ? rank(a) < rank(b) : freeCoresOf(a) < freeCoresOf(b);
}
