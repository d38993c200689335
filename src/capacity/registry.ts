// From the configuration to a capacity provider. A new provider is one folder beside this one, a line here and one in config.ts.
import type { FleetConfig } from '../config/fleet.ts';
import { createKubernetesProvider } from './kubernetes/provider.ts';
import { createProcessProvider } from './process/provider.ts';
import type { CapacityProvider, ProviderLog } from './provider.ts';
import { createStaticProvider } from './static/provider.ts';

export function createProvider(fleet: FleetConfig, log?: ProviderLog): CapacityProvider {
  const { capacity, minWorkers, maxWorkers } = fleet;
  switch (capacity.provider) {
    case 'kubernetes':
      return createKubernetesProvider(capacity, { fleet: fleet.name, minWorkers, maxWorkers, log });
    case 'process':
      return createProcessProvider(capacity, { minWorkers, maxWorkers, coresPerWorker: capacity.coresPerWorker });
    case 'static':
      return createStaticProvider(capacity);
  }
}
