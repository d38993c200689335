// /v1/recordings: ask for one, list, look, cancel, extend. Whoever holds a token for one room sees that room's recordings only.

import { defined } from '../../common/defined.ts';
import { decodeStart, refusalOf } from '../../livekit/request/index.ts';
import { labelsProblem } from '../../recording/defaults.ts';
import { formatDuration, parseDuration } from '../../recording/duration.ts';
import { type AskedRecording, LIMITS } from '../../recording/request.ts';
import { isInline } from '../../recording/request-storage.ts';
import { roomOf } from '../../recording/source.ts';
import type { RecordingInput, RecordingMemo } from '../../workflows/messages.ts';
import type { Caller } from '../auth/auth.ts';
import { errors } from '../errors.ts';
import { newRecordingId, recordingIdForKey } from '../recordings/ids.ts';
import type { Recordings } from '../recordings/recordings.ts';
import { initialView, recordingInput, type StartSettings } from '../recordings/start-recording.ts';
import { defineRoute, type Reply, type Route } from '../route.ts';
import { extendBody, listQuery, recordingBody, recordingPage, recordingParams, recordingView } from '../schemas.ts';

const IDEMPOTENCY_KEY = /^[A-Za-z0-9_-]{1,128}$/;

export interface RecordingRouteParts {
  recordings: Recordings;
  settings: StartSettings;
  now: () => number;
}

