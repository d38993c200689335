// One look at everything the demo watches, and the words it is told in. Pure.

import type { FleetView } from '../api/schemas.ts';
import { isEnded } from '../recording/stage.ts';
import type { RecordingView } from '../recording/view.ts';
import type { Actor, Timing } from './cast.ts';

export interface Look {
  atMs: number;
  /** In the order of the cast; undefined as long as a recording was never seen. */
  recordings: readonly (RecordingView | undefined)[];
  fleet: FleetView | undefined;
}

export type WorkerCounts = Record<'booting' | 'ready' | 'busy' | 'draining' | 'unreachable', number>;

/** Workers that have ended are still listed for a while, so that their reason can be read. */
export function liveWorkers(fleet: FleetView | undefined): FleetView['workers'] {
  return (fleet?.workers ?? []).filter(({ state }) => state !== 'gone');
}

/** `ready` are the idle ones; a draining worker counts as draining, whether it still records or not. */
export function countWorkers(fleet: FleetView | undefined): WorkerCounts {
  const counts: WorkerCounts = { booting: 0, ready: 0, busy: 0, draining: 0, unreachable: 0 };
  for (const { state, busy } of liveWorkers(fleet)) {
    if (state !== 'gone') counts[state === 'ready' && busy ? 'busy' : state] += 1;
  }
  return counts;
}

export function describeWorkers(fleet: FleetView | undefined): string {
  if (!fleet) return 'not known yet';
  const present = Object.entries(countWorkers(fleet)).filter(([, count]) => count > 0);
  return present.map(([state, count]) => `${count} ${state === 'ready' ? 'idle' : state}`).join(', ') || 'none';
}

/** What a recording does at the moment, beside its stage. */
export function describeRecording(view: RecordingView | undefined, nowMs: number): string {
  if (!view) return '';
  if (view.reason) return `${view.reason.code}: ${view.reason.message}`;
  if (view.waiting) return `for ${view.waiting.for}: ${view.waiting.detail}`;
  const part = view.parts.at(-1);
  const words = [part?.egressId, part && part.number > 1 ? `part ${part.number}` : undefined, remaining(view, nowMs)];
  return words.filter(Boolean).join(', ');
}

function remaining({ stage, endDeadlineMs }: RecordingView, nowMs: number): string | undefined {
  if (stage !== 'recording' || endDeadlineMs === undefined) return undefined;
  return `${Math.max(0, Math.round((endDeadlineMs - nowMs) / 1_000))} s left`;
}

export type Action = Exclude<Actor['role'], 'max_duration'>;

/** Whether it is time to do to this recording what its role asks for. */
export function dueAction({ role }: Actor, timing: Timing, view: RecordingView | undefined, nowMs: number) {
  if (role === 'max_duration' || view?.stage !== 'recording' || view.startedAtMs === undefined) return undefined;
  const recordedMs = nowMs - view.startedAtMs;
  const afterMs = { extended: 1_000, cancelled: timing.cancelAfterMs, room_closes: timing.closeAfterMs }[role];
  return recordedMs >= afterMs ? (role satisfies Action) : undefined;
}

export function allRecordingOrBeyond({ recordings }: Look): boolean {
  return recordings.every((view) => view?.startedAtMs !== undefined || (view && isEnded(view.stage)));
}

export function allEnded({ recordings }: Look): boolean {
  return recordings.every((view) => view && isEnded(view.stage));
}

/** Known to be empty: a look at the fleet that failed in part proves nothing. */
export function fleetIsEmpty({ fleet }: Look): boolean {
  return fleet !== undefined && liveWorkers(fleet).length === 0 && fleet.problems.length === 0;
}
