// Every capacity provider there is. A new one is a folder beside this file and a line in the list; nothing else names it.
import { z } from 'zod';
import { asgKind } from './asg/index.ts';
import { ecsKind } from './ecs/index.ts';
import { type AskWorker, type Capacity, guardProvider } from './guard.ts';
import type { Claim, ProviderContext, ProviderKind } from './kind.ts';
import { kubernetesKind } from './kubernetes/index.ts';
import { processKind } from './process/index.ts';
import { staticKind } from './static/index.ts';

const KINDS = [processKind, staticKind, kubernetesKind, ecsKind, asgKind] as const;

type SettingsOf<K extends readonly { settings: unknown }[]> = { -readonly [I in keyof K]: K[I]['settings'] };
const SETTINGS = KINDS.map(({ settings }) => settings) as unknown as SettingsOf<typeof KINDS>;

/** `fleet.capacity`. */
export const capacitySettings = z.discriminatedUnion('provider', SETTINGS, {
  error: ({ input }) =>
    input === undefined
      ? 'needs a provider, for example {provider: static, workers: [{id: egress-1, healthUrl: http://egress-1:9090, cpuCores: 4}]}'
      : undefined,
});
export type CapacitySettings = z.output<typeof capacitySettings>;

export async function createCapacity(
  settings: CapacitySettings,
  { askWorker, ...context }: ProviderContext & { askWorker: AskWorker },
): Promise<Capacity> {
  return guardProvider(await kindOf(settings.provider).create(settings, context), askWorker);
}

/** What no two fleets may share, and what to do about it. */
export function claimsOf(settings: CapacitySettings): { claims: Claim[]; remedy: string } {
  const { claims, claimRemedy = 'give each fleet its own' } = kindOf(settings.provider);
  return { claims: claims?.(settings) ?? [], remedy: claimRemedy };
}

/** Undefined where only the platform knows. */
export function largestWorkerCores(settings: CapacitySettings): number | undefined {
  return kindOf(settings.provider).largestCores?.(settings);
}

/** Its workers see the files of this machine. */
export function sharesFiles({ provider }: CapacitySettings): boolean {
  return kindOf(provider).sharesFiles ?? false;
}

/** Variable -> key of `fleet.capacity`, for fleets of this provider. */
export function capacityVariables(provider: unknown): Readonly<Record<string, string>> {
  return KINDS.find(({ settings }) => settings.shape.provider.value === provider)?.environment ?? {};
}

function kindOf(provider: CapacitySettings['provider']): ProviderKind {
  return KINDS.find(({ settings }) => settings.shape.provider.value === provider) as unknown as ProviderKind;
}
