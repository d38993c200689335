// When a worker began to finish an egress: its report of that changes nothing by itself and costs Temporal nothing, so it lies on the
// workers' Redis until the last report takes it along, whichever process hears that.
import type { BusTransport } from '../bus/transport.ts';

export interface Endings {
  note(egressId: string, atMs: number): Promise<void>;
  /** Unix ms by the worker's clock; undefined when nobody noted it, or Redis does not say. */
  of(egressId: string): Promise<number | undefined>;
}

const KEY = 'reelkit:ending:';
/** A long upload. */
const KEPT_MS = 86_400_000;

export function createEndings(bus: Pick<BusTransport, 'setKey' | 'getKeys'>): Endings {
  return {
    note: (egressId, atMs) => bus.setKey(KEY + egressId, String(atMs), KEPT_MS),
    async of(egressId) {
      const [mark] = await bus.getKeys([KEY + egressId]).catch(() => [null]);
      const atMs = Number(mark ?? undefined);
      return Number.isFinite(atMs) ? atMs : undefined;
    },
  };
}
