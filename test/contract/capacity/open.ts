// A fleet's workers as the product has them: its provider, guarded.
import type { Capacity } from '../../../src/capacity/guard.ts';
import type { Worker, WorkerList } from '../../../src/capacity/provider.ts';
import { createCapacity } from '../../../src/capacity/registry.ts';
import type { FleetConfig } from '../../../src/config/fleet.ts';
import { createAskWorker } from '../../../src/service/fleet-sources.ts';

export function openCapacity({ name, capacity }: FleetConfig): Promise<Capacity> {
  return createCapacity(capacity, { fleet: name, askWorker: createAskWorker() });
}

export async function workersOf(provider: { list(): Promise<WorkerList> }): Promise<Worker[]> {
  return (await provider.list()).workers;
}
