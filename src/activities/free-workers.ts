// Is there room for one more egress right now? Asks the workers themselves, shares the answer for a moment, and holds what this
// process has just sent until a worker shows it. A hint for the fast path: LiveKit's own admission decides.
import { type Bin, binOf, fits, place } from '../fleet/admission.ts';
import type { ObservedWorker } from '../fleet/observation.ts';

export interface FreeWorkers {
  /** Holds room beside what others hold, until it starts or has not for a moment. @returns what is missing when there is none */
  take(recordingId: string, costCores: number): Promise<string | undefined>;
  /** Its start is about to be sent. */
  sending(recordingId: string, costCores: number): void;
  /** It did not start: others may have the room. */
  release(recordingId: string): void;
  /** It did; counted until a worker shows this egress itself. */
  startedAs(recordingId: string, egressId: string): void;
  /**
   * `unknown`: not every worker could be asked. One that its platform does not reach either counts as a no when the caller has
   * another witness, such as the room.
   */
  showsEgress(egressId: string, hasWitness: boolean): Promise<'yes' | 'no' | 'unknown'>;
}

interface Hold {
  costCores: number;
  untilMs: number;
  egressId?: string;
}

/** A look is shared this long, so that a burst of starts asks the workers once. */
const FRESH_MS = 500;
/** Between taking its turn and sending its start lies one workflow task. */
const TURN_MS = 5_000;
/** A start that got no answer by then is in nobody's way. */
const SENT_MS = 25_000;
/** By then a started egress shows in its worker's own answer. */
const STARTED_MS = 3_000;
const SHOWN_REASONS = 3;

/** @param launchProblem why no worker can be launched, as far as this process knows */
export function createFreeWorkers(
  observe: () => Promise<ObservedWorker[]>,
  launchProblem: () => string | undefined = () => undefined,
): FreeWorkers {
  const holds = new Map<string, Hold>();
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

  function binsBeside(workers: ObservedWorker[], recordingId: string): Bin[] {
    const shown = new Set(workers.flatMap(({ egresses }) => egresses.map(({ egressId }) => egressId)));
    const bins = workers.filter(({ state }) => state === 'ready').map((worker) => binOf(worker, 'ready'));
    for (const [id, hold] of holds) {
      if (hold.untilMs < Date.now() || (hold.egressId !== undefined && shown.has(hold.egressId))) holds.delete(id);
      else if (id !== recordingId) place(bins, hold.costCores);
    }
    return bins;
  }

  return {
    async take(recordingId, costCores) {
      const workers = await look();
      const bins = binsBeside(workers, recordingId);
      if (!bins.some((bin) => fits(bin, costCores)))
        return [shortage(bins, costCores), ...whyNoneBoots(workers), launchProblem()].filter(Boolean).join('; ');
      holds.set(recordingId, { costCores, untilMs: Date.now() + TURN_MS });
      return undefined;
    },

    sending: (recordingId, costCores) => void holds.set(recordingId, { costCores, untilMs: Date.now() + SENT_MS }),

    release: (recordingId) => void holds.delete(recordingId),

    startedAs(recordingId, egressId) {
      const hold = holds.get(recordingId);
      if (hold) holds.set(recordingId, { ...hold, egressId, untilMs: Date.now() + STARTED_MS });
    },

    async showsEgress(egressId, hasWitness) {
      const workers = await observe();
      if (workers.some(({ egresses }) => egresses.some((egress) => egress.egressId === egressId))) return 'yes';
      const toldAll = workers.every(
        ({ answered, state, runs, cutOff }) =>
          answered || state === 'gone' || (state === 'booting' && !runs) || (cutOff && hasWitness),
      );
      return toldAll ? 'no' : 'unknown';
    },
  };
}

function shortage(bins: Bin[], costCores: number): string {
  if (bins.length === 0) return 'no worker is ready';
  return `${bins.length === 1 ? 'one worker is' : `${bins.length} workers are`} ready, none has ${costCores} cores free`;
}

/** What keeps the workers that are on their way, the most frequent reason first. */
function whyNoneBoots(workers: ObservedWorker[]): string[] {
  const counts = new Map<string, number>();
  for (const { state, reason } of workers) {
    if (state === 'booting') counts.set(reason ?? 'booting', (counts.get(reason ?? 'booting') ?? 0) + 1);
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN_REASONS)
    .map(([reason, count]) => `${count} on the way: ${reason}`);
}
