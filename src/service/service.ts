// The life of one Reelkit process: what it is made of, in which order it starts, and in which order it ends.
import type { Server } from 'node:http';
import { createFleetKicker, type FleetKicker } from '../activities/kick.ts';
import { createApp, createServiceApp, type HttpParts } from '../api/app.ts';
import { createTemporalDeliveries } from '../api/deliveries/temporal-deliveries.ts';
import { createFleetReader } from '../api/fleet/fleet-reader.ts';
import { createReadiness } from '../api/readiness.ts';
import type { Recordings } from '../api/recordings/recordings.ts';
import { createStageCounter } from '../api/recordings/stage-counter.ts';
import { createTemporalRecordings } from '../api/recordings/temporal-recordings.ts';
import { withPlaces } from '../api/recordings/with-places.ts';
import { roomTooLarge } from '../config/fleets.ts';
import { type Config, defaultStorageOf } from '../config/schema.ts';
import { createAddressGuard } from '../delivery/address-guard.ts';
import { type Arrivals, createArrivals } from '../fleet/arrivals.ts';
import { createLiveKitClient, type LiveKitClient } from '../livekit/client.ts';
import { createDepartures, type Departures } from '../livekit/departures.ts';
import { createGrants } from '../livekit/grants.ts';
import { createPresence, type Presence, type PresenceWatch } from '../livekit/presence.ts';
import { createQueueBoard } from '../livekit/queue-board.ts';
import { reportOf } from '../livekit/record.ts';
import { createHintOf } from '../livekit/webhook.ts';
import { createLog, type Log } from '../telemetry/log.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import {
  createTemporalClient,
  namespaceId,
  readTemporalSettings,
  type TemporalSettings,
  untilTemporalAnswers,
} from '../temporal/client.ts';
import { createPayloadCodec } from '../temporal/codec.ts';
import { keyProblem } from '../temporal/key-check.ts';
import { type Keyring, loadKeyring } from '../temporal/keys.ts';
import { patiently } from '../temporal/patiently.ts';
import { ensureSearchAttributes } from '../temporal/search-attributes.ts';
import type { TemporalWorker } from '../temporal/worker.ts';
import { type Buses, connectBuses, lateTransport } from './buses.ts';
import { type Door, openDoor } from './door.ts';
import { capacityProblems, createFleetSources, type FleetSources } from './fleet-sources.ts';
import { drained, listenOn, urlOf } from './http-server.ts';
import { type FleetKeeper, keepFleets } from './keep-fleets.ts';
import { type Neighbours, watchNeighbours } from './neighbours.ts';
import { createDrainWorker, createForgiveWorker } from './operate-worker.ts';
import { createPlaceRecording } from './place-recording.ts';
import { createRepair } from './repair.ts';
import { runPhases } from './shutdown.ts';
import { watchWorkers } from './watch-workers.ts';

export interface ServiceParts {
  api: boolean;
  worker: boolean;
}

export interface RunningService {
  /** Where the API listens; absent without the API. */
  url?: string;
  /** Everything runs. Rejects when a person must act: a missing permission, a wrong configuration. */
  ready: Promise<void>;
  /** Orderly; a second call joins the first. */
  stop: () => Promise<void>;
  /** Rejects when the Temporal worker broke; settles once stopped. */
  done: Promise<void>;
}

/** Share of the whole shutdown limit that running activities get to end by themselves. */
const ACTIVITY_GRACE = 0.5;

/** Listens first and connects then, so that /readyz can say what is missing. */
export async function startService(config: Config, parts: ServiceParts, log?: Log): Promise<RunningService> {
  const context = await createContext(config, parts, log ?? createLog(config.logLevel));
  const port = parts.api ? config.api.port : config.temporal.healthPort;
  const server = port === undefined ? undefined : await listen(context, port);
  const ready = prepare(context);
  ready.catch(() => undefined);
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= shutDown(context, server);
    return stopped;
  };
  return {
    ...(server ? { url: urlOf(server, config.api.host) } : {}),
    ready,
    stop,
    done: ready.then(
      () => context.worker?.done.then(() => stopped) ?? context.ended,
      (error) => (context.stopping.signal.aborted ? stopped : Promise.reject(error)),
    ),
  };
}

