// The API on a loopback port with recordings kept in memory: everything but Temporal is real.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AccessToken, type VideoGrant } from 'livekit-server-sdk';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { type ApiParts, createApp } from '../../../src/api/app.ts';
import { errors } from '../../../src/api/errors.ts';
import type { Recordings } from '../../../src/api/recordings/recordings.ts';
import { initialView, recordingMemo, type StartSettings } from '../../../src/api/recordings/start-recording.ts';
import { DEFAULT_COSTS } from '../../../src/fleet/cost.ts';
import { createHintOf } from '../../../src/livekit/webhook.ts';
import type { EgressReport } from '../../../src/recording/egress.ts';
import { DEFAULT_PATH_TEMPLATE } from '../../../src/recording/path-template.ts';
import { endPause, pause, whyNotPause } from '../../../src/recording/pauses.ts';
import { isEnded } from '../../../src/recording/stage.ts';
import type { RecordingView } from '../../../src/recording/view.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { createPayloadCodec } from '../../../src/temporal/codec.ts';
import type { ExtendBy, RecordingMemo } from '../../../src/workflows/messages.ts';

export const API_KEY = 'devkey';
export const API_SECRET = 'a-secret-of-at-least-thirty-two-bytes';
export const UI_ORIGIN = 'http://temporal.example.com:8233';
export const ROOM_BODY = { source: { type: 'room', room: 'lesson' } };

export const SETTINGS: StartSettings = {
  fleets: [
    { name: 'default', costs: DEFAULT_COSTS },
    { name: 'small', costs: DEFAULT_COSTS },
  ],
  rules: [],
  storages: { local: { type: 'local', path: '/recordings' }, archive: { type: 'local', path: '/archive' } },
  defaultStorage: 'local',
  pathTemplate: DEFAULT_PATH_TEMPLATE,
  inlineStorage: 'operators',
  webhooks: { receivers: [], denies: () => false },
};

export interface MemoryRecordings extends Recordings {
  views: Map<string, RecordingView>;
  change(id: string, change: Partial<RecordingView>): void;
  reports: { recordingId: string; report: EgressReport }[];
  looks: { room: string; why: string }[];
  extensions: ExtendBy[];
  /** Thrown by every method while set. */
  failure: Error | undefined;
  calls: string[];
}

export function memoryRecordings(): MemoryRecordings {
  const memos = new Map<string, RecordingMemo>();
  const views = new Map<string, RecordingView>();
  const revisions = new Map<string, number>();

  const called = (name: string) => {
    store.calls.push(name);
    if (store.failure) throw store.failure;
  };
  const find = (id: string) => {
    const view = views.get(id);
    if (!view) throw errors.recordingNotFound(id);
    return view;
  };
  const findOpen = (id: string) => {
    const view = find(id);
    if (isEnded(view.stage)) throw errors.recordingEnded(id, `it is ${view.stage}`);
    return view;
  };

  const store: MemoryRecordings = {
    views,
    reports: [],
    looks: [],
    extensions: [],
    failure: undefined,
    calls: [],
    change(id, change) {
      views.set(id, { ...find(id), ...change });
      revisions.set(id, (revisions.get(id) ?? 0) + 1);
    },
    async start(input) {
      called('start');
      const existing = memos.get(input.id);
      if (existing) return { isNew: false, memo: existing };
      const memo = recordingMemo(input);
      memos.set(input.id, memo);
      views.set(input.id, initialView(input.id, input.fleet, memo));
      return { isNew: true, memo };
    },
    async list({ stage, room, limit }) {
      called('list');
      const found = [...views.values()]
        .filter((view) => stage === undefined || view.stage === stage)
        .filter((view) => room === undefined || ('room' in view.request.source && view.request.source.room === room));
      return {
        recordings: found.slice(0, limit).map((view) => ({
          id: view.id,
          stage: view.stage,
          fleet: view.fleet,
          source: view.request.source.type,
          priority: view.request.priority,
          labels: view.request.labels,
          costCores: 4,
          requestedAtMs: view.requestedAtMs,
        })),
      };
    },
    async peek(id) {
      called('peek');
      const [memo, view] = [memos.get(id), views.get(id)];
      return memo && view && { memo, open: !isEnded(view.stage), revision: revisions.get(id) ?? 0 };
    },
    async show(id) {
      called('show');
      return find(id);
    },
    async cancel(id) {
      called('cancel');
      findOpen(id);
      store.change(id, { stage: 'cancelled' });
      return find(id);
    },
    async pause(id, by) {
      called('pause');
      const view = findOpen(id);
      const objection = whyNotPause(view);
      if (objection) throw errors.notPausable(objection.message);
      pause(view, by, Date.now());
      return view;
    },
    async resume(id) {
      called('resume');
      endPause(findOpen(id), Date.now());
      return find(id);
    },
    async extend(id, extension) {
      called('extend');
      store.extensions.push(extension);
      return findOpen(id);
    },
    async report(recordingId, report) {
      called('report');
      store.reports.push({ recordingId, report });
      return true;
    },
    keptForMs: () => 72 * 3_600_000,
    async noteLayout() {
      called('noteLayout');
    },
    async lookAtRoom(room, why) {
      called('lookAtRoom');
      store.looks.push({ room, why });
      return 0;
    },
  };
  return store;
}

