// How long the fleet waits before it launches again after the provider refused or workers died while booting. Pure.
import { backoffMs } from '../common/backoff.ts';
import { cutToBytes } from '../recording/bytes.ts';
import type { FleetMemory } from './observation.ts';

/** Same words as CapacityErrorKind in src/capacity/provider.ts, which this folder may not import. */
export interface LaunchRefusal {
  kind: 'retryable' | 'no_capacity' | 'configuration';
  message: string;
  retryAfterMs?: number | undefined;
}

const DELAYS = {
  retryable: { firstMs: 2_000, maxMs: 60_000 },
  no_capacity: { firstMs: 15_000, maxMs: 120_000 },
  // A person must act; a fixed configuration should not wait long for its effect.
  configuration: { firstMs: 30_000, maxMs: 120_000 },
} as const;
/** Platforms say as much as they like. */
const PROBLEM_BYTES = 500;
const BOOT = { firstMs: 10_000, maxMs: 300_000 };

function launchBackoffMs({ kind, retryAfterMs }: LaunchRefusal, failures: number): number {
  return retryAfterMs ?? backoffMs(DELAYS[kind], failures);
}

/** Nothing after the first failure: a single lost worker is replaced at once. */
export function bootBackoffMs(failures: number): number {
  return failures <= 1 ? 0 : backoffMs(BOOT, failures - 1);
}

export function afterLaunch(
  memory: FleetMemory,
  result: { launched: readonly string[]; refusal?: LaunchRefusal },
  nowMs: number,
): FleetMemory {
  const expected = result.launched
    .filter((id) => !(id in memory.workers))
    .map((id) => [id, { expectedSinceMs: nowMs }]);
  const workers = { ...memory.workers, ...Object.fromEntries(expected) };
  if (!result.refusal) return { ...withoutProblem(memory), workers, launchFailures: 0 };
  const launchFailures = memory.launchFailures + 1;
  const launchNotBeforeMs = nowMs + launchBackoffMs(result.refusal, launchFailures);
  return {
    ...memory,
    workers,
    launchFailures,
    launchNotBeforeMs,
    lastProblem: cutToBytes(result.refusal.message, PROBLEM_BYTES, '…'),
  };
}

function withoutProblem(memory: FleetMemory): FleetMemory {
  const { lastProblem: _, ...rest } = memory;
  return rest;
}