interface Context {
  config: Config;
  parts: ServiceParts;
  log: Log;
  metrics: Metrics;
  presence: Presence;
  livekit: LiveKitClient;
  fleets: readonly FleetSources[];
  arrivals: Arrivals;
  departures: Departures;
  kickFleet: FleetKicker;
  settings: TemporalSettings;
  temporal: ReturnType<typeof createTemporalClient>;
  keyring: Keyring;
  stopping: AbortController;
  worker?: TemporalWorker;
  buses?: Buses;
  door?: Door;
  neighbours?: Neighbours;
  watch?: PresenceWatch;
  keeper?: FleetKeeper;
  recordings: Recordings;
  ended: Promise<void>;
  end: () => void;
}

async function createContext(config: Config, parts: ServiceParts, log: Log): Promise<Context> {
  const settings = readTemporalSettings();
  const keyring = loadKeyring(config.encryption);
  reportKeys(keyring, log);
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const metrics = createMetrics();
  const { taskQueue, visibilityPerSecond: perSecond } = config.temporal;
  const temporal = createTemporalClient(settings, keyring.keys, { perSecond, called: metrics.visibilityCalled });
  const arrivals = createArrivals();
  const workersBus = lateTransport(() => context.buses?.workers.transport);
  const presence = createPresence(workersBus);
  const fleets = await Promise.all(config.fleets.map((fleet) => createFleetSources(fleet, presence, log)));
  const kickFleet = createFleetKicker(temporal.client, taskQueue);
  const livekit = createLiveKitClient(config.livekit);
  const place = createPlaceRecording({
    choices: new Map(fleets.map((fleet) => [fleet.settings.name, fleet.choice])),
    roomSid: livekit.roomSid,
    wakeFleet: kickFleet,
  });
  const context: Context = {
    config,
    parts,
    log,
    metrics,
    presence,
    livekit,
    fleets,
    arrivals,
    departures: createDepartures(),
    kickFleet,
    recordings: withPlaces(
      createTemporalRecordings(temporal.client, {
        fleets: namesOf(config),
        taskQueue,
        arrivals,
        place,
        lastReportOf: async (id) => {
          const record = await livekit.recordOf(id);
          return record ? reportOf(record) : undefined;
        },
      }),
      createQueueBoard(workersBus),
    ),
    settings,
    temporal,
    keyring,
    stopping: new AbortController(),
    ended,
    end: () => end(),
  };
  return context;
}

function namesOf({ fleets }: Config): string[] {
  return fleets.map(({ name }) => name);
}

function reportKeys({ keys, from }: Keyring, log: Log): void {
  const ids = { encrypts: keys[0].id, keys: keys.map(({ id }) => id) };
  if ('configuration' in from) log.info(ids, 'encryption keys from the configuration');
  else if (!from.created) log.info({ ...ids, file: from.file }, 'encryption keys from their file');
  else
    log.warn(
      { ...ids, file: from.file },
      'an encryption key was made: every Reelkit process needs this file, and nothing that Temporal stores can be read without it',
    );
}

async function listen(context: Context, port: number): Promise<Server> {
  const { host } = context.config.api;
  const server = await listenOn(createHttpApp(context), { host, port });
  context.log.info({ url: urlOf(server, host) }, context.parts.api ? 'API listens' : 'health and metrics');
  return server;
}

function createHttpApp(context: Context) {
  return context.parts.api ? createApiApp(context) : createServiceApp(httpParts(context));
}

function httpParts(context: Context): HttpParts {
  const { config, metrics, log, stopping } = context;
  return {
    keys: [config.livekit, ...config.api.keys],
    requestsPerMinute: config.api.requestsPerMinute,
    trustProxy: config.api.trustProxy,
    readReadiness: createReadiness({
      client: context.temporal.client,
      settings: context.settings,
      livekitUrl: config.livekit.url,
      taskQueue: config.temporal.taskQueue,
      stopping: stopping.signal,
      buses: () => context.buses,
      ...(context.parts.worker ? { workerRuns: () => context.worker?.isRunning() ?? false } : {}),
    }),
    readMetrics: async () => ({ text: await metricsText(context), contentType: metrics.contentType }),
    metrics,
    log,
    stopping: stopping.signal,
  };
}

