// The orderly end of the process: named phases in order, each with a limit of its own. A phase that overruns is left behind
// and said so; a second signal ends the process at once.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../telemetry/log.ts';

export interface Phase {
  name: string;
  limitMs: number;
  run: () => Promise<unknown> | undefined;
}

export interface PhaseResult {
  name: string;
  outcome: 'done' | 'overran' | 'failed';
  durationMs: number;
}

export async function runPhases(phases: readonly Phase[], log: Log): Promise<PhaseResult[]> {
  const results: PhaseResult[] = [];
  for (const phase of phases) {
    const result = await runPhase(phase, log);
    log.info({ ...result }, `shutdown: ${result.name} ${result.outcome}`);
    results.push(result);
  }
  return results;
}

async function runPhase({ name, limitMs, run }: Phase, log: Log): Promise<PhaseResult> {
  const sinceMs = performance.now();
  const limit = new AbortController();
  const overrun = sleep(limitMs, 'overran' as const, { signal: limit.signal });
  overrun.catch(() => undefined);
  try {
    const outcome = await Promise.race([Promise.resolve(run()).then(() => 'done' as const), overrun]);
    return { name, outcome, durationMs: Math.round(performance.now() - sinceMs) };
  } catch (err) {
    log.error({ err }, `shutdown: ${name} failed`);
    return { name, outcome: 'failed', durationMs: Math.round(performance.now() - sinceMs) };
  } finally {
    limit.abort();
  }
}

/** The first SIGTERM or SIGINT asks `stop`; the second one exits with the shell's code for it. */
export function stopOnSignals(stop: (signal: NodeJS.Signals) => void, log: Log): void {
  const codes: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 130, SIGTERM: 143 };
  let asked = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (asked) {
        log.warn({ signal }, 'second signal: exit at once');
        process.exit(codes[signal]);
      }
      asked = true;
      log.info({ signal }, 'shutdown begins; a second signal ends the process at once');
      stop(signal);
    });
  }
}
