// A fixed list of workers that somebody else runs: they are used, never launched, drained or removed.
import { defined } from '../../common/defined.ts';
import { CapacityError, type CapacityProvider } from '../provider.ts';
import type { StaticCapacity } from './config.ts';

export function createStaticProvider({ workers }: StaticCapacity): CapacityProvider {
  return {
    kind: 'static',
    limits: { fixedWorkers: workers.length, coresPerWorker: Math.max(...workers.map(({ cpuCores }) => cpuCores)) },
    async list() {
      const listed = workers.map(({ id, topic = id, healthUrl, metricsUrl, cpuCores }) => ({
        id,
        topic,
        state: 'running' as const,
        launchedAtMs: 0,
        healthUrl,
        ...defined({ metricsUrl }),
        cpuCores,
        owned: false,
      }));
      return { workers: listed, asOfMs: Date.now() };
    },
    async launch() {
      throw new CapacityError(
        'configuration',
        'fleet.capacity.provider "static" launches no workers: add them to fleet.capacity.workers, or use another provider',
      );
    },
    async drain() {},
    async remove() {},
    /** There is nothing to launch, and so nothing that could fail. */
    check: async () => [],
  };
}