export function recordingRoutes({ recordings, settings, now }: RecordingRouteParts): Route[] {
  const known = settings.fleets.map(({ name }) => name);

  function requireFleet(name: string | undefined): void {
    if (name !== undefined && !known.includes(name)) throw errors.unknownFleet(name, known);
  }

  const create = defineRoute({
    method: 'post',
    path: '/v1/recordings',
    tag: 'recordings',
    summary: 'Request a recording',
    description:
      'Answers as soon as the request is durable: the recording then waits for capacity, starts exactly once, and is never lost. Repeat a request with the same `Idempotency-Key` as often as you like.',
    auth: 'token',
    headers: [
      {
        name: 'Idempotency-Key',
        description:
          'The same key and body of the same caller (API key, and room of the token) name the same recording, for as long as Temporal keeps it: `Idempotency-Key-Held` of the answer says how long',
        pattern: IDEMPOTENCY_KEY.source,
      },
    ],
    body: recordingBody,
    responses: {
      200: { description: 'This request was accepted before', schema: recordingView },
      201: { description: 'Accepted; `Location` names the recording', schema: recordingView },
    },
    problems: [
      'forbidden',
      'idempotency_conflict',
      'invalid_request',
      'unknown_fleet',
      'unknown_storage',
      'temporal_unavailable',
    ],
    async handler({ body, sent, caller, header }) {
      requireRoom(caller, body);
      requireInlineAllowed(caller, body, settings.inlineStorage);
      requireStorage(body, Object.keys(settings.storages));
      requireFleet(body.fleet);
      requirePublicWebhook(body, settings.webhooks.denies);
      const key = idempotencyKey(header('idempotency-key'));
      const nowMs = now();
      const id = key === undefined ? newRecordingId() : recordingIdForKey(caller, key);
      const input = recordingInput(id, body, settings, nowMs, {
        apiKey: caller.apiKey,
        sent,
        isKeyed: key !== undefined,
      });
      requireLabels(input.request.labels);
      requireStartSoonEnough(body.startAt, nowMs);
      requireTakenByWorkers(input);
      const { isNew, memo } = await recordings.start(input);
      const reply = isNew ? created(input, memo) : await repeated(input, key, memo);
      return key === undefined ? reply : withKeyHeld(reply, recordings.keptForMs());
    },
  });

  /** The same request again: the recording as it is now. */
  async function repeated(input: RecordingInput, key: string | undefined, existing: RecordingMemo): Promise<JsonReply> {
    if (existing.requestHash !== input.requestHash) throw errors.idempotencyConflict(key ?? '', input.id);
    return { status: 200, body: await recordings.show(input.id), headers: { Location: locationOf(input.id) } };
  }

  const list = defineRoute({
    method: 'get',
    path: '/v1/recordings',
    tag: 'recordings',
    summary: 'List recordings',
    description:
      'Open recordings first, the newest of them first, then ended ones, the last to end first. Eventually consistent: a recording appears within about a second.',
    auth: 'token',
    query: listQuery,
    responses: { 200: { description: 'One page', schema: recordingPage } },
    problems: ['invalid_parameter', 'fleet_not_found', 'temporal_unavailable'],
    async handler({ query, caller }) {
      if (caller.onlyRoom !== undefined && query.room !== undefined && query.room !== caller.onlyRoom) {
        throw errors.forbidden(`The access token is for room "${caller.onlyRoom}" only.`);
      }
      if (query.fleet !== undefined && !known.includes(query.fleet)) throw errors.fleetNotFound(query.fleet, known);
      const room = caller.onlyRoom ?? query.room;
      return { status: 200, body: await recordings.list({ ...query, ...defined({ room }) }) };
    },
  });

  const show = defineRoute({
    method: 'get',
    path: '/v1/recordings/:id',
    tag: 'recordings',
    summary: 'Look at one recording',
    auth: 'token',
    params: recordingParams,
    responses: { 200: { description: 'The recording', schema: recordingView } },
    problems: ['recording_not_found', 'temporal_unavailable'],
    async handler({ params, caller }) {
      const view = await recordings.show(params.id);
      if (!mayTouch(caller, view.request)) throw errors.recordingNotFound(params.id);
      return { status: 200, body: view };
    },
  });

  const cancel = defineRoute({
    method: 'post',
    path: '/v1/recordings/:id/cancel',
    tag: 'recordings',
    summary: 'Cancel a recording',
    description: 'Possible in every stage. What was recorded so far is finished and kept.',
    auth: 'token',
    params: recordingParams,
    responses: { 200: { description: 'Cancelled, or stopping', schema: recordingView } },
    problems: ['recording_not_found', 'recording_ended', 'temporal_worker_unavailable'],
    async handler({ params, caller }) {
      await requireTouchable(recordings, caller, params.id);
      return { status: 200, body: await recordings.cancel(params.id, caller.identity) };
    },
  });

  const pause = defineRoute({
    method: 'post',
    path: '/v1/recordings/:id/pause',
    tag: 'recordings',
    summary: 'Pause a recording',
    description:
      'Nothing that happens until it is resumed is in any file. Answered once no worker records it any more. What was recorded becomes a part of its own; maxDuration goes on.',
    auth: 'token',
    params: recordingParams,
    responses: { 200: { description: 'Paused', schema: recordingView } },
    problems: ['recording_not_found', 'recording_ended', 'not_pausable', 'temporal_worker_unavailable'],
    async handler({ params, caller }) {
      await requireTouchable(recordings, caller, params.id);
      return { status: 200, body: await recordings.pause(params.id, caller.identity) };
    },
  });

  const resume = defineRoute({
    method: 'post',
    path: '/v1/recordings/:id/resume',
    tag: 'recordings',
    summary: 'Go on with a paused recording',
    description: 'Begins a next part: like any start it waits for capacity, at most startWithin.',
    auth: 'token',
    params: recordingParams,
    responses: { 200: { description: 'Going on', schema: recordingView } },
    problems: ['recording_not_found', 'recording_ended', 'temporal_worker_unavailable'],
    async handler({ params, caller }) {
      await requireTouchable(recordings, caller, params.id);
      return { status: 200, body: await recordings.resume(params.id) };
    },
  });

  const extend = defineRoute({
    method: 'post',
    path: '/v1/recordings/:id/extend',
    tag: 'recordings',
    summary: 'Let a recording run longer',
    description: 'Moves the end of the recording; 24 hours is the longest a recording may last.',
    auth: 'token',
    params: recordingParams,
    body: extendBody,
    responses: { 200: { description: 'Extended', schema: recordingView } },
    problems: ['recording_not_found', 'recording_ended', 'invalid_extension', 'temporal_worker_unavailable'],
    async handler({ params, body, caller }) {
      await requireTouchable(recordings, caller, params.id);
      const extension =
        body.by === undefined ? { untilMs: Date.parse(body.until ?? '') } : { byMs: parseDuration(body.by) ?? 0 };
      return { status: 200, body: await recordings.extend(params.id, extension) };
    },
  });

  return [create, list, show, cancel, pause, resume, extend];
}

/** Built here, without another round trip: nothing has happened yet that Temporal knows and this process does not. */
function created(input: RecordingInput, memo: RecordingMemo): JsonReply {
  return {
    status: 201,
    body: initialView(input.id, input.fleet, memo),
    headers: { Location: locationOf(input.id) },
  };
}

type JsonReply = Extract<Reply, { body?: unknown }>;

