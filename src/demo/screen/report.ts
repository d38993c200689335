// The end of a demo in words and as data: the result table, what did not hold, the closing line. Pure.

import type { RecordingView } from '../../recording/view.ts';
import type { Evidence, Failure, RecordingEvidence } from '../checks/evidence.ts';
import { secondsText, sizeText, textTable } from './text-table.ts';

export interface Outcome {
  evidence: Evidence;
  failures: readonly Failure[];
  /** Of the whole run. */
  elapsedMs: number;
}

export function isVerified(room: string, failures: readonly Failure[]): boolean {
  return failures.every(({ about }) => about !== room);
}

export function resultTable({ evidence, failures }: Outcome): string[] {
  return textTable<RecordingEvidence>(
    [
      { title: 'ROOM', text: ({ actor }) => actor.room },
      { title: 'ASKED', text: ({ actor }) => (actor.door === 'sdk' ? "LiveKit's SDK" : 'API') },
      { title: 'RECORDING', text: ({ view }) => view?.id ?? '-' },
      { title: 'STAGE', text: ({ view }) => view?.stage ?? 'not accepted' },
      { title: 'REASON', text: ({ view }) => view?.reason?.code ?? '-' },
      { title: 'WAITED', align: 'right', text: ({ view }) => secondsText(view?.spent?.queueMs) },
      { title: 'STARTED AFTER', align: 'right', text: ({ view }) => secondsText(startedAfterMs(view)) },
      { title: 'LENGTH', align: 'right', text: (recording) => lengthText(recording) },
      { title: 'SIZE', align: 'right', text: ({ files }) => sizeText(sumOf(files, ({ media }) => media?.sizeBytes)) },
      { title: 'WORKER', text: ({ view }) => view?.parts.map(({ worker }) => worker?.id ?? '-').join(' ') || '-' },
      { title: 'VERDICT', text: ({ actor }) => (isVerified(actor.room, failures) ? 'verified' : 'FAILED') },
    ],
    evidence.recordings,
  );
}

export function failureLines(failures: readonly Failure[]): string[] {
  return failures.flatMap(({ about, expected, seen, log }) => [
    `${about}: expected ${expected}`,
    `  seen: ${seen}`,
    `  read: ${log}`,
  ]);
}

export function closingLine({ evidence, failures }: Outcome): string {
  const { recordings, fleet } = evidence;
  const verified = recordings.filter(({ actor }) => isVerified(actor.room, failures)).length;
  const line = `${verified}/${recordings.length} recordings verified`;
  if (failures.length === 0) return line;
  const others = failures.filter(({ about }) => about === 'fleet').length;
  return others > 0 ? `${line}; the fleet: ${others} expectations failed (${fleet.mostWorkers} workers at most)` : line;
}

/** What `--json` prints. */
export function resultData({ evidence, failures, elapsedMs }: Outcome, keptIn: string | undefined) {
  return {
    ok: failures.length === 0,
    verified: evidence.recordings.filter(({ actor }) => isVerified(actor.room, failures)).length,
    total: evidence.recordings.length,
    elapsedMs: Math.round(elapsedMs),
    fleet: evidence.fleet,
    recordings: evidence.recordings.map(({ actor, view, files }) => ({
      room: actor.room,
      role: actor.role,
      id: view?.id,
      stage: view?.stage,
      reason: view?.reason,
      waitedMs: view?.spent?.queueMs,
      startedAfterMs: startedAfterMs(view),
      egressIds: view?.parts.flatMap(({ egressId }) => egressId ?? []) ?? [],
      files: files.map(({ path, media, toneHz, problem }) => ({
        path,
        durationMs: media && Math.round(media.durationSeconds * 1_000),
        sizeBytes: media?.sizeBytes,
        streams: media?.streams.map(({ type, codec }) => `${type} ${codec}`),
        toneHz,
        problem,
      })),
      verified: isVerified(actor.room, failures),
    })),
    failures,
    ...(keptIn ? { keptIn } : {}),
  };
}

function startedAfterMs(view: RecordingView | undefined): number | undefined {
  return view?.startedAtMs === undefined ? undefined : view.startedAtMs - view.requestedAtMs;
}

function lengthText({ files }: RecordingEvidence): string {
  const read = files.filter(({ media }) => media);
  return read.length === 0 ? '-' : secondsText(sumOf(read, ({ media }) => media?.durationSeconds) * 1_000);
}

function sumOf<T>(items: readonly T[], numberOf: (item: T) => number | undefined): number {
  return items.reduce((sum, item) => sum + (numberOf(item) ?? 0), 0);
}
