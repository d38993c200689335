// Egresses and recordings that do not match: an egress that is lost, an egress no recording wants, a recording no egress serves.
// Pure. What two witnesses agree on is acted on at once, the rest when a second look agrees; without the bus there is no verdict.
import { defined } from '../common/defined.ts';
import { attemptEgressId, parseAttemptEgressId } from '../recording/attempt.ts';
import { formatDuration } from '../recording/duration.ts';
import { START_LIMIT_MS } from '../recording/no-media.ts';
import { openIds } from './demand.ts';
import { departureOf } from './departure.ts';
import { evidenceOf, fateOf, type Verdict, type WorkerWord, wordOf } from './egress-fate.ts';
import {
  type FleetMemory,
  isOldList,
  type Observation,
  type ObservedEgress,
  type ObservedWorker,
  type WorkerNotes,
} from './observation.ts';
import {
  type FleetPolicy,
  LEASE_MS,
  MOST_HOMES,
  MOST_STARTS,
  MOST_SUSPECTS,
  SILENT_LOOK_MS,
  START_LOOK_MS,
} from './policy.ts';

export interface LostEgress {
  egressId: string;
  recordingId: string;
  evidence: string;
  /** Its recording was told before, and has not acted yet. */
  again?: boolean;
}

/** not_open: its recording is not listed as open, which the recording itself must confirm. superseded: a later attempt records. */
type OrphanCode = 'not_open' | 'superseded';

export interface OrphanEgress {
  egressId: string;
  recordingId: string;
  code: OrphanCode;
  why: string;
}

/**
 * no_media: its egress lives and does not record. worker_ends: its worker's platform has announced the end. worker_leaves: its worker is
 * to go, when it is idle.
 */
type LookCode =
  | 'no_egress'
  | 'runs_already'
  | 'starting_for_long'
  | 'no_media'
  | 'off_bus'
  | 'silent'
  | 'worker_ends'
  | 'worker_leaves';

export interface Look {
  recordingId: string;
  code: LookCode;
  why: string;
  /** What lives for it although it waits. */
  egressId?: string;
  /** As above. */
  again?: boolean;
}

export interface Strays {
  lost: LostEgress[];
  /** Recordings whose egress is lost, or whose worker goes, and that have not gone on yet, told of it or not: they need a place elsewhere. */
  displaced: ReadonlySet<string>;
  orphans: OrphanEgress[];
  look: Look[];
  /** Live egresses whose ids are none of Reelkit's: told of, never touched. */
  strangers: string[];
  suspectSince: Record<string, number>;
  startingSince: Record<string, number>;
  actedMs: Record<string, number>;
  /** Egress -> worker: of those that live, and of those that are still believed in. */
  egresses: Record<string, string>;
  /** Workers that do not answer and on which an egress may still run. */
  mayRun: (workerId: string) => boolean;
}

export function findStrays(
  observation: Observation,
  memory: FleetMemory,
  notes: Record<string, WorkerNotes>,
  policy: FleetPolicy,
): Strays {
  return new Search(observation, memory, notes, policy).run();
}

class Search {
  private readonly displaced = new Set<string>();
  private readonly strays: Strays = {
    lost: [],
    displaced: this.displaced,
    orphans: [],
    look: [],
    strangers: [],
    suspectSince: {},
    startingSince: {},
    actedMs: {},
    egresses: {},
    mayRun: () => true,
  };
  private readonly open: Set<string>;
  private readonly live: Map<string, ObservedEgress>;
  /** Recording -> its latest attempt that lives. */
  private readonly latest = new Map<string, number>();
  /** Recording -> the egress it believes in, where that was asked for; of those that say that one records, or that start. */
  private readonly believed: Map<string, string | undefined>;
  private readonly stays: ReadonlySet<string>;
  private readonly workers: Map<string, ObservedWorker>;
  /** Where each egress is, or was when it was last shown. */
  private readonly homes: Map<string, string>;
  private readonly drainingShown: Set<string>;
  private readonly observation: Observation;
  private readonly memory: FleetMemory;
  private readonly notes: Record<string, WorkerNotes>;
  private readonly policy: FleetPolicy;
  private homesKept = 0;
  private newSuspects = 0;
  private newActs = 0;
  private starts = 0;
  private readonly maySuspect: number;
  private readonly mayAct: number;

