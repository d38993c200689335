// The provider `ecs`: workers are standalone tasks, on Fargate or on instances.
import { defineProvider } from '../kind.ts';
import { ecsCapacity } from './config.ts';

export const ecsKind = defineProvider({
  settings: ecsCapacity,
  claims: ({ region = '', cluster, taskDefinition }) => [
    { path: ['taskDefinition'], value: `${region} ${cluster} ${taskDefinition.split(':')[0]}` },
  ],
  claimRemedy: 'give each fleet a task definition family of its own',
  create: async (settings, context) => (await import('./provider.ts')).createEcsProvider(settings, context),
});
