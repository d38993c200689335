// A route is one value: method, path, schemas, answers, handler. Mounting it authenticates, validates and types the handler;
// the same value feeds /openapi.json. Handlers return data and never touch the response.
import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import type { z } from 'zod';
import type { Authenticate, Caller } from './auth/auth.ts';
import { authorizationOf } from './auth/operator-cookie.ts';
import { ApiError, type ErrorCode, errors } from './errors.ts';
import type { Limits } from './limits.ts';
import { fieldProblems } from './validation.ts';

const BODY_LIMIT_BYTES = 64 * 1_024;
/** LiveKit's webhooks carry whole egress records, the request included. */
const WEBHOOK_LIMIT_BYTES = 512 * 1_024;

export interface RouteInput<P, Q, B> {
  params: P;
  query: Q;
  body: B;
  /** The body as it was sent: without defaults, nothing normalised. */
  sent: unknown;
  caller: Caller;
  header: (name: string) => string | undefined;
}

export type Reply =
  | { status: number; body?: unknown; headers?: Record<string, string> }
  /** Text that is no JSON: the docs page, metrics. */
  | { status: number; text: string; contentType: string; headers?: Record<string, string> }
  /** Server-sent events: writes until it returns or `closed` aborts. */
  | { stream: (to: StreamTo) => Promise<void> };

export interface StreamTo {
  write: (chunk: string) => void;
  /** The client is gone or does not read, its token has expired, or the process shuts down. */
  closed: AbortSignal;
}

/** token: LiveKit access token. signature: the handler checks LiveKit's signature over the raw body. */
export type RouteAuth = 'token' | 'signature' | 'none';

export interface RouteSpec<P, Q, B> {
  method: 'get' | 'post';
  /** Express path; `:id` becomes `{id}` in OpenAPI. */
  path: string;
  summary: string;
  description?: string;
  tag: 'recordings' | 'fleet' | 'livekit' | 'service';
  auth: RouteAuth;
  /** With `auth: 'token'`: refuses tokens for one room, and takes the operators' cookie as well. */
  operatorsOnly?: boolean;
  params?: z.ZodType<P>;
  query?: z.ZodType<Q>;
  body?: z.ZodType<B>;
  /** 64 KiB by default. */
  bodyLimitBytes?: number;
  headers?: { name: string; description: string; pattern: string }[];
  responses: Record<number, { description: string; schema?: z.ZodType; contentType?: string }>;
  /** The errors a client should expect here, beside those that every route can answer. */
  problems?: ErrorCode[];
  handler: (input: RouteInput<P, Q, B>) => Promise<Reply> | Reply;
}

// biome-ignore lint/suspicious/noExplicitAny: a list of routes forgets what each one is typed with
export type Route = RouteSpec<any, any, any>;

export function defineRoute<P = unknown, Q = unknown, B = unknown>(spec: RouteSpec<P, Q, B>): Route {
  return spec;
}

export interface MountParts {
  authenticate: Authenticate;
  limits: Pick<Limits, 'changes' | 'reads'>;
  /** Aborts when the process shuts down: ends the event streams. */
  stopping: AbortSignal;
}

export function mountRoutes(app: Express, routes: readonly Route[], parts: MountParts): void {
  for (const route of routes) app[route.method](route.path, ...handlersOf(route, parts));
  for (const [path, methods] of methodsByPath(routes)) {
    app.all(path, (request) => {
      throw errors.methodNotAllowed(request.method, request.path, methods);
    });
  }
}

function handlersOf(route: Route, parts: MountParts): RequestHandler[] {
  const handlers: RequestHandler[] = [];
  if (route.auth === 'token') {
    handlers.push(authenticated(parts.authenticate, route.operatorsOnly ?? false));
    handlers.push(route.method === 'post' ? parts.limits.changes : parts.limits.reads);
  }
  if (route.auth === 'signature') handlers.push(express.text({ type: () => true, limit: WEBHOOK_LIMIT_BYTES }));
  else if (route.body)
    handlers.push(jsonOnly, express.json({ limit: route.bodyLimitBytes ?? BODY_LIMIT_BYTES, strict: false }));
  handlers.push(answering(route, parts.stopping));
  return handlers;
}

