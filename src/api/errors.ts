// Every error a client of the API can meet: one type with a stable code, made by small factories, rendered as RFC 9457
// problem details. Nothing here logs; the cause stays inside the process.

export interface FieldProblem {
  /** Dotted path in the body, or the name of the parameter. */
  field: string;
  value?: unknown;
  message: string;
  remedy: string;
}

interface ProblemParts {
  detail: string;
  errors?: FieldProblem[];
  headers?: Record<string, string>;
  /** Further members of the problem document. */
  extra?: Record<string, unknown>;
  cause?: unknown;
}

/** The catalogue: code -> status and title. Codes are part of the API and never change their meaning. */
export const ERROR_CODES = {
  malformed_json: { status: 400, title: 'The body is not JSON' },
  invalid_parameter: { status: 400, title: 'A parameter is not valid' },
  unauthenticated: { status: 401, title: 'No valid access token' },
  forbidden: { status: 403, title: 'The access token does not allow this' },
  not_found: { status: 404, title: 'No such resource' },
  recording_not_found: { status: 404, title: 'No such recording' },
  fleet_not_found: { status: 404, title: 'No such fleet' },
  webhook_event_not_found: { status: 404, title: 'No such event' },
  worker_not_found: { status: 404, title: 'No such worker' },
  method_not_allowed: { status: 405, title: 'Method not allowed' },
  idempotency_conflict: { status: 409, title: 'The Idempotency-Key was used with another request' },
  recording_ended: { status: 409, title: 'The recording has ended' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be JSON' },
  invalid_request: { status: 422, title: 'The request is not valid' },
  unknown_fleet: { status: 422, title: 'No such fleet' },
  unknown_storage: { status: 422, title: 'No such storage' },
  not_pausable: { status: 409, title: 'The recording cannot be paused now' },
  invalid_extension: { status: 422, title: 'The recording cannot be extended like this' },
  too_many_requests: { status: 429, title: 'Too many requests' },
  encryption_key_missing: { status: 500, title: 'A key that encrypted this is missing' },
  internal_error: { status: 500, title: 'Reelkit failed' },
  temporal_unavailable: { status: 503, title: 'Temporal cannot be reached' },
  temporal_worker_unavailable: { status: 503, title: 'No Temporal worker answers' },
  witness_unavailable: { status: 503, title: 'Who might run an egress cannot be asked' },
  shutting_down: { status: 503, title: 'This process is shutting down' },
} as const;
export type ErrorCode = keyof typeof ERROR_CODES;

export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly parts: ProblemParts;

  constructor(code: ErrorCode, parts: ProblemParts) {
    super(parts.detail, { cause: parts.cause });
    this.name = 'ApiError';
    this.code = code;
    this.parts = parts;
  }

  get status(): number {
    return ERROR_CODES[this.code].status;
  }
}

const RETRY_SOON = { 'Retry-After': '2' };

