// The order of the queue: priority first, then turns between tenants, then who came first. Pure.
import type { WaitingRecording } from './observation.ts';

/** Priority, then first come, then id: the same order on every machine. */
export function byTurn(a: WaitingRecording, b: WaitingRecording): number {
  return a.priority - b.priority || a.sinceMs - b.sinceMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** Cores that each tenant's recordings use already. Those without a tenant are one tenant together. */
export type Usage = ReadonlyMap<string | undefined, number>;

/**
 * Within a priority it is the turn of the tenant that has the fewest cores, counting those before in the queue: one who asks for a
 * hundred at once does not keep another waiting, and one who has much waits no longer than until that has ended.
 */
export function inTurn(waiting: readonly WaitingRecording[], usage: Usage): WaitingRecording[] {
  const taken = new Map<string, number>();
  const turns = [...waiting].sort(byTurn).map((recording) => {
    const key = `${recording.priority} ${recording.tenant ?? ''}`;
    const before = taken.get(key) ?? usage.get(recording.tenant) ?? 0;
    taken.set(key, before + recording.costCores);
    return { recording, before };
  });
  return turns
    .sort(
      (a, b) => a.recording.priority - b.recording.priority || a.before - b.before || byTurn(a.recording, b.recording),
    )
    .map(({ recording }) => recording);
}

export function usageOf(served: readonly { tenant?: string; costCores?: number }[]): Usage {
  const usage = new Map<string | undefined, number>();
  for (const { tenant, costCores = 0 } of served) usage.set(tenant, (usage.get(tenant) ?? 0) + costCores);
  return usage;
}