function authenticated(authenticate: Authenticate, operatorsOnly: boolean): RequestHandler {
  return async (request, response, next) => {
    const { authorization, cookie } = request.headers;
    // The Web UI may send its own user's token beside the cookie.
    const caller = await authenticate((operatorsOnly ? authorizationOf(cookie) : undefined) ?? authorization);
    if (operatorsOnly && caller.onlyRoom !== undefined)
      throw errors.forbidden('The access token is for one room; this is for operators. `reelkit token` prints one.');
    response.locals.caller = caller;
    next();
  };
}

function jsonOnly(request: Request, _: Response, next: NextFunction): void {
  if (!request.is('application/json')) throw errors.unsupportedMediaType(request.headers['content-type']);
  next();
}

function answering(route: Route, stopping: AbortSignal): RequestHandler {
  return async (request, response) => {
    response.locals.route = route.path;
    const input = readInput(route, request, response);
    const reply = await route.handler(input);
    if ('stream' in reply) return stream(reply.stream, response, AbortSignal.any([stopping, expiryOf(input.caller)]));
    response.status(reply.status).set(reply.headers ?? {});
    if ('text' in reply) response.type(reply.contentType).send(reply.text);
    else if (reply.body === undefined) response.end();
    else response.json(reply.body);
  };
}

/** Of routes that ask for no token. */
const NOBODY: Caller = { apiKey: '', expiresAtMs: Number.POSITIVE_INFINITY };

function readInput(route: Route, request: Request, response: Response): RouteInput<unknown, unknown, unknown> {
  return {
    params: parse(route.params, request.params, () => errors.notFound(request.path)),
    query: parse(route.query, request.query, (issues) =>
      errors.invalidParameter(fieldProblems(issues, request.query, 'query')),
    ),
    body: parse(route.body, request.body, (issues) =>
      errors.invalidRequest(fieldProblems(issues, request.body, 'body')),
    ),
    sent: request.body,
    caller: (response.locals.caller as Caller | undefined) ?? NOBODY,
    header: (name) => request.get(name),
  };
}

function parse<T>(
  schema: z.ZodType<T> | undefined,
  value: unknown,
  problem: (issues: readonly z.core.$ZodIssue[]) => ApiError,
): unknown {
  if (!schema) return value;
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw problem(parsed.error.issues);
  return parsed.data;
}

/** The longest that a timer takes; nobody follows a recording for so long. */
const MAX_TIMER_MS = 2 ** 31 - 1;

function expiryOf({ expiresAtMs }: Caller): AbortSignal {
  return AbortSignal.timeout(Math.min(Math.max(0, expiresAtMs - Date.now()), MAX_TIMER_MS));
}

/** Of a client that does not read what it is sent. */
const MAX_UNREAD_BYTES = 1_024 * 1_024;

async function stream(write: (to: StreamTo) => Promise<void>, response: Response, over: AbortSignal): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  // It may have left before there was anything to listen to.
  if (response.closed) gone.abort();
  response.status(200).set({
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    // nginx holds events back otherwise.
    'X-Accel-Buffering': 'no',
  });
  response.flushHeaders();
  await write({
    write(chunk) {
      response.write(chunk);
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
    },
    closed: AbortSignal.any([gone.signal, over]),
  });
  response.end();
}

function methodsByPath(routes: readonly Route[]): Map<string, string[]> {
  const byPath = new Map<string, string[]>();
  for (const route of routes) byPath.set(route.path, [...(byPath.get(route.path) ?? []), route.method.toUpperCase()]);
  return byPath;
}

/** Whatever reached Express' error handler, as an error of the catalogue. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const { type, status, limit, message } = error as {
    type?: string;
    status?: number;
    limit?: number;
    message?: string;
  };
  switch (type) {
    case 'entity.parse.failed':
      return errors.malformedJson(message ?? 'unreadable');
    case 'entity.too.large':
      return errors.bodyTooLarge(`${Math.round((limit ?? BODY_LIMIT_BYTES) / 1_024)} KiB`);
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return errors.unsupportedMediaType(message);
    case 'request.aborted':
    case 'request.size.invalid':
      return errors.malformedJson('the body ended early');
  }
  if (error instanceof URIError || status === 400) {
    return errors.invalidParameter([
      { field: 'path', message: 'holds a broken percent-encoding', remedy: 'encode the URL anew' },
    ]);
  }
  return errors.internal(error);
}
