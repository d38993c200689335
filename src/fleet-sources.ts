// Where this process learns of the egress workers: one provider and one probe, shared by the activities and the API.
import { observeWorkers } from './activities/fleet-workers.ts';
import type { CapacityProvider, ProviderLog } from './capacity/provider.ts';
import { createProvider } from './capacity/registry.ts';
import type { FleetConfig } from './config.ts';
import type { ObservedWorker } from './fleet/observation.ts';
import { createProbe } from './livekit/probe.ts';

export interface FleetSources {
  provider: CapacityProvider;
  /** Every worker as it is now: the platform's list joined with each worker's own answer. */
  observe: () => Promise<ObservedWorker[]>;
}

export function createFleetSources(fleet: FleetConfig, log?: ProviderLog): FleetSources {
  const provider = createProvider(fleet, log);
  const probe = createProbe({ costs: fleet.costs });
  return {
    provider,
    observe: () => observeWorkers({ provider, probe, bootTimeoutMs: fleet.bootTimeout, now: Date.now }),
  };
}
