// From a valid request to what Temporal is asked to start, and to the view that is answered. Pure.
import { defined } from '../../common/defined.ts';
import type { Config } from '../../config/schema.ts';
import type { Storage } from '../../config/storages.ts';
import { costOf } from '../../fleet/cost.ts';
import { type ServingFleets, servingFleet } from '../../fleet/serving.ts';
import { keepFolderFor, lowerRequest, redactUrl, sourceOf, withoutUrlSecrets } from '../../livekit/request/index.ts';
import { cutToBytes } from '../../recording/bytes.ts';
import { withDefaults } from '../../recording/defaults.ts';
import { formatDuration } from '../../recording/duration.ts';
import { dueAtMs, openRecording } from '../../recording/open.ts';
import type { AskedRecording, RecordingRequest, RecordingSource } from '../../recording/request.ts';
import { isInline, withoutKeys } from '../../recording/request-storage.ts';
import { applyRules, type Rule, type RuleSubject } from '../../recording/rules.ts';
import { roomOf } from '../../recording/source.ts';
import type { RecordingView } from '../../recording/view.ts';
import { type ReceiverRule, receiversOf, shownAddress } from '../../recording/webhooks/receivers.ts';
import type { RecordingInput, RecordingMemo } from '../../workflows/messages.ts';
import { canonicalHash } from './ids.ts';

export interface StartSettings {
  fleets: ServingFleets;
  rules: readonly Rule[];
  storages: Record<string, Storage>;
  /** Of requests that name none. */
  defaultStorage: string;
  pathTemplate: string;
  /** Whose requests may bring a storage of their own. */
  inlineStorage: Config['api']['inlineStorage'];
  webhooks: {
    /** Those of the configuration. */
    receivers: readonly ReceiverRule[];
    /** Whether they may not go to a host, as far as that can be told of its name or address. */
    denies: (host: string) => boolean;
  };
}

/** Temporal's limit on static summaries, in bytes. */
const SUMMARY_BYTES = 200;

export interface AskedBy {
  /** Of the token. */
  apiKey: string;
  /** The body as it was sent. */
  sent: unknown;
  /** Its id comes from a key that may be used again when nobody knows the recording any more: its files must not meet earlier ones. */
  isKeyed?: boolean;
}

export function recordingInput(
  id: string,
  asked: AskedRecording,
  settings: StartSettings,
  nowMs: number,
  { apiKey, sent, isKeyed = false }: AskedBy,
): RecordingInput {
  const subject = subjectOf(asked, apiKey);
  const rule = applyRules(settings.rules, subject);
  const fleet = servingFleet(settings.fleets, asked.fleet ?? rule.fleet);
  const stored = withStorage(withDefaults(asked, rule), settings.defaultStorage);
  const receivers = receiversOf(
    settings.webhooks.receivers,
    { ...subject, labels: stored.labels },
    // The key that asked signs: whoever holds its secret can verify, and needs no other.
    asked.webhook && { ...asked.webhook, apiKey },
  );
  const recordingName = isKeyed ? `${id}-${stampOf(nowMs)}` : id;
  const context = { egressId: id, recordingName, noManifest: isKeyed, roomId: '', atMs: nowMs, settings };
  const { message, storages } = lowerRequest(stored, context);
  const keepFolder = keepFolderFor(message, storages, settings.storages);
  return {
    id,
    fleet: fleet.name,
    request: withoutSecrets(stored),
    costCores: costOf(sourceOf(message), fleet.costs),
    requestedAtMs: nowMs,
    // Without rules and defaults: one that changed meanwhile makes no repetition another request.
    requestHash: canonicalHash(sent),
    wire: Buffer.from(message.toBinary()).toString('base64'),
    storages,
    origin: 'api',
    ...defined({ keepFolder }),
    ...(receivers.length > 0 ? { receivers } : {}),
  };
}

/** Second and zone apart from a time of day: 20301231T235959. */
function stampOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
}

function subjectOf({ source, labels }: AskedRecording, apiKey: string): RuleSubject {
  const room = roomOf(source);
  return {
    source: source.type,
    ...defined({ room }),
    apiKey,
    ...defined({ labels }),
  };
}

/** What was accepted stays what is done, also when the configured default changes before the recording starts. */
function withStorage(request: RecordingRequest, fallback: string): RecordingRequest {
  return {
    ...request,
    outputs: request.outputs.map((output) =>
      output.type === 'stream' ? output : { ...output, storage: output.storage ?? fallback },
    ),
  };
}

/** The view shows where an output goes, not with which keys; of addresses, what is no password. */
function withoutSecrets(request: RecordingRequest): RecordingRequest {
  const { webhook } = request;
  return {
    ...request,
    source: withoutUrlSecrets(request.source),
    ...(webhook ? { webhook: { ...webhook, url: shownAddress(webhook.url) } } : {}),
    outputs: request.outputs.map((output) => {
      if (output.type === 'stream') return { ...output, urls: output.urls.map(redactUrl) };
      return isInline(output.storage) ? { ...output, storage: withoutKeys(output.storage) } : output;
    }),
  };
}

export function recordingMemo(input: RecordingInput): RecordingMemo {
  const startAtMs = dueAtMs(input);
  return {
    costCores: input.costCores,
    requestHash: input.requestHash,
    requestedAtMs: input.requestedAtMs,
    request: input.request,
    ...(startAtMs > input.requestedAtMs ? { startAtMs } : {}),
    ...(input.noRoom === undefined ? {} : { noRoom: input.noRoom }),
  };
}

/** The recording as it is before any workflow task ran; the workflow begins with the same. */
export function initialView(id: string, fleet: string, memo: RecordingMemo): RecordingView {
  const { request, requestedAtMs, noRoom } = memo;
  return openRecording({ id, fleet, request, requestedAtMs, ...defined({ noRoom }) });
}

/** One line for the Web UI's list. */
export function staticSummary(request: RecordingRequest): string {
  const { source } = request;
  const what = source.type === 'web' ? `web ${placeOf(source.url)}` : `room ${source.room}${detailOf(source)}`;
  return cutToBytes(what.replaceAll(/\s+/g, ' '), SUMMARY_BYTES, '…');
}

/** Markdown for the Web UI's details. */
export function staticDetails(input: RecordingInput): string {
  const { request } = input;
  const room = roomOf(request.source);
  const rows: [string, string][] = [
    ['recording', input.id],
    ['source', request.source.type],
    ...(room === undefined ? [] : [['room', room] satisfies [string, string]]),
    ['cost', `${input.costCores} CPU cores`],
    ['priority', String(request.priority)],
    ...(request.startAt ? [['due', request.startAt] satisfies [string, string]] : []),
    ['capacity within', formatDuration(request.startWithin)],
    ['longest', formatDuration(request.maxDuration)],
    ['fleet', input.fleet],
    ...(request.tenant === undefined ? [] : [['tenant', request.tenant] satisfies [string, string]]),
    ...Object.entries(request.labels).map(([key, value]): [string, string] => [`label ${key}`, value]),
  ];
  return rows.map(([name, value]) => `- **${name}**: ${inline(value)}`).join('\n');
}

function detailOf(source: RecordingSource): string {
  if (source.type === 'participant') return `, participant ${source.identity}`;
  if (source.type === 'tracks') return ', tracks';
  return '';
}

function placeOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}

function inline(value: string): string {
  return `\`${value.replaceAll(/[`\r\n]/g, ' ')}\``;
}
