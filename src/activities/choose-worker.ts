// Which worker a recording is sent to. Looks at the workers themselves, shares the look for a moment, and holds what this process has
// just sent until a worker shows it. It promises no room: the worker's own claim decides.
import { type Bin, binOf, place } from '../fleet/admission.ts';
import { type DoubtCode, isPassedOver } from '../fleet/doubt.ts';
import { isOldList, type ObservedWorker, type Sight } from '../fleet/observation.ts';
import type { Presence } from '../livekit/presence.ts';
import { DISPATCH_LIMIT_MS } from '../livekit/workers.ts';
import type { AssignedWorker } from '../recording/start-outcome.ts';
import type { PartInspection } from './contract.ts';

export interface WorkerChoice {
  /**
   * The fullest worker with room, beside what others hold there; held for this recording until it starts, is released, or a moment
   * has passed.
   */
  choose(recordingId: string, costCores: number, limits?: ChoiceLimits): Promise<AssignedWorker | { missing: string }>;
  /** It did not start there: others may have the room. */
  release(recordingId: string): void;
  /** It did; held until the worker shows this egress itself. */
  started(recordingId: string, egressId: string): void;
  /** A worker did not claim what it was sent in time: it is passed over for a while, longer each time until one starts there. */
  noteUnanswered(topic: string): void;
  /** What it took never recorded: the same, for longer. */
  noteHung(topic: string): void;
  /**
   * `no` and `dead` take two witnesses: it has left the bus, and its worker's port is closed or does not show it. `yes` takes a word: a
   * frozen process goes on listening.
   * @param active what workers say on the bus that they run
   * @param worker it was sent to; without it every worker is asked
   */
  whereIs(
    egressId: string,
    active: () => Promise<ReadonlySet<string>>,
    worker?: AssignedWorker,
  ): Promise<PartInspection['onWorker']>;
  /** When its platform ends that worker, where that is announced. */
  endsAtMs(worker: AssignedWorker): Promise<number | undefined>;
  /** The worker whose port shows it. */
  shownBy(egressId: string): Promise<AssignedWorker | undefined>;
}

export interface ChoiceLimits {
  /** Topics that were tried. */
  not?: ReadonlySet<string>;
  /** The fleet just promised room. */
  admitted?: boolean;
  /** Topic of the only one that may be chosen. */
  onto?: string | undefined;
}

export interface WorkerChoiceOptions {
  /** The marks as they are now: whoever chooses sends at once, and a look may be older than they. Without it the look tells. */
  marks?: Pick<Presence, 'cordoned' | 'doubts' | 'doubt' | 'trust' | 'began'>;
  /** Why no worker can be launched, as far as this process knows. */
  launchProblem?: () => string | undefined;
  now?: () => number;
}

interface Hold {
  topic: string;
  costCores: number;
  untilMs: number;
  egressId?: string;
  /** It may not take the start either. */
  doubted?: DoubtCode;
}

/** A look is shared this long, so that a burst of starts asks the workers once. */
const FRESH_MS = 500;
/** The same for who was admitted: the room it was promised may be younger than an older look. */
const ADMITTED_FRESH_MS = 100;
/** From the choice to the worker's answer: a workflow task, and a dispatch. */
const CHOSEN_MS = 5_000 + DISPATCH_LIMIT_MS;
/** By then a started egress shows in its worker's own answer. */
const STARTED_MS = 3_000;
const SHOWN_REASONS = 3;

export function createWorkerChoice(
  observe: (listNotBeforeMs?: number) => Promise<Sight>,
  { marks, launchProblem = () => undefined, now = Date.now }: WorkerChoiceOptions = {},
): WorkerChoice {
  const holds = new Map<string, Hold>();
  let shared: { atMs: number; listed: boolean; sight: Promise<Sight> } | undefined;

  /** @param listed the platform's list must be as new: whoever is absent from it counts as gone */
  function sightSince(notBeforeMs: number, listed = false): Promise<Sight> {
    if (shared && shared.atMs >= notBeforeMs && (shared.listed || !listed)) return shared.sight;
    const mine = { atMs: now(), listed, sight: observe(listed ? notBeforeMs : undefined) };
    shared = mine;
    mine.sight.catch(() => {
      if (shared === mine) shared = undefined;
    });
    return mine.sight;
  }

  async function withMarks({ workers, ...rest }: Sight): Promise<Sight> {
    if (!marks) return { workers, ...rest };
    const topics = workers.flatMap(({ topic }) => topic ?? []);
    const [cordoned, doubts] = await Promise.all([marks.cordoned(topics), marks.doubts(topics)]);
    return {
      ...rest,
      workers: workers.map(({ doubt: _, ...one }) => {
        const doubt = doubts.get(one.topic ?? '');
        return { ...one, cordoned: cordoned.has(one.topic ?? ''), ...(doubt ? { doubt } : {}) };
      }),
    };
  }

  /** Those that may be sent to, filled with what others hold there. */
  function candidates(workers: readonly ObservedWorker[], recordingId: string): Candidate[] {
    const found = workers.flatMap((worker) => (canTake(worker) ? [{ worker, bin: binOf(worker, 'ready') }] : []));
    for (const [id, hold] of holds) {
      const candidate = found.find(({ worker }) => worker.topic === hold.topic);
      const isShown = candidate?.worker.egresses.some(({ egressId }) => egressId === hold.egressId);
      if (hold.untilMs < now() || isShown) holds.delete(id);
      else if (candidate && id !== recordingId) place([candidate.bin], hold.costCores);
    }
    return found;
  }

  return {
    async choose(recordingId, costCores, { not = new Set(), admitted = false, onto } = {}) {
      const sight = await withMarks(await sightSince(now() - (admitted ? ADMITTED_FRESH_MS : FRESH_MS)));
      const found = candidates(sight.workers, recordingId).filter(
        ({ worker: { topic } }) => !not.has(topic) && (onto ?? topic) === topic,
      );
      const trusted = found.filter(({ worker: { doubt } }) => !isPassedOver(doubt, now()));
      const chosen = fullest(trusted, costCores);
      if (!chosen) {
        return { missing: [whyNone(sight, found, trusted, costCores), launchProblem()].filter(Boolean).join('; ') };
      }
      const { id, topic, doubt } = chosen.worker;
      holds.set(recordingId, {
        topic,
        costCores,
        untilMs: now() + CHOSEN_MS,
        ...(doubt ? { doubted: doubt.code } : {}),
      });
      return { id, topic };
    },

    release: (recordingId) => void holds.delete(recordingId),

    started(recordingId, egressId) {
      const hold = holds.get(recordingId);
      if (!hold) return;
      // That it records is only shown by a recording that lasts.
      if (hold.doubted === 'not_taken') told(marks?.trust(hold.topic));
      told(marks?.began(egressId, hold.topic));
      holds.set(recordingId, { ...hold, egressId, untilMs: now() + STARTED_MS });
    },

    noteUnanswered: (topic) => told(marks?.doubt(topic, 'not_taken')),
    noteHung: (topic) => told(marks?.doubt(topic, 'hangs')),

    async whereIs(egressId, active, worker) {
      const seen = witness(await sightSince(now(), true), egressId, now(), worker?.topic);
      if (seen !== 'listens') return seen;
      const answered = await active().catch(() => undefined);
      return answered?.has(egressId) ? 'yes' : 'unknown';
    },

    async endsAtMs(worker) {
      const { workers } = await sightSince(now() - FRESH_MS);
      return workers.find(({ topic }) => topic === worker.topic)?.endsAtMs;
    },

    async shownBy(egressId) {
      const { workers } = await sightSince(now());
      const { id, topic } = workers.find((worker) => shows(worker, egressId)) ?? {};
      return id === undefined || topic === undefined ? undefined : { id, topic };
    },
  };
}

