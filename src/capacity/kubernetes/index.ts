// The provider `kubernetes`: workers are pods that Reelkit makes itself.
import { defineProvider } from '../kind.ts';
import { kubernetesCapacity } from './config.ts';

export const kubernetesKind = defineProvider({
  settings: kubernetesCapacity,
  create: async (settings, context) => (await import('./provider.ts')).createKubernetesProvider(settings, context),
});
