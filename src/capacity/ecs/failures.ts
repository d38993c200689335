// Why RunTask placed nothing although it answered: `failures[].reason` (ECS API failure reasons). Pure.
import type { Failure } from '@aws-sdk/client-ecs';
import { CapacityError, type CapacityErrorKind } from '../provider.ts';

/** By the reason's first word; what is not listed is for a person. */
const KINDS: Record<string, CapacityErrorKind> = {
  RESOURCE: 'no_capacity',
  AGENT: 'retryable',
  EMPTY_CAPACITY_PROVIDER: 'no_capacity',
  NO_ACTIVE_INSTANCES: 'no_capacity',
  // Fargate says whole sentences, and has no codes for them.
  CAPACITY: 'no_capacity',
  YOU: 'no_capacity',
};

export function failureOf(failure: Failure | undefined, doing: string): CapacityError {
  const { reason = 'no reason given', detail } = failure ?? {};
  const code = codeOf(reason);
  const message = `could not ${doing}: ECS placed no task: ${reason}${detail ? ` (${detail})` : ''}`;
  return new CapacityError(KINDS[code.split(':')[0] ?? ''] ?? 'configuration', message, {
    code: code.replaceAll(/\W+/g, '_'),
  });
}

/** `RESOURCE:CPU` as it is; of a sentence its first word, or two that are written in capitals. */
function codeOf(reason: string): string {
  if (/^[A-Z]+(:[A-Z]+)?$/.test(reason)) return reason;
  if (/^[A-Z ]+$/.test(reason)) return reason.replaceAll(' ', '_');
  return (/^\w+/.exec(reason)?.[0] ?? 'FAILED').toUpperCase();
}
