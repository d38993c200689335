// Where each pass writes down who waits at which place, for whoever is asked: on the workers' Redis, so that no workflow need be told
// and every process can read it. It ends by itself, and without it nobody's place is known.
import type { BusTransport } from '../bus/transport.ts';
import type { PlacedRecording } from '../fleet/turns.ts';
import type { QueuePlace } from '../recording/start-outcome.ts';

export interface QueueBoard {
  write(fleet: string, places: readonly PlacedRecording[]): Promise<void>;
  placeOf(fleet: string, id: string): Promise<QueuePlace | undefined>;
}

const KEY = 'reelkit:queue:';
/** While somebody waits a pass follows within seconds. */
const TTL_MS = 60_000;
const MOST = 1_000;

export function createQueueBoard(bus: Pick<BusTransport, 'setKey' | 'getKeys'>): QueueBoard {
  return {
    write(fleet, places) {
      const rows = places.slice(0, MOST).map(({ id, expectedAtMs }) => [id, expectedAtMs ?? 0]);
      return bus.setKey(KEY + fleet, JSON.stringify(rows), TTL_MS);
    },
    async placeOf(fleet, id) {
      const [text] = await bus.getKeys([KEY + fleet]);
      const rows = text == null ? [] : (JSON.parse(text) as [string, number][]);
      const index = rows.findIndex(([one]) => one === id);
      if (index < 0) return undefined;
      const expectedAtMs = rows[index]?.[1] ?? 0;
      return { position: index + 1, ...(expectedAtMs > 0 ? { expectedAtMs } : {}) };
    },
  };
}
