// What a provider's folder tells of itself without being loaded: its part of the configuration, and how to make one.
import type { z } from 'zod';
import type { CapacityProvider, ProviderLog } from './provider.ts';

export interface ProviderContext {
  /** The fleet's name. */
  fleet: string;
  log?: ProviderLog | undefined;
}

/** Something of its settings that no two fleets may share, such as a folder. */
export interface Claim {
  /** Inside `fleet.capacity`. */
  path: (string | number)[];
  value: string;
}

export interface ProviderKind<S extends z.ZodType<{ provider: string }> = z.ZodType<{ provider: string }>> {
  /** `fleet.capacity`, told apart by `provider`. */
  settings: S;
  /** Variables of the environment that stand for keys of it, in every fleet of this provider. */
  environment?: Readonly<Record<string, string>>;
  claims?(settings: z.output<S>): Claim[];
  /** What to do when two fleets claim the same. */
  claimRemedy?: string;
  /** CPU cores of the largest worker there can be. Absent where only the platform knows. */
  largestCores?(settings: z.output<S>): number;
  /** Its workers are processes of this machine and see its files. */
  sharesFiles?: boolean;
  /** Loads what it needs only now: clients of clouds are large. */
  create(settings: z.output<S>, context: ProviderContext): Promise<CapacityProvider>;
}

export function defineProvider<S extends z.ZodType<{ provider: string }>>(kind: ProviderKind<S>): ProviderKind<S> {
  return kind;
}