export interface TestApi {
  url: string;
  recordings: MemoryRecordings;
  logged: () => string;
  stop: AbortController;
  request: (path: string, init?: RequestInit & { token?: string | null }) => Promise<Response>;
  /** POSTs JSON with a valid token. */
  post: (path: string, body?: unknown, headers?: Record<string, string>) => Promise<Response>;
}

export async function startTestApi(change: Partial<ApiParts> = {}): Promise<TestApi> {
  const recordings = memoryRecordings();
  const stop = new AbortController();
  const lines: string[] = [];
  const parts: ApiParts = {
    keys: [{ apiKey: API_KEY, apiSecret: API_SECRET }],
    settings: SETTINGS,
    requestsPerMinute: 1_000,
    streamsPerCaller: 100,
    trustProxy: 0,
    recordings,
    hintOf: createHintOf(API_KEY, API_SECRET),
    codec: createPayloadCodec([{ id: 'k1', key: new Uint8Array(32) }]),
    uiOrigins: [UI_ORIGIN],
    readFleets: new Map(),
    deliveries: { show: async () => [], replay: async () => [], failed: async () => [] },
    forgiveWorker: async () => false,
    drainWorker: async () => false,
    repair: { look: async () => [], end: async () => ({ ended: [], left: [], absent: [] }) },
    readReadiness: async () => ({ status: 'not_ready', checks: { livekit: { ok: false, detail: 'does not answer' } } }),
    readMetrics: async () => ({ text: 'reelkit_test 1\n', contentType: 'text/plain; version=0.0.4' }),
    metrics: createMetrics(),
    log: pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }),
    stopping: stop.signal,
    ...change,
  };
  const server = createServer(createApp(parts));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    stop.abort();
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const valid = await tokenFor();

  const request: TestApi['request'] = (path, { token = valid, headers, ...init } = {}) =>
    fetch(url + path, {
      redirect: 'manual',
      ...init,
      headers: { ...(token === null ? {} : { Authorization: `Bearer ${token}` }), ...(headers as object) },
    });
  return {
    url,
    recordings,
    logged: () => lines.join(''),
    stop,
    request,
    post: (path, body = {}, headers = {}) =>
      request(path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'Content-Type': 'application/json', ...headers },
      }),
  };
}

export async function tokenFor(
  grant: VideoGrant = { roomRecord: true },
  { apiKey = API_KEY, apiSecret = API_SECRET }: { apiKey?: string; apiSecret?: string } = {},
): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity: 'tester', ttl: 60 });
  token.addGrant(grant);
  return token.toJwt();
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  recordingId?: string;
  errors?: { field: string; value?: unknown; message: string; remedy: string }[];
}

export async function problemOf(response: Response): Promise<Problem> {
  return (await response.json()) as Problem;
}