type UsableWorker = ObservedWorker & { topic: string };
interface Candidate {
  worker: UsableWorker;
  bin: Bin;
}

function canTake(worker: ObservedWorker): worker is UsableWorker {
  const { state, present, cordoned, topic, endsAtMs } = worker;
  return state === 'ready' && present === true && !cordoned && topic !== undefined && endsAtMs === undefined;
}

function fullest(candidates: readonly Candidate[], costCores: number): Candidate | undefined {
  const bin = place(
    candidates.map(({ bin }) => bin),
    costCores,
  );
  return candidates.find((candidate) => candidate.bin === bin);
}

/** `listens`: on the bus, and its worker does not answer at its port. */
function witness(
  { workers, activeEgresses, listedAtMs }: Sight,
  egressId: string,
  nowMs: number,
  topic?: string,
): PartInspection['onWorker'] | 'listens' {
  if (workers.some((worker) => shows(worker, egressId))) return 'yes';
  if (!activeEgresses) return 'unknown';
  const mine = workers.filter((worker) => topic === undefined || worker.topic === topic);
  if (activeEgresses.some((egress) => egress.egressId === egressId))
    return mine.length > 0 && mine.every(({ answered }) => answered) ? 'yes' : 'listens';
  // A platform that lists its worker no longer is the second witness; one that has said nothing for long is none.
  if (topic !== undefined && mine.length === 0 && isOldList(listedAtMs, nowMs)) return 'unknown';
  if (topic !== undefined && mine.every(isDead)) return 'dead';
  return mine.every(cannotRun) ? 'no' : 'unknown';
}

function shows({ egresses }: ObservedWorker, egressId: string): boolean {
  return egresses.some((egress) => egress.egressId === egressId);
}

/** It has left the bus, and nothing listens on its port, or its platform says that it ended. */
function isDead({ present, answered, portClosed, state }: ObservedWorker): boolean {
  return present === false && !answered && (portClosed === true || state === 'gone');
}

/** Its port was asked and does not show it, nothing listens there any more, or the platform itself does not reach it. */
function cannotRun({ answered, portClosed, state, runs, cutOff }: ObservedWorker): boolean {
  return answered || portClosed === true || state === 'gone' || (state === 'booting' && !runs) || cutOff === true;
}

/** A mark that cannot be set is set with the next start. */
function told(mark: Promise<void> | undefined): void {
  mark?.catch(() => undefined);
}

function whyNone(sight: Sight, found: Candidate[], trusted: Candidate[], costCores: number): string {
  if (!sight.activeEgresses) return "the workers' Redis does not answer";
  const passedOver = found.length - trusted.length;
  return [
    shortage(
      trusted.map(({ bin }) => bin),
      costCores,
    ),
    ...(passedOver > 0 ? [`${passedOver} passed over, because the last start there went wrong`] : []),
    ...whyNoneBoots(sight.workers),
  ].join('; ');
}

function shortage(bins: readonly Bin[], costCores: number): string {
  if (bins.length === 0) return 'no worker is ready';
  return `${bins.length === 1 ? 'one worker is' : `${bins.length} workers are`} ready, none has ${costCores} cores free`;
}

/** What keeps the workers that are on their way, the most frequent reason first. */
function whyNoneBoots(workers: readonly ObservedWorker[]): string[] {
  const counts = new Map<string, number>();
  for (const { state, reason } of workers) {
    if (state === 'booting') counts.set(reason ?? 'booting', (counts.get(reason ?? 'booting') ?? 0) + 1);
  }
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN_REASONS)
    .map(([reason, count]) => `${count} on the way: ${reason}`);
}
