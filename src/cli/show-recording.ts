// A recording on a terminal: everything an operator asks next, in the order in which it is asked.
import { formatDuration } from '../recording/duration.ts';
import { presentPause } from '../recording/pauses.ts';
import type { RecordingRequest } from '../recording/request.ts';
import { roomOf } from '../recording/source.ts';
import type { PartView, RecordingView } from '../recording/view.ts';
import { ago, at, facts } from './print.ts';

export function describeRecording(view: RecordingView, nowMs: number): string {
  const { request, waiting, spent, reason } = view;
  const main = facts([
    ['recording', view.id],
    ['stage', view.stage],
    ['reason', reason && `${reason.code}: ${reason.message}`],
    ['waiting', waiting && `for ${waiting.for}, since ${ago(waiting.sinceMs, nowMs)}: ${waiting.detail}`],
    ['place', placeOf(waiting, nowMs)],
    ['paused', pausedOf(view, nowMs)],
    ['source', describeSource(request)],
    ['fleet', view.fleet],
    ['tenant', request.tenant],
    ['labels', labelsOf(request)],
    ['webhook', request.webhook && `${request.webhook.url} (reelkit webhooks show ${view.id})`],
    ['priority', String(request.priority)],
    ['requested', `${at(view.requestedAtMs)} (${ago(view.requestedAtMs, nowMs)})`],
    ['due', request.startAt],
    ['start by', view.startedAtMs === undefined ? at(view.startDeadlineMs) : undefined],
    ['started', at(view.startedAtMs)],
    ['spent', spent && `${formatDuration(spent.queueMs)} in the queue, ${formatDuration(spent.startMs)} to start`],
    ['ends by', view.endedAtMs === undefined ? at(view.endDeadlineMs) : undefined],
    ['ended', at(view.endedAtMs)],
  ]);
  return main + view.parts.map((part) => describePart(part, nowMs)).join('');
}

function placeOf(waiting: RecordingView['waiting'], nowMs: number): string | undefined {
  if (waiting?.position === undefined) return undefined;
  return `${waiting.position} in the queue, a worker ${expected(waiting.expectedAtMs, nowMs)}`;
}

function pausedOf(view: RecordingView, nowMs: number): string | undefined {
  const present = presentPause(view);
  return present && `since ${ago(present.sinceMs, nowMs)}${present.by === undefined ? '' : `, by ${present.by}`}`;
}

function expected(atMs: number | undefined, nowMs: number): string {
  return atMs === undefined ? 'at a time nobody knows' : `in ${formatDuration(Math.max(0, atMs - nowMs))}`;
}

function describeSource({ source }: RecordingRequest): string {
  if (source.type === 'web') return `web ${source.url}`;
  const kind = 'audioOnly' in source && source.audioOnly ? 'audio only' : undefined;
  const identity = source.type === 'participant' ? `participant ${source.identity}` : undefined;
  const detail = [source.type === 'tracks' ? 'tracks' : undefined, identity, kind].filter(Boolean).join(', ');
  return `room ${roomOf(source)}${detail ? ` (${detail})` : ''}`;
}

function labelsOf({ labels }: RecordingRequest): string | undefined {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return pairs.length > 0 ? pairs.join(' ') : undefined;
}

function describePart(part: PartView, nowMs: number): string {
  const end = part.end && [part.end.status, part.end.details, part.end.error].filter(Boolean).join(', ');
  const { awaitsMediaSinceMs: sinceMs } = part;
  const awaits = sinceMs && `waits for somebody to publish, since ${ago(sinceMs, nowMs)}`;
  const attempts = part.attempts > 1 ? `, ${part.attempts} attempts` : '';
  const head = `\npart ${part.number}: ${part.egressId ?? 'no egress yet'}${attempts}${end || awaits ? `: ${end || awaits}` : ''}\n`;
  const files = part.files.map(
    (file) =>
      `  ${file.location || file.filename}  ${size(file.sizeBytes)}, ${formatDuration(file.durationMs)}, storage ${file.storage}\n`,
  );
  const manifest = part.manifestLocation ? [`  ${part.manifestLocation}  manifest of the worker\n`] : [];
  const warnings = (part.warnings ?? []).map(({ code, message }) => `  warning ${code}: ${message}\n`);
  return head + [...files, ...manifest, ...warnings].join('');
}

export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1_000 ** step).toFixed(step ? 1 : 0)} ${units[step]}`;
}