export const errors = {
  malformedJson: (message: string) =>
    new ApiError('malformed_json', { detail: `The body could not be read as JSON: ${message}` }),

  invalidParameter: (problems: FieldProblem[]) =>
    new ApiError('invalid_parameter', { detail: summary(problems), errors: problems }),

  invalidRequest: (problems: FieldProblem[]) =>
    new ApiError('invalid_request', { detail: summary(problems), errors: problems }),

  unauthenticated: (detail: string, cause?: unknown) =>
    new ApiError('unauthenticated', {
      detail,
      headers: { 'WWW-Authenticate': 'Bearer realm="reelkit"' },
      cause,
    }),

  badSignature: (cause?: unknown) =>
    new ApiError('unauthenticated', {
      detail:
        'The webhook is not signed with the configured LiveKit API key. Set `webhook.api_key` in livekit.yaml to the key Reelkit uses.',
      headers: { 'WWW-Authenticate': 'Bearer realm="livekit webhook"' },
      cause,
    }),

  forbidden: (detail: string) => new ApiError('forbidden', { detail }),

  notFound: (path: string) =>
    new ApiError('not_found', { detail: `Nothing is served at ${path}; see /docs for what is.` }),

  recordingNotFound: (id: string) =>
    new ApiError('recording_not_found', {
      detail: `There is no recording ${id}. It may never have existed, or be older than the retention of the Temporal namespace.`,
    }),

  webhookEventNotFound: (id: string, sequence: number | undefined) =>
    new ApiError('webhook_event_not_found', {
      detail: `Recording ${id} has no ${sequence === undefined ? 'such events' : `event ${sequence}`} that anybody was to hear of; GET /v1/recordings/${id}/webhooks lists those it has.`,
    }),

  methodNotAllowed: (method: string, path: string, allowed: string[]) =>
    new ApiError('method_not_allowed', {
      detail: `${method} is not possible at ${path}; use ${allowed.join(' or ')}.`,
      headers: { Allow: allowed.join(', ') },
    }),

  idempotencyConflict: (key: string, id: string) =>
    new ApiError('idempotency_conflict', {
      detail: `Idempotency-Key ${key} belongs to recording ${id}, which was requested with another body. Use a new key for a new request.`,
      extra: { recordingId: id },
    }),

  recordingEnded: (id: string, how: string) =>
    new ApiError('recording_ended', {
      detail: `Recording ${id} has ended: ${how}. Request a new recording instead.`,
      extra: { recordingId: id },
    }),

  bodyTooLarge: (limit: string) => new ApiError('body_too_large', { detail: `The body may hold at most ${limit}.` }),

  unsupportedMediaType: (given: string | undefined) =>
    new ApiError('unsupported_media_type', {
      detail: `The body came as ${given ?? 'no content type'}. Send it with Content-Type: application/json.`,
    }),

  fleetNotFound: (name: string, known: string[]) =>
    new ApiError('fleet_not_found', { detail: `There is no fleet "${name}"; known: ${known.join(', ')}.` }),

  workerNotFound: (fleet: string, worker: string) =>
    new ApiError('worker_not_found', {
      detail: `Fleet "${fleet}" has no worker "${worker}" that listens for starts; GET /v1/fleets/${fleet} shows its workers.`,
    }),

  unknownFleet: (name: string, known: string[]) =>
    new ApiError('unknown_fleet', {
      detail: `Fleet "${name}" is not configured; known: ${known.join(', ')}.`,
      errors: [
        {
          field: 'fleet',
          value: name,
          message: 'names no configured fleet',
          remedy: `use one of ${known.join(', ')}, or leave it out`,
        },
      ],
    }),

  unknownStorage: (name: string, known: string[]) =>
    new ApiError('unknown_storage', {
      detail: `Storage "${name}" is not configured; known: ${known.join(', ')}.`,
      errors: [
        {
          field: 'outputs.0.storage',
          value: name,
          message: 'names no configured storage',
          remedy: `use one of ${known.join(', ')}, or add it to "storages" in the configuration`,
        },
      ],
    }),

  notPausable: (message: string) => new ApiError('not_pausable', { detail: message }),
  invalidExtension: (message: string) => new ApiError('invalid_extension', { detail: message }),

  tooManyRequests: (limitPerMinute: number, retryAfterSeconds: number) =>
    new ApiError('too_many_requests', {
      detail: `More than ${limitPerMinute} requests a minute came with tokens of this caller (api.requestsPerMinute). Wait ${retryAfterSeconds} s.`,
      headers: { 'Retry-After': String(retryAfterSeconds) },
    }),

  tooManyFailures: (limitPerMinute: number, retryAfterSeconds: number) =>
    new ApiError('too_many_requests', {
      detail: `More than ${limitPerMinute} requests a minute without a valid access token came from this address. Send a valid one, or wait ${retryAfterSeconds} s.`,
      headers: { 'Retry-After': String(retryAfterSeconds) },
    }),

  tooManyStreams: (perCaller: number) =>
    new ApiError('too_many_requests', {
      detail: `This caller has ${perCaller} event streams open (api.streamsPerCaller). Close some, or follow several recordings by their list.`,
      headers: RETRY_SOON,
    }),

  temporalUnavailable: (cause: unknown, recordingId?: string) =>
    new ApiError('temporal_unavailable', {
      detail: recordingId
        ? `Temporal did not answer, so it is not known whether recording ${recordingId} was accepted. Repeat the request with the same Idempotency-Key, or look at GET /v1/recordings/${recordingId}.`
        : 'Temporal did not answer. Try again; GET /readyz says what is missing.',
      headers: RETRY_SOON,
      cause,
      ...(recordingId ? { extra: { recordingId } } : {}),
    }),

  workerUnavailable: (cause: unknown) =>
    new ApiError('temporal_worker_unavailable', {
      detail:
        'No Temporal worker answered in time. Is `reelkit worker` or `reelkit serve` running? Nothing was changed for certain: look before you repeat.',
      headers: RETRY_SOON,
      cause,
    }),

  witnessUnavailable: (what: string, cause?: unknown) =>
    new ApiError('witness_unavailable', {
      detail: `Nothing was proven and nothing ended: ${what}. Try again; GET /readyz says what is missing.`,
      headers: RETRY_SOON,
      cause,
    }),

  encryptionKeyMissing: (detail: string, cause: unknown) =>
    new ApiError('encryption_key_missing', { detail: `Reelkit cannot read what it stored: ${detail}.`, cause }),

  shuttingDown: () =>
    new ApiError('shutting_down', {
      detail: 'This process is shutting down; the next one answers.',
      headers: { 'Retry-After': '1' },
    }),

  internal: (cause: unknown) =>
    new ApiError('internal_error', { detail: 'Something failed inside Reelkit; its log says what.', cause }),
};

/** The document that is sent. `type` is relative: it resolves to the entry in this service's own docs page. */
export function problemDocument(error: ApiError): Record<string, unknown> {
  const { status, title } = ERROR_CODES[error.code];
  return {
    type: `/docs#error-${error.code}`,
    title,
    status,
    code: error.code,
    detail: error.parts.detail,
    ...(error.parts.errors ? { errors: error.parts.errors } : {}),
    ...error.parts.extra,
  };
}

function summary(problems: FieldProblem[]): string {
  const [first] = problems;
  if (!first) return 'The request is not valid.';
  const others = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return `${first.field}: ${first.message}${others}.`;
}
