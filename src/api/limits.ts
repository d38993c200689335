// How much one may ask: requests are counted by who asks, once that is known, and only those of nobody by their address. So nobody
// uses up the limit of another, whatever proxy they share.
import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import { ipKeyGenerator, type Options, rateLimit } from 'express-rate-limit';
import { type Caller, callerKey } from './auth/auth.ts';
import { ApiError, errors } from './errors.ts';

const WINDOW_MS = 60_000;
/** Whoever has no valid token, or no valid signature, hears no more than this a minute of why. Valid ones pass whatever the address. */
const FAILURES_PER_MINUTE = 60;

export interface Limits {
  changes: RequestHandler;
  reads: RequestHandler;
  /** Stands before whatever answers errors. */
  failures: ErrorRequestHandler;
}

/** Changes and reads apart: whoever looks too often can still cancel. */
export function createLimits(perMinute: number): Limits {
  const byAddress = limiter({
    limit: FAILURES_PER_MINUTE,
    standardHeaders: false,
    keyGenerator: (request) => ipKeyGenerator(request.ip ?? ''),
    handler: refuse((seconds) => errors.tooManyFailures(FAILURES_PER_MINUTE, seconds)),
  });
  return {
    changes: byCaller(perMinute),
    reads: byCaller(perMinute),
    failures: (error: unknown, request, response, next) => {
      if (!(error instanceof ApiError) || error.code !== 'unauthenticated') return next(error);
      return byAddress(request, response, (limited?: unknown) => next(limited ?? error));
    },
  };
}

function byCaller(perMinute: number): RequestHandler {
  return limiter({
    limit: perMinute,
    standardHeaders: 'draft-8',
    keyGenerator: (_, response) => callerKey(response.locals.caller as Caller),
    handler: refuse((seconds) => errors.tooManyRequests(perMinute, seconds)),
  });
}

function limiter(options: Partial<Options>): RequestHandler {
  // Its own checks are of the address behind a proxy, which `api.trustProxy` settles.
  return rateLimit({ windowMs: WINDOW_MS, legacyHeaders: false, validate: false, ...options });
}

function refuse(problem: (retryAfterSeconds: number) => ApiError): Options['handler'] {
  return (request, _, next) => {
    const { resetTime } = (request as Request & { rateLimit?: { resetTime?: Date } }).rateLimit ?? {};
    const waitMs = resetTime ? resetTime.getTime() - Date.now() : WINDOW_MS;
    next(problem(Math.max(1, Math.ceil(waitMs / 1_000))));
  };
}

/** What a caller may hold open at a time. */
export interface Places {
  /** @returns the release of the place. @throws ApiError too_many_requests */
  take(caller: Caller): () => void;
}

export function createPlaces(perCaller: number): Places {
  const taken = new Map<string, number>();
  return {
    take(caller) {
      const key = callerKey(caller);
      const before = taken.get(key) ?? 0;
      if (before >= perCaller) throw errors.tooManyStreams(perCaller);
      taken.set(key, before + 1);
      return () => {
        const left = (taken.get(key) ?? 0) - 1;
        if (left > 0) taken.set(key, left);
        else taken.delete(key);
      };
    },
  };
}