  constructor(observation: Observation, memory: FleetMemory, notes: Record<string, WorkerNotes>, policy: FleetPolicy) {
    this.observation = observation;
    this.memory = memory;
    this.notes = notes;
    this.policy = policy;
    this.maySuspect = MOST_SUSPECTS - Object.keys(memory.suspectSince).length;
    this.mayAct = MOST_SUSPECTS - Object.keys(memory.actedMs).length;
    this.open = new Set(openIds(observation));
    this.live = new Map(observation.activeEgresses?.map((egress) => [egress.egressId, egress]));
    for (const { recordingId = '', attempt = 0 } of this.live.values())
      this.latest.set(recordingId, Math.max(attempt, this.latest.get(recordingId) ?? 0));
    const { running, starting } = observation;
    this.believed = new Map([
      ...starting.map(({ id }) => [id, undefined] as const),
      ...running.map(({ id, egressId }) => [id, egressId] as const),
    ]);
    this.stays = new Set(running.filter(({ stays }) => stays).map(({ id }) => id));
    this.workers = new Map(observation.workers.map((worker) => [worker.id, worker]));
    this.homes = homesOf(observation, memory);
    const draining = observation.workers.filter(({ state }) => state === 'draining');
    this.drainingShown = new Set(draining.flatMap(({ egresses }) => egresses.map(({ egressId }) => egressId)));
  }

  run(): Strays {
    // Verdicts in the making survive an outage of the bus.
    if (!this.observation.activeEgresses) {
      const { suspectSince, startingSince = {}, actedMs } = this.memory;
      return { ...this.strays, suspectSince, startingSince, actedMs, egresses: Object.fromEntries(this.homes) };
    }
    for (const egress of this.live.values()) this.judgeWanted(egress);
    for (const egressId of new Set([...this.live.keys(), ...this.homes.keys()])) this.judgeLife(egressId);
    this.judgeRecordings();
    this.announceEnds();
    const hidden = this.hiddenHomes();
    this.strays.mayRun = (workerId) => hidden.has(workerId) || hidden.has(undefined);
    return this.strays;
  }

  /** It lives. Does anybody want it? */
  private judgeWanted({ egressId, recordingId, attempt = 0 }: ObservedEgress): void {
    if (recordingId === undefined) {
      this.strays.strangers.push(egressId);
      return;
    }
    const unwanted = this.whyUnwanted(recordingId, attempt);
    if (!unwanted || !this.confirmed(egressId, this.policy.confirmAfterMs)) return;
    if (this.mayActAgain(egressId)) this.strays.orphans.push({ egressId, recordingId, ...unwanted });
  }

  private whyUnwanted(recordingId: string, attempt: number): Pick<OrphanEgress, 'code' | 'why'> | undefined {
    if (!this.open.has(recordingId)) return { code: 'not_open', why: 'its recording is not open' };
    const believed = this.believed.get(recordingId);
    // A later one may be the next part, on its way to be believed in.
    const isOlder = believed !== undefined && attempt < (parseAttemptEgressId(believed)?.attempt ?? 0);
    return isOlder ? { code: 'superseded', why: `its recording runs ${believed}` } : undefined;
  }

  private judgeLife(egressId: string): void {
    const onBus = this.live.get(egressId)?.onBus ?? false;
    const home = this.homes.get(egressId);
    const word = this.wordFor(egressId, home);
    const verdict = fateOf(onBus, word);
    const recordingId = parseAttemptEgressId(egressId)?.recordingId;
    const isMissed = recordingId !== undefined && this.believes(recordingId, egressId);
    if (home !== undefined && (this.live.has(egressId) || isMissed)) this.remember(egressId, home);
    if (isMissed && this.isSettled(verdict, egressId)) this.tell(egressId, recordingId, onBus, word);
    else if (isMissed && word === 'silent' && this.silentMs(home) >= SILENT_LOOK_MS)
      this.askToLook(recordingId, 'silent', `${egressId}: ${evidenceOf(onBus, word)}`);
  }

  private remember(egressId: string, home: string): void {
    if (this.homesKept === MOST_HOMES) return;
    this.homesKept += 1;
    this.strays.egresses[egressId] = home;
  }

  /** Lost by two witnesses, or by one that has said so for long enough. */
  private isSettled(verdict: Verdict, egressId: string): boolean {
    if (verdict === 'alive') return false;
    const isConfirmed = this.confirmed(egressId, this.policy.confirmAfterMs);
    return verdict === 'lost' || isConfirmed;
  }

  private tell(egressId: string, recordingId: string, onBus: boolean, word: WorkerWord): void {
    const evidence = evidenceOf(onBus, word);
    if (word === 'shows') this.askToLook(recordingId, 'off_bus', `${egressId}: ${evidence}`);
    else {
      if (this.isNews(egressId)) this.displaced.add(recordingId);
      const again = this.wasTold(egressId) ? { again: true } : {};
      if (this.mayActAgain(egressId)) this.strays.lost.push({ egressId, recordingId, evidence, ...again });
    }
  }

