// From the configuration to a capacity provider. A new provider is one file beside this one and one line here.
import type { FleetConfig } from '../config.ts';
import { createProcessProvider } from './process.ts';
import type { CapacityProvider } from './provider.ts';
import { createStaticProvider } from './static.ts';

export function createProvider(fleet: FleetConfig): CapacityProvider {
  const { capacity, minWorkers, maxWorkers } = fleet;
  switch (capacity.provider) {
    case 'process':
      return createProcessProvider(capacity, { minWorkers, maxWorkers, coresPerWorker: capacity.coresPerWorker });
    case 'static':
      return createStaticProvider(capacity);
  }
}
