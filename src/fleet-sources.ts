// Where this process learns of the egress workers: one provider, one probe and one look at the bus, shared by the activities and the
// API.
import { observeWorkers } from './activities/fleet-workers.ts';
import type { CapacityProvider, ProviderLog } from './capacity/provider.ts';
import { createProvider } from './capacity/registry.ts';
import type { FleetConfig } from './config/fleet.ts';
import type { ObservedWorker, Sight } from './fleet/observation.ts';
import type { Presence } from './livekit/presence.ts';
import { createProbe } from './livekit/probe.ts';

export interface FleetSources {
  provider: CapacityProvider;
  presence: Presence;
  /** Every worker and every egress as they are now: the platform's list, each worker's own answer and the bus, joined. */
  see: () => Promise<Sight>;
  /** The workers alone. */
  observe: () => Promise<ObservedWorker[]>;
}

export function createFleetSources(fleet: FleetConfig, presence: Presence, log?: ProviderLog): FleetSources {
  const provider = createProvider(fleet, log);
  const probe = createProbe({ costs: fleet.costs });
  const see = () => observeWorkers({ provider, probe, presence, bootTimeoutMs: fleet.bootTimeout, now: Date.now });
  return { provider, presence, see, observe: async () => (await see()).workers };
}

/** For who only asks the provider, or has no Redis of workers: nobody can be looked for there. */
export const NO_PRESENCE: Presence = {
  workers: noBus,
  egresses: noBus,
  cordon: noBus,
  uncordon: noBus,
  cordoned: noBus,
  epoch: () => 0,
};

function noBus(): Promise<never> {
  return Promise.reject(new Error('no Redis of the workers is configured'));
}
