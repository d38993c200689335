// Pauses of a recording: nothing of that time is in any file. A pause ends a part, the next one begins after it. Pure.
import { defined } from '../common/defined.ts';
import { isEnded } from './stage.ts';
import type { Pause, RecordingView } from './view.ts';

/** Each leaves a part: keeps a recording inside Temporal's limit on history. */
export const MAX_PAUSES = 50;

type Pausable = Pick<RecordingView, 'stage' | 'pauses'>;

/** The pause that was asked for and lasts. */
export function presentPause({ pauses }: Pausable): Pause | undefined {
  const last = pauses?.at(-1);
  return last?.untilMs === undefined ? last : undefined;
}

/** @returns undefined when it may be paused, or is */
export function whyNotPause(view: Pausable): { type: 'RecordingEnded' | 'NotPausable'; message: string } | undefined {
  const { stage, pauses = [] } = view;
  if (isEnded(stage) || stage === 'stopping')
    return { type: 'RecordingEnded', message: `the recording is ${isEnded(stage) ? stage : 'being stopped'}` };
  if (stage === 'scheduled')
    return { type: 'NotPausable', message: 'the recording has not begun: cancel it, or pause it once it is due' };
  if (!presentPause(view) && pauses.length >= MAX_PAUSES)
    return { type: 'NotPausable', message: `the recording was paused ${MAX_PAUSES} times, and no more is possible` };
  return undefined;
}

/** @param by who asked */
export function pause(view: RecordingView, by: string | undefined, nowMs: number): void {
  if (whyNotPause(view) || presentPause(view)) return;
  view.pauses = [...(view.pauses ?? []), { sinceMs: nowMs, ...defined({ by }) }];
}

/** Also when the recording ends. */
export function endPause(view: RecordingView, nowMs: number): void {
  const present = presentPause(view);
  if (present) present.untilMs = nowMs;
}