/** Afterwards the key names a new recording. */
function withKeyHeld(reply: JsonReply, keptForMs: number | undefined): Reply {
  if (keptForMs === undefined) return reply;
  const held = `until ${formatDuration(keptForMs)} after the recording has ended`;
  return { ...reply, headers: { ...reply.headers, 'Idempotency-Key-Held': held } };
}

function locationOf(id: string): string {
  return `/v1/recordings/${id}`;
}

function idempotencyKey(value: string | undefined): string | undefined {
  if (value === undefined || IDEMPOTENCY_KEY.test(value)) return value;
  throw errors.invalidParameter([
    {
      field: 'Idempotency-Key',
      value: value.slice(0, 128),
      message: 'is not 1 to 128 letters, digits, "_" and "-"',
      remedy: 'use for example a UUID',
    },
  ]);
}

function requireRoom(caller: Caller, request: AskedRecording): void {
  if (mayTouch(caller, request)) return;
  throw errors.forbidden(`The access token is for room "${caller.onlyRoom}" only.`);
}

/** One that is past is now: a request may have waited to be sent. */
function requireStartSoonEnough(startAt: string | undefined, nowMs: number): void {
  const latestMs = nowMs + LIMITS.startAheadMs;
  if (startAt === undefined || Date.parse(startAt) <= latestMs) return;
  const remedy = `use a time before ${new Date(latestMs).toISOString()}, and ask for later ones later`;
  const message = `is more than ${formatDuration(LIMITS.startAheadMs)} ahead`;
  throw errors.invalidRequest([{ field: 'startAt', value: startAt, message, remedy }]);
}

/** None is too long by itself; those of the rules come on top. */
function requireLabels(labels: Record<string, string>): void {
  const message = labelsProblem(labels);
  if (message === undefined) return;
  const remedy = "send fewer or shorter labels: those of the configuration's rules count, too";
  throw errors.invalidRequest([{ field: 'labels', message, remedy }]);
}

/** The same that LiveKit's clients are refused: outputs that do not go together once their names are filled in, and the like. */
function requireTakenByWorkers({ wire }: RecordingInput): void {
  const refusal = refusalOf(decodeStart(Buffer.from(wire, 'base64')));
  if (!refusal) return;
  const message = `makes a request that every worker refuses: ${refusal.message}`;
  throw errors.invalidRequest([{ field: 'outputs', message, remedy: 'change what it names, or leave it out' }]);
}

function requireStorage(request: AskedRecording, known: string[]): void {
  for (const output of request.outputs) {
    const storage = 'storage' in output ? output.storage : undefined;
    if (typeof storage === 'string' && !known.includes(storage)) throw errors.unknownStorage(storage, known);
  }
}

/** What a name stands for is looked at when it is sent; here, what can be told at once. */
function requirePublicWebhook({ webhook }: AskedRecording, denies: StartSettings['webhooks']['denies']): void {
  if (!webhook || !denies(new URL(webhook.url).hostname)) return;
  const message = 'is at a private address';
  const remedy = 'use a public one, or have it listed in webhooks.allow of the configuration';
  throw errors.invalidRequest([{ field: 'webhook.url', value: '(hidden)', message, remedy }]);
}

/** A storage that a request brings is written to by the workers, from where they stand. */
function requireInlineAllowed(caller: Caller, request: AskedRecording, inline: StartSettings['inlineStorage']): void {
  const index = request.outputs.findIndex((output) => 'storage' in output && isInline(output.storage));
  if (index < 0 || inline === 'all' || (inline === 'operators' && caller.onlyRoom === undefined)) return;
  const who = inline === 'none' ? 'nobody' : 'only an access token without a room';
  throw errors.forbidden(
    `outputs.${index}.storage: ${who} may bring a storage of its own (api.inlineStorage is "${inline}"). Name a configured storage instead.`,
  );
}

/** Asks Temporal only for callers that are restricted; to them the recordings of other rooms do not exist. */
export async function requireTouchable(recordings: Recordings, caller: Caller, id: string): Promise<void> {
  if (caller.onlyRoom === undefined) return;
  const state = await recordings.peek(id);
  if (!state || !mayTouch(caller, state.memo.request)) throw errors.recordingNotFound(id);
}

export function mayTouch(caller: Caller, request: Pick<AskedRecording, 'source'>): boolean {
  return caller.onlyRoom === undefined || roomOf(request.source) === caller.onlyRoom;
}