function createApiApp(context: Context) {
  const { config, keyring, metrics } = context;
  const { client } = context.temporal;
  const counters = new Map(namesOf(config).map((fleet) => [fleet, createStageCounter(client, fleet)]));
  metrics.countRecordings(counters);
  const readerOf = ({ settings: fleet, observe: observeWorkers }: FleetSources) => {
    const countByStage = counters.get(fleet.name) ?? createStageCounter(client, fleet.name);
    return createFleetReader({ client, fleet, countByStage, observeWorkers });
  };
  return createApp({
    ...httpParts(context),
    streamsPerCaller: config.api.streamsPerCaller,
    settings: {
      fleets: config.fleets,
      rules: config.rules,
      storages: config.storages,
      defaultStorage: defaultStorageOf(config),
      pathTemplate: config.pathTemplate,
      inlineStorage: config.api.inlineStorage,
      webhooks: {
        receivers: config.webhooks.receivers,
        denies: createAddressGuard(config.webhooks.allow).denies,
      },
    },
    recordings: context.recordings,
    codec: createPayloadCodec(keyring.keys),
    uiOrigins: config.encryption.uiOrigins,
    hintOf: createHintOf(config.livekit.apiKey, config.livekit.apiSecret),
    forgiveWorker: createForgiveWorker(context),
    drainWorker: createDrainWorker(context),
    readFleets: new Map(context.fleets.map((fleet) => [fleet.settings.name, readerOf(fleet)])),
    deliveries: createTemporalDeliveries(client, { fleets: namesOf(config), taskQueue: config.temporal.taskQueue }),
    repair: createRepair({
      buses: () => context.buses,
      livekit: context.livekit,
      recordings: context.recordings,
      log: context.log,
    }),
  });
}

async function metricsText({ metrics, worker }: Context): Promise<string> {
  const [own, sdk] = await Promise.all([metrics.text(), worker?.metricsText().catch(() => '') ?? '']);
  return `${own}\n${sdk}`;
}

async function prepare(context: Context): Promise<void> {
  const { config, keyring, log, metrics, settings, stopping, temporal } = context;
  const sinceMs = performance.now();
  // Loading the SDK's native core takes as long as connecting: both at once.
  const loading = context.parts.worker ? loadWorkerCode(config, log) : undefined;
  loading?.catch(() => undefined);
  await untilTemporalAnswers(temporal.client, settings, log, stopping.signal);
  const insist = (call: () => Promise<unknown>) => patiently(call, log, stopping.signal);
  await insist(() => ensureSearchAttributes(temporal.client, settings, log));
  await insist(() => requireKeys(context));
  const buses = await connectBuses(config, log, stopping.signal);
  context.buses = buses;
  const grants = createGrants();
  if (loading) {
    const { startTemporalWorker, createServiceActivities, createServiceSinks, mediaActivities } = await loading;
    const { arrivals, departures, fleets, kickFleet } = context;
    const activities = createServiceActivities({
      arrivals,
      departures,
      buses,
      config,
      client: temporal.client,
      livekit: context.livekit,
      grants,
      metrics,
      log,
      fleets,
      kickFleet,
      recordings: context.recordings,
    });
    context.worker = await startTemporalWorker(
      {
        temporal: settings,
        taskQueue: config.temporal.taskQueue,
        mediaActivities,
        keys: keyring.keys,
        shutdownGraceMs: config.shutdownGrace * ACTIVITY_GRACE,
      },
      activities,
      createServiceSinks(metrics),
      log,
    );
    // Adopts what a former process left, and boots the workers that the minimum asks for.
    await Promise.all(namesOf(config).map((fleet) => insist(() => kickFleet(fleet, 'Reelkit started'))));
    for (const { settings, provider } of fleets) {
      provider.onChange?.((why) => {
        kickFleet(settings.name, why, false).catch((error: unknown) =>
          log.warn({ why, error: String(error) }, 'the fleet could not be told; its next pass sees it'),
        );
      });
      void reportCapacityProblems({ settings, provider }, log);
    }
    context.watch = watchWorkers({ fleets, presence: context.presence, departures, kickFleet, log });
    context.keeper = keepFleets({ client: temporal.client, fleets: namesOf(config), kickFleet, log });
  }
  // Last: whoever asks through LiveKit finds everything running.
  const takesRequests = context.parts.api;
  const { livekit } = context;
  const { client } = temporal;
  let id = '';
  await insist(async () => {
    id = await namespaceId(client, settings.namespace);
  });
  context.neighbours = await watchNeighbours({
    livekit: buses.livekit.transport,
    workers: buses.workers.transport,
    own: { id, namespace: settings.namespace },
    log,
  });
  context.door = await openDoor({
    buses,
    config,
    client,
    livekit,
    recordings: context.recordings,
    grants,
    departures: context.departures,
    presence: context.presence,
    takesRequests,
    log,
  });
  log.info({ durationMs: Math.round(performance.now() - sinceMs), namespace: settings.namespace }, 'ready');
}

