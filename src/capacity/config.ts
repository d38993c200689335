// `fleet.capacity`: what each provider needs to know; its own part lies in its folder.
import { z } from 'zod';
import { kubernetesCapacity } from './kubernetes/config.ts';
import { processCapacity } from './process/config.ts';
import { staticCapacity } from './static/config.ts';

export const capacity = z.discriminatedUnion('provider', [processCapacity, staticCapacity, kubernetesCapacity], {
  error: ({ input }) =>
    input === undefined
      ? 'needs a provider, for example {provider: static, workers: [{id: egress-1, healthUrl: http://egress-1:9090, cpuCores: 4}]}'
      : undefined,
});

/** Undefined where the platform knows. */
export function largestWorkerCores(settings: z.output<typeof capacity>): number | undefined {
  switch (settings.provider) {
    case 'process':
      return settings.coresPerWorker;
    case 'static':
      return Math.max(...settings.workers.map(({ cpuCores }) => cpuCores));
    case 'kubernetes':
      return undefined;
  }
}