  /** A recording that is told goes on at once; one that does not knows better, and keeps no room for ever. */
  private isNews(egressId: string): boolean {
    const { nowMs } = this.observation;
    return nowMs - (this.strays.suspectSince[egressId] ?? nowMs) < LEASE_MS;
  }

  private wordFor(egressId: string, home: string | undefined): WorkerWord {
    // Whoever began after the list was made is in no list.
    if (home !== undefined && !this.workers.has(home) && this.isOldList) return 'unknown';
    if (home !== undefined) return wordOf(this.workers.get(home), egressId, this.silentMs(home));
    // Nobody who answers shows it, so that it can only be with those who do not.
    const silent = this.observation.workers.filter(({ state }) => state === 'unreachable');
    const words = new Set(silent.map((worker) => wordOf(worker, egressId, this.silentMs(worker.id))));
    return words.size === 1 && words.has('long_silent') ? 'long_silent' : 'unknown';
  }

  private get isOldList(): boolean {
    return isOldList(this.observation.listedAtMs, this.observation.nowMs);
  }

  /** Each recording on a worker that goes hears of it, once, and needs a place elsewhere until it has one. */
  private announceEnds(): void {
    for (const worker of this.observation.workers) {
      const end = whyItGoes(worker);
      if (!end) continue;
      for (const { egressId } of worker.egresses) {
        const recordingId = parseAttemptEgressId(egressId)?.recordingId;
        if (recordingId === undefined || !this.believes(recordingId, egressId)) continue;
        if (!this.stays.has(recordingId)) this.displaced.add(recordingId);
        const key = `${egressId} ${end.key}`;
        if (this.wasTold(key)) this.strays.actedMs[key] = this.memory.actedMs[key] ?? 0;
        else if (this.mayActAgain(key))
          this.strays.look.push({ recordingId, code: end.code, why: `${egressId}: ${end.why}` });
      }
    }
  }

  private silentMs(workerId: string | undefined): number {
    const { silentSinceMs, drainAskedMs, outOfServiceSinceMs } = this.notes[workerId ?? ''] ?? {};
    const { nowMs } = this.observation;
    // One that never answered and is to end has been silent since then.
    return nowMs - (silentSinceMs ?? drainAskedMs ?? outOfServiceSinceMs ?? nowMs);
  }

  /** It is open, not back in the queue, and no later attempt lives. */
  private believes(recordingId: string, egressId: string): boolean {
    if (!this.believed.has(recordingId)) return false;
    const attempt = parseAttemptEgressId(egressId)?.attempt ?? 0;
    const believed = this.believed.get(recordingId) ?? egressId;
    return believed === egressId && (this.latest.get(recordingId) ?? 0) <= attempt;
  }

  /** Where egresses may run that no port shows; undefined: anywhere. Others' are not on workers of this fleet. */
  private hiddenHomes(): Set<string | undefined> {
    const shown = new Set(this.observation.workers.flatMap(({ egresses }) => egresses.map(({ egressId }) => egressId)));
    const wanted = [...this.live.values()].filter(({ recordingId = '' }) => this.open.has(recordingId));
    const known = [...wanted.map(({ egressId }) => egressId), ...Object.keys(this.strays.egresses)];
    const hidden = known.filter((egressId) => !shown.has(egressId)).map((egressId) => this.homes.get(egressId));
    return new Set([...hidden, ...(this.isSomethingMissed(known) ? [undefined] : [])]);
  }

  /** A recording says that one records, and nobody knows where: after an outage of the bus, or of what was remembered. */
  private isSomethingMissed(known: readonly string[]): boolean {
    const served = new Set(known.map((egressId) => parseAttemptEgressId(egressId)?.recordingId));
    return this.observation.running.some(({ id }) => !served.has(id));
  }

  private judgeRecordings(): void {
    const { running, starting, waiting } = this.observation;
    const served = new Set([...this.live.values()].flatMap(({ recordingId }) => recordingId ?? []));
    const missed = new Set(Object.keys(this.strays.egresses).map((id) => parseAttemptEgressId(id)?.recordingId));
    for (const { id } of running) {
      if (!served.has(id) && !missed.has(id)) this.askToLook(id, 'no_egress', 'no egress of it lives');
    }
    for (const { id } of starting) {
      if (served.has(id)) this.judgeStart(id);
      else if (this.confirmed(keyOf(id), LEASE_MS))
        this.askToLook(id, 'starting_for_long', `starting for over ${formatDuration(LEASE_MS)} without an egress`);
    }
    for (const { id } of waiting) if (served.has(id)) this.judgeWaiting(id);
  }

