// Tells the platform at once that a worker is busy. The fleet's pass would do it too, up to a watch interval later, and until
// then a node that looks empty may be taken away.
import type { CapacityProvider } from '../capacity/provider.ts';
import { messageOf } from '../common/error-message.ts';
import type { ObservedWorker } from '../fleet/observation.ts';

/** Never awaited, never fails: the pass is the safety net. */
export type ProtectBusy = (egressId: string) => void;

/** A worker shows an egress within this of accepting it; starts of a burst share the look. */
const LOOK_AFTER_MS = 300;
const LOOKS = 4;

export function createProtectBusy(
  provider: Pick<CapacityProvider, 'protect'>,
  observe: () => Promise<ObservedWorker[]>,
  onProblem: (problem: string) => void,
): ProtectBusy {
  /** Egress id -> looks left. */
  const wanted = new Map<string, number>();
  let pending = false;

  async function protectThoseSeen(): Promise<void> {
    pending = false;
    const asked = [...wanted.keys()];
    try {
      const workers = await observe();
      const busy = workers.filter(
        ({ owned, egresses }) => owned && egresses.some(({ egressId }) => wanted.has(egressId)),
      );
      for (const { egresses } of busy) for (const { egressId } of egresses) wanted.delete(egressId);
      await Promise.all(
        busy.filter((worker) => worker.protected !== true).map(({ id }) => provider.protect?.(id, true)),
      );
    } catch (error) {
      onProblem(messageOf(error));
    }
    for (const egressId of asked) count(egressId);
    if (wanted.size > 0) later();
  }

  function count(egressId: string): void {
    const left = wanted.get(egressId);
    if (left === undefined) return;
    if (left > 1) wanted.set(egressId, left - 1);
    else wanted.delete(egressId);
  }

  function later(): void {
    if (pending) return;
    pending = true;
    setTimeout(() => void protectThoseSeen(), LOOK_AFTER_MS).unref();
  }

  return (egressId) => {
    if (!provider.protect) return;
    wanted.set(egressId, LOOKS);
    later();
  };
}
