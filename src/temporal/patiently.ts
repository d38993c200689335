// Asks Temporal again while it is away or overloaded: at the start of a process a slow answer is no reason to end.
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../common/error-message.ts';
import type { Log } from '../telemetry/log.ts';
import { grpcCode } from './grpc.ts';

const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 10_000;
/** gRPC's deadline exceeded, resource exhausted, unavailable. */
const PASSING = new Set([4, 8, 14]);

/** @throws what is no passing failure, and whatever fails once `stopping` */
export async function patiently<T>(call: () => Promise<T>, log: Pick<Log, 'warn'>, stopping: AbortSignal): Promise<T> {
  for (let delayMs = RETRY_MIN_MS; ; delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)) {
    try {
      return await call();
    } catch (error) {
      if (!PASSING.has(grpcCode(error) ?? 0) || stopping.aborted) throw error;
      log.warn({ retryInMs: delayMs, problem: messageOf(error) }, 'Temporal did not answer in time; it is asked again');
      await sleep(delayMs, undefined, { signal: stopping }).catch(() => undefined);
    }
  }
}
