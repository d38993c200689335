// Is what this process needs there? Asked of each dependency, remembered for a moment.
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { Bus, Buses } from '../service/buses.ts';
import { hideUrl } from '../telemetry/log.ts';
import { namespaceProblem, type TemporalSettings } from '../temporal/client.ts';
import { cached } from './cached.ts';
import type { ReadReadiness } from './routes/service.ts';

const FRESH_MS = 1_000;
const CALL_MS = 2_000;

export interface ReadinessParts {
  client: Client;
  settings: TemporalSettings;
  livekitUrl: string;
  taskQueue: string;
  stopping: AbortSignal;
  /** Undefined until both were reached for the first time. */
  buses: () => Buses | undefined;
  /** Absent in a process without the Temporal worker: then any poller of the task queue counts. */
  workerRuns?: () => boolean;
}

type Check = { ok: boolean; detail: string };

export function createReadiness(parts: ReadinessParts): ReadReadiness {
  const check = cached(FRESH_MS, async () => {
    const [temporalCheck, livekit, worker] = await Promise.all([
      checkTemporal(parts),
      checkLiveKit(parts.livekitUrl),
      checkWorker(parts),
    ]);
    return { temporal: temporalCheck, livekit, ...busChecks(parts.buses()), temporalWorker: worker };
  });
  return async () => {
    const checks: Record<string, Check> = await check();
    if (parts.stopping.aborted) checks.process = { ok: false, detail: 'is shutting down' };
    const ready = Object.values(checks).every(({ ok }) => ok);
    return { status: ready ? 'ready' : 'not_ready', checks };
  };
}

async function checkTemporal({ client, settings }: ReadinessParts): Promise<Check> {
  const problem = await namespaceProblem(client, settings, CALL_MS);
  return problem ? { ok: false, detail: problem } : { ok: true, detail: `namespace ${settings.namespace} answers` };
}

/** The server's root answers `OK` without a token. */
export async function checkLiveKit(url: string): Promise<Check> {
  const http = url.replace(/^ws/, 'http');
  try {
    const response = await fetch(http, { signal: AbortSignal.timeout(CALL_MS) });
    await response.body?.cancel();
    return response.ok
      ? { ok: true, detail: 'answers' }
      : { ok: false, detail: `LiveKit at ${hideUrl(http)} answered ${response.status}: check LIVEKIT_URL` };
  } catch (error) {
    return {
      ok: false,
      detail: `LiveKit does not answer at ${hideUrl(http)}: start it, or set LIVEKIT_URL (${reason(error)})`,
    };
  }
}

function busChecks(buses: Buses | undefined): Record<'livekitRedis' | 'workersRedis', Check> {
  return { livekitRedis: checkBus(buses?.livekit), workersRedis: checkBus(buses?.workers) };
}

function checkBus(bus: Bus | undefined): Check {
  const health = bus?.transport.health() ?? { ok: false, problem: 'not connected yet' };
  return { ok: health.ok, detail: health.ok ? 'answers' : (health.problem ?? 'does not answer') };
}

async function checkWorker({ workerRuns, client, settings, taskQueue }: ReadinessParts): Promise<Check> {
  if (workerRuns) {
    return workerRuns()
      ? { ok: true, detail: 'runs in this process' }
      : { ok: false, detail: 'the Temporal worker of this process does not run (yet); its log says why' };
  }
  const missing = { ok: false, detail: `no Temporal worker polls task queue ${taskQueue}: start \`reelkit worker\`` };
  try {
    const { pollers } = await client.withDeadline(Date.now() + CALL_MS, () =>
      client.workflowService.describeTaskQueue({
        namespace: settings.namespace,
        taskQueue: { name: taskQueue },
        taskQueueType: proto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
      }),
    );
    return pollers.length > 0 ? { ok: true, detail: `${pollers.length} poll task queue ${taskQueue}` } : missing;
  } catch {
    return missing;
  }
}

function reason(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
