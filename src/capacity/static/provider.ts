// A fixed list of workers that somebody else runs: they are used, never launched, drained or removed.
import { CapacityError, type CapacityProvider } from '../provider.ts';
import type { StaticCapacity } from './config.ts';

export function createStaticProvider({ workers }: StaticCapacity): CapacityProvider {
  return {
    kind: 'static',
    limits: {
      minWorkers: workers.length,
      maxWorkers: workers.length,
      coresPerWorker: Math.max(...workers.map(({ cpuCores }) => cpuCores)),
    },
    async list() {
      return workers.map(({ id, topic = id, healthUrl, metricsUrl, cpuCores }) => ({
        id,
        topic,
        state: 'running' as const,
        launchedAtMs: 0,
        healthUrl,
        ...(metricsUrl === undefined ? {} : { metricsUrl }),
        cpuCores,
        owned: false,
      }));
    },
    async launch() {
      throw new CapacityError(
        'configuration',
        'fleet.capacity.provider "static" launches no workers: add them to fleet.capacity.workers, or use another provider',
      );
    },
    async drain() {},
    async remove() {},
    async check() {
      const topics = workers.map(({ id, topic = id }) => topic);
      return [
        ...twice(workers.map(({ id }) => id)).map(
          (id) => `fleet.capacity.workers names "${id}" twice: give each worker an id of its own`,
        ),
        ...twice(topics).map(
          (topic) =>
            `fleet.capacity.workers has the topic "${topic}" twice: give each worker a cluster_id of its own, and name it here`,
        ),
      ];
    },
  };
}

function twice(names: string[]): string[] {
  return names.filter((name, index) => names.indexOf(name) !== index);
}
