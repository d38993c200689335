// What the Temporal worker of this process may do, put together from the configuration.
import type { Client } from '@temporalio/client';
import type { InjectedSinks } from '@temporalio/worker';
import { createDeliveryActivities } from '../activities/delivery.ts';
import { createFilesActivities } from '../activities/files.ts';
import { createFleetActivities } from '../activities/fleet.ts';
import type { FleetKicker } from '../activities/kick.ts';
import { createMediaActivities, removeOldFolders } from '../activities/media.ts';
import { createProtectBusy } from '../activities/protect-busy.ts';
import { createRecordingActivities, type FleetDoor } from '../activities/recording.ts';
import type { Recordings } from '../api/recordings/recordings.ts';
import type { Config } from '../config/schema.ts';
import { createAddressGuard } from '../delivery/address-guard.ts';
import type { Arrivals } from '../fleet/arrivals.ts';
import type { Demand } from '../fleet/demand.ts';
import { createNextLooks } from '../fleet/next-looks.ts';
import type { ObservedWorker } from '../fleet/observation.ts';
import { createAttendance } from '../livekit/attendance.ts';
import type { LiveKitClient } from '../livekit/client.ts';
import type { Departures } from '../livekit/departures.ts';
import type { Grants } from '../livekit/grants.ts';
import { createQueueBoard } from '../livekit/queue-board.ts';
import { createLiveKitRecords } from '../livekit/records.ts';
import { createRoomWatch } from '../livekit/room-watch.ts';
import { createWorkers, WorkerRefusal, WorkerSilent, type Workers } from '../livekit/workers.ts';
import { findTools } from '../media/ffmpeg.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { first } from '../temporal/visibility-calls.ts';
import type { MeasureSinks } from '../workflows/measures.ts';
import { participantsLeftSignal, recordingWorkflowId } from '../workflows/messages.ts';
import type { Buses } from './buses.ts';
import type { FleetSources } from './fleet-sources.ts';

/** Who starts waits for it. */
const COUNT_MS = 4_000;

export interface ActivityParts {
  buses: Buses;
  config: Config;
  client: Client;
  livekit: LiveKitClient;
  grants: Grants;
  departures: Pick<Departures, 'after'>;
  metrics: Metrics;
  log: Log;
  /** The one that serves what names none first. */
  fleets: readonly FleetSources[];
  arrivals: Arrivals;
  kickFleet: FleetKicker;
  recordings: Pick<Recordings, 'show'>;
}

export function createServiceActivities(parts: ActivityParts): object {
  const { buses, config, client, livekit, grants, departures, metrics, log, fleets, arrivals, kickFleet } = parts;
  const { livekit: livekitConfig } = config;
  const workers = createWorkers(buses.workers.client);
  const board = createQueueBoard(buses.workers.transport);
  const rooms = createRoomWatch({ livekit, log });
  const attendance = createAttendance(rooms, (id, sinceMs) => {
    const told = client.workflow.getHandle(recordingWorkflowId(id)).signal(participantsLeftSignal, { sinceMs });
    told.catch((error: unknown) => log.warn({ recordingId: id, error: String(error) }, 'it could not be told to stop'));
  });
  const nextLooks = createNextLooks();
  const door = ({ settings, provider, choice, observe }: FleetSources): FleetDoor => ({
    choice,
    looksSoon: () => settings.headroomCores === 0 && nextLooks.comes(settings.name, Date.now(), settings.watchInterval),
    protectBusy: createProtectBusy(provider, observe, (problem) =>
      log.warn({ fleet: settings.name, problem }, 'a busy worker could not be protected; the next pass tries again'),
    ),
  });
  return {
    ...createRecordingActivities({
      livekit,
      livekitKeys: livekitConfig,
      records: createLiveKitRecords(buses.livekit.client),
      workers,
      grants,
      departures,
      fleets: new Map(fleets.map((fleet) => [fleet.settings.name, door(fleet)])),
      temporal: client,
      countFirst: (query) =>
        client.withDeadline(Date.now() + COUNT_MS, () =>
          first(client, async () => (await client.workflow.count(query)).count),
        ),
      kickFleet,
      rooms,
      log,
      storages: config.storages,
      placeOf: board.placeOf,
      metrics,
    }),
    ...createFilesActivities({ storages: config.storages }),
    ...createDeliveryActivities({
      client,
      taskQueue: config.temporal.taskQueue,
      sending: {
        keys: [livekitConfig, ...config.api.keys],
        receivers: config.webhooks.receivers,
        guard: createAddressGuard(config.webhooks.allow),
      },
      metrics,
      show: (id) => parts.recordings.show(id),
    }),
    ...createFleetActivities({
      client,
      fleets,
      stopEgress: (egressId) => stopIfItRuns(workers, egressId),
      log,
      arrivals,
      attendance,
      onPass: (fleet, { durationMs, observation, plan, problem }) => {
        fleets.find(({ settings: { name } }) => name === fleet)?.launchProblem.note(problem);
        // Without it nobody's place is known; the next pass writes it.
        if (plan.demand.behind.length > 0) board.write(fleet, plan.demand.places).catch(() => undefined);
        nextLooks.passed(fleet, Date.now(), plan.nextPassInMs);
        metrics.pass(fleet, { durationMs, decided: plan.line !== undefined });
        metrics.workers(fleet, countByState(observation.workers));
        metrics.cores(fleet, {
          demand: demandCores(observation.workers, plan.demand),
          capacity: readyCores(observation.workers),
        });
      },
    }),
  };
}

/** Undefined where there is no ffmpeg: another process does that work. */
export async function createServiceMediaActivities({ storages }: Config, log: Log): Promise<object | undefined> {
  const tools = await findTools();
  if (!tools) {
    log.info({}, 'no ffmpeg and ffprobe on PATH: files are put together by other processes, or not at all');
    return undefined;
  }
  // Nobody waits for it.
  removeOldFolders().catch(() => undefined);
  return createMediaActivities({ tools, storages });
}

/** Ended, or on no worker: there is nothing to stop. */
async function stopIfItRuns(workers: Workers, egressId: string): Promise<void> {
  try {
    await workers.stop(egressId);
  } catch (error) {
    if (!(error instanceof WorkerRefusal || error instanceof WorkerSilent)) throw error;
  }
}

/** What workflows may tell this process. */
export function createServiceSinks(metrics: Pick<Metrics, 'started'>): InjectedSinks<MeasureSinks> {
  return { measures: { started: { fn: (_, spent) => metrics.started(spent), callDuringReplay: false } } };
}

function countByState(workers: ObservedWorker[]): Record<string, number> {
  const counts: Record<string, number> = { booting: 0, idle: 0, busy: 0, draining: 0, unreachable: 0 };
  for (const { state, egresses } of workers) {
    const key = state === 'ready' ? (egresses.length > 0 ? 'busy' : 'idle') : state;
    if (key in counts) counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

function readyCores(workers: ObservedWorker[]): number {
  return workers
    .filter(({ state }) => state === 'ready' || state === 'booting')
    .reduce((sum, { cpuCores }) => sum + cpuCores, 0);
}

function demandCores(workers: ObservedWorker[], { inFlight, admit, behind, setAside }: Demand): number {
  const running = workers.flatMap(({ egresses }) => egresses);
  return [...running, ...inFlight, ...admit, ...behind, ...setAside].reduce((sum, { costCores }) => sum + costCores, 0);
}
