// The provider `asg`: workers are EC2 instances of an Auto Scaling group.
import { defineProvider } from '../kind.ts';
import { asgCapacity } from './config.ts';

export const asgKind = defineProvider({
  settings: asgCapacity,
  claims: ({ region = '', group }) => [{ path: ['group'], value: `${region} ${group}` }],
  claimRemedy: 'give each fleet a group of its own',
  largestCores: ({ coresPerWorker }) => coresPerWorker,
  create: async (settings, context) => (await import('./provider.ts')).createAsgProvider(settings, context),
});
