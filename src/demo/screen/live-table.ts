// The table that a terminal shows while the recordings run: one row a recording, then the fleet. Pure: lines in, no ANSI out.

import { roomOf } from '../../recording/source.ts';
import type { Actor } from '../cast.ts';
import { describeRecording, describeWorkers, type Look } from '../look.ts';
import { clip, secondsText, textTable } from './text-table.ts';

export interface LiveTableOptions {
  cast: readonly Actor[];
  look: Look;
  columns: number;
  /** More rows than this are summed up in one line. */
  maxRows: number;
}

export function liveTable({ cast, look, columns, maxRows }: LiveTableOptions): string[] {
  const rows = cast.map((actor, i) => ({ actor, view: look.recordings[i] }));
  const shown = rows.length <= maxRows ? rows : rows.slice(0, Math.max(0, maxRows - 1));
  const left = rows.length - shown.length;
  const table = textTable(
    [
      { title: 'ROOM', text: ({ actor, view }) => (view && roomOf(view.request.source)) ?? actor.room },
      { title: 'STAGE     ', text: ({ view }) => view?.stage ?? 'requested' },
      { title: 'RECORDED', align: 'right', text: ({ view }) => secondsText(recordedMs(view, look.atMs)) },
      { title: 'NOW', text: ({ view }) => describeRecording(view, look.atMs) },
    ],
    shown,
  );
  return [
    ...table,
    ...(left > 0 ? [`and ${left} more`] : []),
    '',
    `Workers  ${describeWorkers(look.fleet)}`,
    ...(look.fleet ? [`Cores    ${look.fleet.demandCores} wanted, ${look.fleet.capacityCores} there or booting`] : []),
  ].map((line) => clip(line, columns));
}

function recordedMs(view: Look['recordings'][number], nowMs: number): number | undefined {
  if (view?.startedAtMs === undefined) return undefined;
  const files = view.parts.flatMap((part) => part.files);
  if (files.length > 0 && view.endedAtMs !== undefined) return files.reduce((sum, file) => sum + file.durationMs, 0);
  return Math.max(0, (view.endedAtMs ?? nowMs) - view.startedAtMs);
}
