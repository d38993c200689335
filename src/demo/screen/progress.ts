// What changed between two looks, as plain lines: for logs, pipes and CI. Pure; a terminal also gets the table of live-table.ts.

import type { RecordingView } from '../../recording/view.ts';
import type { Actor } from '../cast.ts';
import { describeRecording, describeWorkers, type Look } from '../look.ts';
import { clip, secondsText } from './text-table.ts';

const nameWidth = 10;
/** The whole line is in the log and in `reelkit fleet explain`. */
const longestDecision = 240;

/** Newest decisions last, each told once. */
export function newDecisions(before: Look | undefined, after: Look, cast: readonly Actor[]): string[] {
  const key = ({ pass, line }: { pass: number; line: string }) => `${pass} ${line}`;
  const told = new Set((before?.fleet?.decisions ?? []).map(key));
  const fresh = (after.fleet?.decisions ?? []).filter((decision) => !told.has(key(decision)));
  return fresh.reverse().map(({ line }) => named('fleet', clip(withRoomNames(line, after, cast), longestDecision)));
}

/** Decisions name recordings by id; who watches knows the rooms. */
function withRoomNames(line: string, { recordings }: Look, cast: readonly Actor[]): string {
  return recordings.reduce((text, view, i) => (view ? text.replaceAll(view.id, cast[i]?.room ?? view.id) : text), line);
}

export function newProblems(before: Look | undefined, after: Look): string[] {
  const told = new Set(before?.fleet?.problems ?? []);
  return (after.fleet?.problems ?? []).filter((line) => !told.has(line)).map((line) => named('fleet', `! ${line}`));
}

export function changedRecordings(before: Look | undefined, after: Look, cast: readonly Actor[]): string[] {
  return cast.flatMap(({ room }, i) => {
    const view = after.recordings[i];
    if (!view || summary(before?.recordings[i]) === summary(view)) return [];
    return [named(room, describeChange(view, after.atMs))];
  });
}

export function changedWorkers(before: Look | undefined, after: Look): string[] {
  if (!after.fleet) return [];
  const text = describeWorkers(after.fleet);
  return before?.fleet && describeWorkers(before.fleet) === text ? [] : [named('workers', text)];
}

export function named(name: string, text: string): string {
  return `${name.padEnd(nameWidth)} ${text}`;
}

/** Two views with the same summary are not worth a line of their own. */
function summary(view: RecordingView | undefined): string {
  return view ? `${view.stage} ${view.parts.length} ${view.waiting?.for ?? ''}` : '';
}

function describeChange(view: RecordingView, nowMs: number): string {
  const waited =
    view.spent && view.stage === 'recording' ? `after ${secondsText(view.spent.queueMs)} in the queue` : '';
  return [view.stage, describeRecording(view, nowMs), waited].filter(Boolean).join(', ');
}
