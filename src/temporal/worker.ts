// The Temporal worker of this process: runs the workflows and activities of Reelkit. Its logs go to the process' log, its
// metrics to the process' /metrics.

import { createServer } from 'node:net';
import {
  DefaultLogger,
  type InjectedSinks,
  type LogEntry,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import { defined } from '../common/defined.ts';
import { mediaTaskQueue } from '../common/media-queue.ts';
import type { Log } from '../telemetry/log.ts';
import type { MeasureSinks } from '../workflows/measures.ts';
import type { TemporalSettings } from './client.ts';
import type { PayloadKeys } from './codec.ts';
import { workerDataConverter } from './converter.ts';
import { loadWorkflowBundle } from './workflow-bundle.ts';

export interface TemporalWorker {
  isRunning: () => boolean;
  /** Settles when the worker has ended; rejects when it broke. */
  done: Promise<void>;
  /** Takes no new task, and lets running activities end within the grace time. */
  stop: () => Promise<void>;
  close: () => Promise<void>;
  /** Prometheus text of the SDK itself. */
  metricsText: () => Promise<string>;
}

export interface TemporalWorkerSettings {
  temporal: TemporalSettings;
  taskQueue: string;
  /** Served as well, on a task queue of their own, a few at a time. */
  mediaActivities?: object | undefined;
  keys: PayloadKeys;
  shutdownGraceMs: number;
}

/** Activities of this process at once: nearly all of them wait for LiveKit. */
const CONCURRENT_ACTIVITIES = 400;

/** Each uses a core, and a disk. */
const CONCURRENT_MEDIA = 2;

export async function startTemporalWorker(
  settings: TemporalWorkerSettings,
  activities: object,
  sinks: InjectedSinks<MeasureSinks>,
  log: Log,
): Promise<TemporalWorker> {
  const metricsAddress = await installRuntime(log);
  const { address, namespace, connectionOptions } = settings.temporal;
  const [connection, workflowBundle] = await Promise.all([
    NativeConnection.connect({ ...connectionOptions, address }),
    loadWorkflowBundle(log),
  ]);
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue: settings.taskQueue,
    workflowBundle,
    activities,
    sinks,
    dataConverter: workerDataConverter(settings.keys),
    maxConcurrentActivityTaskExecutions: CONCURRENT_ACTIVITIES,
    workflowTaskPollerBehavior: { type: 'autoscaling', initial: 5, minimum: 2, maximum: 20 },
    activityTaskPollerBehavior: { type: 'autoscaling', initial: 5, minimum: 2, maximum: 20 },
    shutdownGraceTime: settings.shutdownGraceMs,
    ...versioning(),
  });
  const workers = [worker];
  if (settings.mediaActivities)
    workers.push(
      await Worker.create({
        connection,
        namespace,
        taskQueue: mediaTaskQueue(settings.taskQueue),
        activities: settings.mediaActivities,
        dataConverter: workerDataConverter(settings.keys),
        maxConcurrentActivityTaskExecutions: CONCURRENT_MEDIA,
        shutdownGraceTime: settings.shutdownGraceMs,
      }),
    );
  const done = Promise.all(workers.map((one) => one.run())).then(() => undefined);
  // The owner awaits `done`; until it does, a failure is not an unhandled rejection.
  done.catch(() => undefined);
  return {
    isRunning: () => workers.every((one) => one.getState() === 'RUNNING'),
    done,
    async stop() {
      for (const one of workers) if (one.getState() === 'RUNNING') one.shutdown();
      await done;
    },
    close: () => connection.close(),
    metricsText: async () => (await fetch(`http://${metricsAddress}/metrics`)).text(),
  };
}

/** The variables that temporal-worker-controller sets. Without them the worker is not versioned. */
function versioning(env: NodeJS.ProcessEnv = process.env): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  const { TEMPORAL_DEPLOYMENT_NAME: deploymentName, TEMPORAL_WORKER_BUILD_ID: buildId } = env;
  if (!deploymentName || !buildId) return {};
  return {
    workerDeploymentOptions: {
      useWorkerVersioning: true,
      version: { deploymentName, buildId },
      // For workflows that do not say themselves; a recording says PINNED.
      defaultVersioningBehavior: 'AUTO_UPGRADE',
    },
  };
}

let installed: Promise<string> | undefined;

/** The SDK has one runtime a process. @returns where it serves its own metrics */
function installRuntime(log: Log): Promise<string> {
  installed ??= freeLoopbackAddress().then((bindAddress) => {
    Runtime.install({
      logger: new DefaultLogger('DEBUG', (entry) => forward(entry, log)),
      shutdownSignals: [],
      telemetryOptions: {
        logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
        metrics: {
          prometheus: { bindAddress, countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true },
        },
      },
    });
    return bindAddress;
  });
  return installed;
}

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

function forward({ level, message, meta }: LogEntry, log: Log): void {
  const { error, workflowId, ...rest } = (meta ?? {}) as { error?: unknown; workflowId?: unknown };
  const recording = typeof workflowId === 'string' ? /^recording\/(.+)$/.exec(workflowId)?.[1] : undefined;
  log[LEVELS[level]](
    {
      ...defined({ recording, workflowId }),
      ...(error === undefined ? {} : { err: error }),
      temporal: rest,
    },
    message,
  );
}

/** The SDK cannot say which port it took, so it is chosen here. */
function freeLoopbackAddress(): Promise<string> {
  return new Promise((resolve, reject) => {
    const probe = createServer().on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' ? address?.port : 0;
      probe.close(() => resolve(`127.0.0.1:${port}`));
    });
  });
}
