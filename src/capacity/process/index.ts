// The provider `process`: workers are processes of this machine.
import { defineProvider } from '../kind.ts';
import { processCapacity } from './config.ts';

export const processKind = defineProvider({
  settings: processCapacity,
  environment: { REELKIT_EGRESS_BIN: 'bin' },
  claims: ({ stateDir }) => [{ path: ['stateDir'], value: stateDir }],
  claimRemedy: 'give each fleet a folder of its own, or both adopt the same workers',
  largestCores: ({ coresPerWorker }) => coresPerWorker,
  sharesFiles: true,
  create: async (settings) => (await import('./provider.ts')).createProcessProvider(settings),
});