  /** Its egress lives. Nobody publishes yet, which the recording can see for itself, or it hangs. */
  private judgeStart(recordingId: string): void {
    const { nowMs } = this.observation;
    const egressId = attemptEgressId(recordingId, this.latest.get(recordingId) ?? 0);
    const sinceMs = this.memory.startingSince?.[egressId] ?? nowMs;
    if (this.starts === MOST_STARTS) return;
    this.starts += 1;
    this.strays.startingSince[egressId] = sinceMs;
    const key = `${egressId} starting`;
    if (nowMs - sinceMs < START_LIMIT_MS) return;
    const again = this.wasTold(key) ? { again: true } : {};
    const why = `${egressId} has lived for ${formatDuration(nowMs - sinceMs)} and does not record`;
    if (this.mayActLessAndLess(key, sinceMs)) this.strays.look.push({ recordingId, code: 'no_media', why, ...again });
  }

  /** Its start, or the news of it, may have been lost. */
  private judgeWaiting(id: string): void {
    const mine = [...this.live.values()].find(
      ({ recordingId, egressId }) => recordingId === id && !this.drainingShown.has(egressId),
    );
    if (mine && this.confirmed(keyOf(id), this.policy.confirmAfterMs))
      this.askToLook(id, 'runs_already', `${mine.egressId} already records for it`, mine.egressId);
  }

  private askToLook(recordingId: string, code: LookCode, why: string, egressId?: string): void {
    const key = keyOf(recordingId);
    const more = { ...defined({ egressId }), ...(this.wasTold(key) ? { again: true } : {}) };
    if (this.mayActAgain(key)) this.strays.look.push({ recordingId, code, why, ...more });
  }

  private wasTold(key: string): boolean {
    return this.memory.actedMs[key] !== undefined;
  }

  /** Second look at the same thing, far enough from the first. */
  private confirmed(key: string, afterMs: number): boolean {
    const { nowMs } = this.observation;
    const sinceMs = this.memory.suspectSince[key];
    if (sinceMs === undefined && this.newSuspects === this.maySuspect) return false;
    if (sinceMs === undefined) this.newSuspects += 1;
    this.strays.suspectSince[key] = sinceMs ?? nowMs;
    return sinceMs !== undefined && nowMs - sinceMs >= afterMs;
  }

  /** Now, and remembered; a fact that stays true is told again after a watch interval. */
  private mayActAgain(key: string): boolean {
    const { nowMs } = this.observation;
    const lastMs = this.memory.actedMs[key];
    // The others' turn comes when these have gone on.
    if (lastMs === undefined && this.newActs === this.mayAct) return false;
    if (lastMs === undefined) this.newActs += 1;
    const may =
      lastMs === undefined || nowMs - lastMs >= Math.max(this.policy.watchIntervalMs, this.policy.confirmAfterMs);
    this.strays.actedMs[key] = may ? nowMs : lastMs;
    return may;
  }

  /** What was so for long may stay so for long. */
  private mayActLessAndLess(key: string, sinceMs: number): boolean {
    const { nowMs } = this.observation;
    const lastMs = this.memory.actedMs[key];
    if (lastMs === undefined || nowMs - lastMs >= Math.min(lastMs - sinceMs, START_LOOK_MS))
      return this.mayActAgain(key);
    this.strays.actedMs[key] = lastMs;
    return false;
  }
}

/** @returns `key`: told anew when it changes */
function whyItGoes(worker: ObservedWorker) {
  const departure = departureOf(worker);
  if (departure?.code !== 'worker_ends')
    return departure && { ...departure, key: 'leaves', why: `its worker ${worker.id} goes: ${departure.why}` };
  const { code, at } = departure;
  return { code, key: `until ${at}`, why: `the platform of its worker ${worker.id} ends it at ${at}` };
}

/** A recording has the id of its first egress; what is remembered of the two is kept apart. */
function keyOf(recordingId: string): string {
  return `recording ${recordingId}`;
}

/** Egress -> worker: what ports show now, over what they showed before. */
function homesOf({ workers }: Observation, { egresses = {} }: FleetMemory): Map<string, string> {
  const shown = workers.flatMap(({ id, egresses: own }) => own.map(({ egressId }) => [egressId, id] as const));
  return new Map([...Object.entries(egresses), ...shown]);
}
