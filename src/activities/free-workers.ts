// Is there room for one more egress right now? Asks the workers themselves, shares the answer for a moment, and holds what this
// process has just sent until a worker shows it. A hint for the fast path: LiveKit's own admission decides.
import { type Bin, binOf, fits, place } from '../fleet/admission.ts';
import type { ObservedWorker } from '../fleet/observation.ts';

export interface FreeWorkers {
  hasRoomFor(costCores: number): Promise<{ free: boolean; detail: string }>;
  /** Counts a start that is about to be sent. */
  reserve(costCores: number): Reservation;
  /** `unknown`: not every worker could be asked. */
  showsEgress(egressId: string): Promise<'yes' | 'no' | 'unknown'>;
}

export interface Reservation {
  /** The start did not happen. */
  release(): void;
  /** It did; counted until a worker shows this egress itself. */
  startedAs(egressId: string): void;
}

/** A look is shared this long, so that a burst of starts asks the workers once. */
const FRESH_MS = 500;
/** A start that got no answer by then is in nobody's way. */
const SENT_MS = 25_000;
/** By then a started egress shows in its worker's own answer. */
const STARTED_MS = 3_000;

export function createFreeWorkers(observe: () => Promise<ObservedWorker[]>): FreeWorkers {
  const holds = new Set<{ costCores: number; untilMs: number; egressId?: string }>();
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
      const workers = await look();
      const shown = new Set(workers.flatMap(({ egresses }) => egresses.map(({ egressId }) => egressId)));
      const bins = workers.filter(({ state }) => state === 'ready').map((worker) => binOf(worker, 'ready'));
      for (const hold of holds) {
        if (hold.untilMs < Date.now() || (hold.egressId !== undefined && shown.has(hold.egressId))) holds.delete(hold);
        else place(bins, hold.costCores);
      }
      const free = bins.some((bin) => fits(bin, costCores));
      return { free, detail: free ? 'a worker is free' : shortage(bins, costCores) };
    },

    reserve(costCores) {
      const hold: { costCores: number; untilMs: number; egressId?: string } = {
        costCores,
        untilMs: Date.now() + SENT_MS,
      };
      holds.add(hold);
      return {
        release: () => void holds.delete(hold),
        startedAs(egressId) {
          hold.egressId = egressId;
          hold.untilMs = Date.now() + STARTED_MS;
        },
      };
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
