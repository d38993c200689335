// Is there room for one more egress right now? Asks the workers themselves, remembers the answer for a moment, and holds what
// this process has just sent until a worker shows it. A hint only: LiveKit's own admission decides.
import { MAX_CPU_UTILIZATION } from '../fleet/cost.ts';
import type { CapacityProvider, Worker } from './provider.ts';

/** What a worker says of itself; undefined when it does not answer. */
export type WorkerProbe = (worker: Worker) => Promise<ProbedWorker | undefined>;

export interface ProbedWorker {
  /** Takes new egresses: neither disabled nor terminating. */
  accepting: boolean;
  egresses: { egressId: string; costCores: number }[];
}

export interface FreeCapacity {
  hasRoomFor(costCores: number): Promise<{ free: boolean; detail: string }>;
  /** Counts a start that was just sent. @returns undo, for a start that did not happen */
  reserve(recordingId: string, costCores: number): () => void;
  showsEgress(egressId: string): Promise<'yes' | 'no' | 'unknown'>;
}

/** A look is shared this long; a burst of starts asks the workers once. */
const FRESH_MS = 500;
/** By then a started egress shows in its worker's health answer. */
const RESERVED_MS = 3_000;

export function createFreeCapacity(provider: CapacityProvider, probe: WorkerProbe): FreeCapacity {
  const reserved = new Map<string, { costCores: number; untilMs: number }>();
  let last: { atMs: number; look: Promise<Seen[]> } | undefined;

  function look(): Promise<Seen[]> {
    if (!last || Date.now() - last.atMs > FRESH_MS) {
      const fresh = lookAtWorkers(provider, probe);
      last = { atMs: Date.now(), look: fresh };
      fresh.catch(() => {
        last = undefined;
      });
    }
    return last.look;
  }

  return {
    async hasRoomFor(costCores) {
      const rooms = (await look()).filter((seen) => seen.probed?.accepting).map(freeOn);
      for (const [id, hold] of reserved) if (hold.untilMs < Date.now()) reserved.delete(id);
      for (const hold of reserved.values()) takeFrom(rooms, hold.costCores);
      const free = rooms.some((room) => room.cores >= costCores);
      return { free, detail: free ? 'a worker is free' : describeShortage(rooms.length, costCores) };
    },

    reserve(recordingId, costCores) {
      reserved.set(recordingId, { costCores, untilMs: Date.now() + RESERVED_MS });
      return () => reserved.delete(recordingId);
    },

    async showsEgress(egressId) {
      const seen = await lookAtWorkers(provider, probe);
      if (seen.some(({ probed }) => probed?.egresses.some((egress) => egress.egressId === egressId))) return 'yes';
      return seen.every(({ worker, probed }) => probed !== undefined || worker.state !== 'running') ? 'no' : 'unknown';
    },
  };
}

interface Seen {
  worker: Worker;
  probed: ProbedWorker | undefined;
}

async function lookAtWorkers(provider: CapacityProvider, probe: WorkerProbe): Promise<Seen[]> {
  const workers = (await provider.list()).filter((worker) => worker.state === 'running' || worker.state === 'draining');
  return Promise.all(workers.map(async (worker) => ({ worker, probed: await probe(worker) })));
}

interface Room {
  cores: number;
  totalCores: number;
}

/** LiveKit's rule: an idle worker takes anything up to its CPUs, a busy one up to 80 % of them. */
function freeOn({ worker, probed }: Seen): Room {
  const totalCores = worker.cpuCores;
  const used = (probed?.egresses ?? []).reduce((sum, egress) => sum + egress.costCores, 0);
  return { cores: used === 0 ? totalCores : totalCores * MAX_CPU_UTILIZATION - used, totalCores };
}

/** As LiveKit places it: on a busy worker with room first. */
function takeFrom(rooms: Room[], costCores: number): void {
  const fits = rooms.filter((room) => room.cores >= costCores);
  const target = fits.find((room) => room.cores < room.totalCores) ?? fits[0];
  if (!target) return;
  const wasIdle = target.cores === target.totalCores;
  target.cores = wasIdle ? target.totalCores * MAX_CPU_UTILIZATION - costCores : target.cores - costCores;
}

function describeShortage(ready: number, costCores: number): string {
  return ready === 0 ? 'no worker is ready' : `${ready} workers are ready, none has ${costCores} cores free`;
}
