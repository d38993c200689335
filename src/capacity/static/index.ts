// The provider `static`: workers that somebody else runs.
import { defineProvider } from '../kind.ts';
import { staticCapacity } from './config.ts';

export const staticKind = defineProvider({
  settings: staticCapacity,
  claims: ({ workers }) =>
    workers.map(({ id, topic }, index) => ({
      path: ['workers', index, topic === undefined ? 'id' : 'topic'],
      value: topic ?? id,
    })),
  claimRemedy: 'a worker belongs to one fleet: name it in one of them',
  largestCores: ({ workers }) => Math.max(...workers.map(({ cpuCores }) => cpuCores)),
  create: async (settings) => (await import('./provider.ts')).createStaticProvider(settings),
});
