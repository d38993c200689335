// From the configuration to a capacity provider. A new provider is one file beside this one and one line here.
import type { FleetConfig } from '../config.ts';
import { createKubernetesProvider } from './kubernetes.ts';
import { createProcessProvider } from './process.ts';
import type { CapacityProvider, ProviderLog } from './provider.ts';
import { createStaticProvider } from './static.ts';

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
