// The HTTP API, whole on one screen: what every request passes, which routes exist, how errors leave.
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import type { Config } from '../config/schema.ts';
import type { HintOf } from '../livekit/webhook.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createAuthenticate, type KeyPair } from './auth/auth.ts';
import type { WebhookDeliveries } from './deliveries/deliveries.ts';
import { type ApiError, errors, problemDocument } from './errors.ts';
import { createLimits, createPlaces } from './limits.ts';
import { createFollowRecordings } from './recordings/follow.ts';
import type { Recordings } from './recordings/recordings.ts';
import type { StartSettings } from './recordings/start-recording.ts';
import { mountRoutes, type Route, toApiError } from './route.ts';
import { allowOrigins, type CodecRouteParts, codecRoutes } from './routes/codec.ts';
import { docsRoutes } from './routes/docs.ts';
import { type DrainWorker, type ForgiveWorker, fleetRoutes, type ReadFleets } from './routes/fleet.ts';
import { recordingEventRoutes } from './routes/recording-events.ts';
import { recordingRoutes } from './routes/recordings.ts';
import { type Repair, repairRoutes } from './routes/repair.ts';
import { type ServiceRouteParts, serviceRoutes } from './routes/service.ts';
import { webhookRoutes } from './routes/webhook.ts';
import { webhookDeliveryRoutes } from './routes/webhook-deliveries.ts';

export interface HttpParts extends ServiceRouteParts {
  /** Those whose tokens are accepted. */
  keys: readonly KeyPair[];
  requestsPerMinute: number;
  /** Who may say in X-Forwarded-For for whom a request comes; Express' setting of that name. */
  trustProxy: Config['api']['trustProxy'];
  metrics: Pick<Metrics, 'httpRequest'>;
  log: Log;
  /** Aborts when the process shuts down. */
  stopping: AbortSignal;
  now?: () => number;
}

export interface ApiParts extends HttpParts, CodecRouteParts {
  streamsPerCaller: number;
  /** Origins whose pages may use the codec. */
  uiOrigins: readonly string[];
  settings: StartSettings;
  recordings: Recordings;
  hintOf: HintOf;
  readFleets: ReadFleets;
  forgiveWorker: ForgiveWorker;
  drainWorker: DrainWorker;
  repair: Repair;
  deliveries: WebhookDeliveries;
}

export function createApp(parts: ApiParts): Express {
  const routes = apiRoutes(parts);
  return withRoutes(parts, [...routes, ...docsRoutes(routes)], parts.uiOrigins);
}

/** Of a process without the API: only what its platform asks. */
export function createServiceApp(parts: HttpParts): Express {
  return withRoutes(parts, serviceRoutes(parts));
}

function withRoutes(parts: HttpParts, routes: Route[], uiOrigins: readonly string[] = []): Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple').set('trust proxy', parts.trustProxy);
  const limits = createLimits(parts.requestsPerMinute);
  app.use(observe(parts), closeWhenStopping(parts.stopping));
  app.use('/codec', allowOrigins(uiOrigins));
  mountRoutes(app, routes, {
    authenticate: createAuthenticate(parts.keys),
    limits,
    stopping: parts.stopping,
  });
  app.get('/', (_, response) => response.redirect('/docs'));
  app.use((request) => {
    throw errors.notFound(request.path);
  });
  app.use(limits.failures, answerProblem(parts.log));
  return app;
}

function apiRoutes(parts: ApiParts): Route[] {
  const { recordings, hintOf, readFleets, forgiveWorker, drainWorker, log } = parts;
  return [
    ...recordingRoutes({
      recordings,
      settings: parts.settings,
      now: parts.now ?? Date.now,
    }),
    ...recordingEventRoutes({
      following: createFollowRecordings(recordings),
      streams: createPlaces(parts.streamsPerCaller),
    }),
    ...fleetRoutes({ readFleets, forgiveWorker, drainWorker }),
    ...repairRoutes(parts),
    ...webhookDeliveryRoutes(parts),
    ...webhookRoutes({
      recordings,
      hintOf,
      report: (hint, outcome) => log.debug({ kind: hint.kind, outcome }, 'webhook'),
    }),
    ...codecRoutes(parts),
    ...serviceRoutes(parts),
  ];
}

function observe({ metrics, log, now = Date.now }: HttpParts): RequestHandler {
  return (request, response, next) => {
    const sinceMs = now();
    response.on('close', () => {
      const route = (response.locals.route as string | undefined) ?? 'other';
      const durationMs = now() - sinceMs;
      metrics.httpRequest({ method: request.method, route, status: response.statusCode, durationMs });
      // Never the query, the headers or the body: any of them may carry a secret.
      log.debug(
        { method: request.method, path: request.path, status: response.statusCode, durationMs },
        'http request',
      );
    });
    next();
  };
}

/** While the process drains, answers still leave, and tell keep-alive clients to go to the next one. */
function closeWhenStopping(stopping: AbortSignal): RequestHandler {
  return (_, response, next) => {
    if (stopping.aborted) response.set('Connection', 'close');
    next();
  };
}

function answerProblem(log: Log): ErrorRequestHandler {
  return (thrown: unknown, request, response, next) => {
    const error = toApiError(thrown);
    report(log, error, request.method, request.path);
    if (response.headersSent) {
      next(thrown);
      return;
    }
    response
      .status(error.status)
      .set(error.parts.headers ?? {})
      .type('application/problem+json')
      .send(JSON.stringify(problemDocument(error)));
  };
}

function report(log: Log, error: ApiError, method: string, path: string): void {
  if (error.status < 500) log.debug({ code: error.code, method, path }, error.message);
  else log.error({ code: error.code, method, path, err: error.cause ?? error }, error.message);
}