/** With another key this process would break every workflow it touched. */
async function requireKeys({ config, keyring, settings, temporal }: Context): Promise<void> {
  const known = keyring.keys.map(({ id }) => id);
  const { namespace } = settings;
  const problem = await keyProblem(temporal.client, { namespace, fleets: namesOf(config), known });
  if (problem) throw new Error(problem);
}

/** Told at once and loudly, and no reason to stop: what was accepted waits, and recordings that run need their supervisor. */
async function reportCapacityProblems(
  { settings, provider }: Pick<FleetSources, 'settings' | 'provider'>,
  log: Log,
): Promise<void> {
  const tooLarge = roomTooLarge(settings);
  if (tooLarge) log.warn({ fleet: settings.name }, tooLarge);
  const problems = await capacityProblems({ settings, provider }).catch((error: unknown) => [String(error)]);
  for (const problem of problems)
    log.error({ fleet: settings.name, provider: provider.kind, problem }, 'no worker can be launched like this');
}

async function loadWorkerCode(config: Config, log: Log) {
  const [{ startTemporalWorker }, { createServiceActivities, createServiceMediaActivities, createServiceSinks }] =
    await Promise.all([import('../temporal/worker.ts'), import('./activities.ts')]);
  const mediaActivities = await createServiceMediaActivities(config, log);
  return { startTemporalWorker, createServiceActivities, createServiceSinks, mediaActivities };
}

/** The shares add up to the whole limit; most of it belongs to activities that are under way. */
async function shutDown(context: Context, server: Server | undefined): Promise<void> {
  const { config, log, temporal } = context;
  const share = (part: number) => config.shutdownGrace * part;
  await runPhases(
    [
      { name: 'stop accepting', limitMs: share(0.05), run: () => stopAccepting(context, server) },
      {
        name: 'drain HTTP',
        limitMs: share(0.25),
        run: () => Promise.all([server && drained(server), context.door?.stopTaking()]),
      },
      { name: 'stop the Temporal worker', limitMs: share(0.6), run: () => context.worker?.stop() },
      {
        name: 'close connections',
        limitMs: share(0.1),
        run: async () => {
          context.watch?.stop();
          context.keeper?.stop();
          await Promise.all([context.door?.close(), context.neighbours?.stop()]);
          await Promise.all([
            context.worker?.close(),
            context.buses?.close(),
            temporal.close(),
            ...context.fleets.map(({ provider }) => provider.close?.()),
          ]);
        },
      },
    ],
    log,
  );
  server?.closeAllConnections();
  context.end();
}

async function stopAccepting({ stopping, door }: Context, server: Server | undefined): Promise<void> {
  stopping.abort();
  void door?.stopTaking();
  server?.close();
  server?.closeIdleConnections();
}
