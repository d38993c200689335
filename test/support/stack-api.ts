// Reelkit's HTTP API as a stranger uses it: plain requests with LiveKit access tokens, answers as they came.
import { AccessToken, type VideoGrant } from 'livekit-server-sdk';
import { expect } from 'vitest';
import type { FleetsView, FleetView, RecordingPage } from '../../src/api/schemas.ts';
import type { RecordingRequestInput } from '../../src/recording/request.ts';
import { isEnded, type Stage } from '../../src/recording/stage.ts';
import type { RecordingView } from '../../src/recording/view.ts';
import { waitFor } from './stack-wait.ts';

export interface Answer<T = unknown> {
  status: number;
  headers: Headers;
  body: T;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  errors?: { field: string; message: string; remedy: string }[];
  recordingId?: string;
}

export interface CallOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Sent as JSON, unless it is text already. */
  body?: unknown;
  headers?: Record<string, string>;
  /** Absent: one with the roomRecord grant. Null: none. */
  token?: string | null;
}

const CALL_LIMIT_MS = 40_000;

export type Api = ReturnType<typeof createApi>;

export function createApi(url: () => string, keys: { apiKey: string; apiSecret: string }) {
  let granted: Promise<string> | undefined;

  async function send(
    path: string,
    { method = 'GET', body, headers = {}, token }: CallOptions = {},
    signal?: AbortSignal,
  ) {
    granted ??= accessToken(keys, { roomRecord: true });
    const bearer = token === undefined ? await granted : token;
    return fetch(url() + path, {
      method,
      headers: {
        ...(bearer === null ? {} : { Authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: signal ?? AbortSignal.timeout(CALL_LIMIT_MS),
    });
  }

  async function call<T = unknown>(path: string, options: CallOptions = {}): Promise<Answer<T>> {
    const response = await send(path, options);
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as T };
  }

  const post = <T = unknown>(path: string, body?: unknown, options: CallOptions = {}) =>
    call<T>(path, { ...options, method: 'POST', body });

  async function ok<T>(answer: Promise<Answer<T>>, status = 200): Promise<T> {
    const { status: given, body } = await answer;
    expect({ status: given, body }).toMatchObject({ status });
    return body;
  }

  const show = (id: string) => ok(call<RecordingView>(`/v1/recordings/${id}`));

  return {
    send,
    call,
    post,
    request: (body: RecordingRequestInput, key?: string) =>
      post<RecordingView>('/v1/recordings', body, key === undefined ? {} : { headers: { 'Idempotency-Key': key } }),
    /** @returns the accepted recording */
    record: (body: RecordingRequestInput, key?: string) =>
      ok(
        post<RecordingView>('/v1/recordings', body, key === undefined ? {} : { headers: { 'Idempotency-Key': key } }),
        201,
      ),
    show,
    cancel: (id: string) => ok(post<RecordingView>(`/v1/recordings/${id}/cancel`)),
    pause: (id: string) => ok(post<RecordingView>(`/v1/recordings/${id}/pause`)),
    resume: (id: string) => ok(post<RecordingView>(`/v1/recordings/${id}/resume`)),
    list: (query = '') => ok(call<RecordingPage>(`/v1/recordings${query}`)),
    fleet: (name = 'default') => ok(call<FleetView>(`/v1/fleets/${name}`)),
    fleets: async () => (await ok(call<FleetsView>('/v1/fleets'))).fleets,
    metrics: () => ok(call<string>('/metrics', { token: null })),

    untilStage: (id: string, stage: Stage, limitMs?: number) =>
      waitFor(
        `recording ${id} to be ${stage}`,
        () => show(id),
        (seen) => {
          if (seen.stage !== stage && isEnded(seen.stage)) throw new Ended(seen);
          return seen.stage === stage;
        },
        limitMs,
      ),
    untilEnded: (id: string, limitMs?: number) =>
      waitFor(
        `recording ${id} to end`,
        () => show(id),
        ({ stage }) => isEnded(stage),
        limitMs,
      ),
    untilFleet: (what: string, holds: (fleet: FleetView) => boolean, limitMs?: number) =>
      waitFor(`the fleet: ${what}`, async () => ok(call<FleetView>('/v1/fleets/default')), holds, limitMs),
  };
}

class Ended extends Error {
  constructor(view: RecordingView) {
    super(`recording ${view.id} is ${view.stage}: ${JSON.stringify(view)}`);
  }
}

export function accessToken(
  { apiKey, apiSecret }: { apiKey: string; apiSecret: string },
  grant: VideoGrant,
  ttl: number | string = '1h',
): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity: 'e2e', ttl });
  token.addGrant(grant);
  return token.toJwt();
}

/** @returns the events of a server-sent event stream until it ends */
export async function readEvents(response: Response): Promise<{ id: string; view: RecordingView }[]> {
  const text = await response.text();
  return text
    .split('\n\n')
    .filter((event) => event.includes('event: recording'))
    .map((event) => ({
      id: /^id: (.*)$/m.exec(event)?.[1] ?? '',
      view: JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? 'null') as RecordingView,
    }));
}
