// Is there room for one more egress right now? Asks the workers themselves, shares the answer for a moment, and holds what this
// process has just sent until a worker shows it. A hint for the fast path: LiveKit's own admission decides.
import { type Bin, binOf, fits, place } from '../fleet/admission.ts';
import type { ObservedWorker } from '../fleet/observation.ts';

export interface FreeWorkers {
  hasRoomFor(costCores: number): Promise<{ free: boolean; detail: string }>;
  /** Counts a start that is about to be sent. @returns undo, for a start that did not happen */
  reserve(recordingId: string, costCores: number): () => void;
  /** `unknown`: not every worker could be asked. */
  showsEgress(egressId: string): Promise<'yes' | 'no' | 'unknown'>;
}

/** A look is shared this long, so that a burst of starts asks the workers once. */
const FRESH_MS = 500;
/** By then a started egress shows in its worker's own answer. */
const RESERVED_MS = 3_000;

export function createFreeWorkers(observe: () => Promise<ObservedWorker[]>): FreeWorkers {
  const reserved = new Map<string, { costCores: number; untilMs: number }>();
  let shared: { atMs: number; workers: Promise<ObservedWorker[]> } | undefined;

  function look(): Promise<ObservedWorker[]> {
    if (shared && Date.now() - shared.atMs <= FRESH_MS) return shared.workers;
    const workers = observe();
    const mine = { atMs: Date.now(), workers };
    shared = mine;
    workers.catch(() => {
      if (shared === mine) shared = undefined;
    });
    return workers;
  }

  return {
    async hasRoomFor(costCores) {
      const bins = (await look()).filter(({ state }) => state === 'ready').map((worker) => binOf(worker, 'ready'));
      for (const [id, { untilMs }] of reserved) if (untilMs < Date.now()) reserved.delete(id);
      for (const hold of reserved.values()) place(bins, hold.costCores);
      const free = bins.some((bin) => fits(bin, costCores));
      return { free, detail: free ? 'a worker is free' : shortage(bins, costCores) };
    },

    reserve(recordingId, costCores) {
      reserved.set(recordingId, { costCores, untilMs: Date.now() + RESERVED_MS });
      return () => reserved.delete(recordingId);
    },

    async showsEgress(egressId) {
      const workers = await observe();
      if (workers.some(({ egresses }) => egresses.some((egress) => egress.egressId === egressId))) return 'yes';
      return workers.every(({ answered, state }) => answered || state === 'gone' || state === 'booting')
        ? 'no'
        : 'unknown';
    },
  };
}

function shortage(bins: Bin[], costCores: number): string {
  if (bins.length === 0) return 'no worker is ready';
  return `${bins.length === 1 ? 'one worker is' : `${bins.length} workers are`} ready, none has ${costCores} cores free`;
}
