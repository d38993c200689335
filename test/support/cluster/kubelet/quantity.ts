// What pods ask for, in cores. Pure.
import type { V1Container, V1Pod } from '@kubernetes/client-node';

const units: Record<string, number> = { n: 1e-9, u: 1e-6, m: 1e-3, '': 1 };

/** In cores. */
export function parseCpu(text: string): number {
  const [, amount, unit = ''] = /^([0-9.]+)([a-z]?)$/.exec(text) ?? [];
  const factor = units[unit];
  if (amount === undefined || factor === undefined) throw new Error(`"${text}" is no quantity of cpu`);
  return Number(amount) * factor;
}

export function requestedCpu({ resources }: V1Container): number {
  return parseCpu(resources?.requests?.cpu ?? resources?.limits?.cpu ?? '0');
}

export function requestedCores({ spec }: V1Pod): number {
  return (spec?.containers ?? []).reduce((sum, container) => sum + requestedCpu(container), 0);
}
