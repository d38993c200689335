// Asks Temporal again while it is away or overloaded: at the start of a process a slow answer is no reason to end.

import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, withJitter } from '../common/backoff.ts';
import { messageOf } from '../common/error-message.ts';
import type { Log } from '../telemetry/log.ts';
import { grpcCode } from './grpc.ts';

const RETRY = { firstMs: 250, maxMs: 10_000 };
/** gRPC's deadline exceeded, resource exhausted, unavailable. */
const PASSING = new Set([4, 8, 14]);

/** @throws what is no passing failure, and whatever fails once `stopping` */
export async function patiently<T>(call: () => Promise<T>, log: Pick<Log, 'warn'>, stopping: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      if (!PASSING.has(grpcCode(error) ?? 0) || stopping.aborted) throw error;
      const delayMs = withJitter(backoffMs(RETRY, tries));
      log.warn({ retryInMs: delayMs, problem: messageOf(error) }, 'Temporal did not answer in time; it is asked again');
      await sleep(delayMs, undefined, { signal: stopping }).catch(() => undefined);
    }
  }
}
