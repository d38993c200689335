// Does an egress live? Two witnesses: the bus, where it listens for its stop until its process ends, and its worker's own port or its
// platform. Gone from the one with its worker gone by the other is proof; anything less is a suspicion. Pure.
import type { ObservedWorker } from './observation.ts';
import { CUT_OFF_LIMIT_MS, SILENT_LIMIT_MS } from './policy.ts';

/** What its worker's side says: the port, or the platform where the port cannot. */
export type WorkerWord =
  | 'shows'
  | 'hides'
  /** Nothing listens at the port. */
  | 'closed'
  /** The platform says that the worker ended, or lists it no more. */
  | 'ended'
  /** The platform does not reach the machine, and the port does not answer. */
  | 'cut_off'
  | 'silent'
  /** For longer than a worker that lives may be. */
  | 'long_silent'
  /** Nobody knows which worker it is on. */
  | 'unknown';

export type Verdict = 'alive' | 'suspect' | 'lost';

const WHEN_ON_BUS: Record<WorkerWord, Verdict> = {
  shows: 'alive',
  hides: 'alive',
  silent: 'alive',
  unknown: 'alive',
  // Redis notices a dead machine late, or not at all.
  closed: 'suspect',
  ended: 'suspect',
  cut_off: 'alive',
  long_silent: 'suspect',
};

const WHEN_OFF_BUS: Record<WorkerWord, Verdict> = {
  shows: 'suspect',
  // The usual end: a worker that lives reports it, a moment later.
  hides: 'suspect',
  closed: 'lost',
  ended: 'lost',
  cut_off: 'lost',
  silent: 'suspect',
  long_silent: 'lost',
  unknown: 'suspect',
};

export function fateOf(onBus: boolean, word: WorkerWord): Verdict {
  return (onBus ? WHEN_ON_BUS : WHEN_OFF_BUS)[word];
}

/** @param silentMs since when its port has not answered; it does not matter while it does */
export function wordOf(worker: ObservedWorker | undefined, egressId: string, silentMs: number): WorkerWord {
  if (!worker || worker.state === 'gone') return 'ended';
  if (worker.answered) return worker.egresses.some((egress) => egress.egressId === egressId) ? 'shows' : 'hides';
  if (worker.portClosed) return 'closed';
  if (silentMs >= (worker.cutOff ? CUT_OFF_LIMIT_MS : SILENT_LIMIT_MS)) return 'long_silent';
  return worker.cutOff ? 'cut_off' : 'silent';
}

const WORDS: Record<WorkerWord, string> = {
  shows: 'its worker shows it',
  hides: 'its worker answers and does not show it',
  closed: "nothing listens at its worker's port",
  ended: 'its worker has ended',
  cut_off: "its worker's machine is cut off",
  silent: 'its worker does not answer',
  long_silent: 'its worker has not answered for long',
  unknown: 'nobody knows its worker',
};

/** For people; decisions are made by verdicts. */
export function evidenceOf(onBus: boolean, word: WorkerWord): string {
  return `${onBus ? 'it still listens on the bus' : 'it has left the bus'}, and ${WORDS[word]}`;
}
