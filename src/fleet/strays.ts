// Egresses and recordings that do not match: an egress no worker has, an egress no recording wants, a recording no egress serves.
// Pure. Every verdict needs two looks that agree; without LiveKit's list there is none.
import { formatDuration } from '../recording/duration.ts';
import { openIds } from './demand.ts';
import type { FleetMemory, Observation, ObservedEgress, WorkerNotes } from './observation.ts';
import { CUT_OFF_LIMIT_MS, type FleetPolicy, FRESH_EGRESS_MS, LEASE_MS, SILENT_LIMIT_MS } from './policy.ts';

export interface LostEgress {
  egressId: string;
  /** Absent: nothing of ours waits for it, so it is only reported. */
  recordingId?: string;
  evidence: string;
  /** Its recording was told before, and has not acted yet. */
  again?: boolean;
}
export interface OrphanEgress {
  egressId: string;
  recordingId: string;
  why: string;
}
export interface Look {
  recordingId: string;
  why: string;
  /** As above. */
  again?: boolean;
}

export interface Strays {
  lost: LostEgress[];
  orphans: OrphanEgress[];
  look: Look[];
  suspectSince: Record<string, number>;
  actedMs: Record<string, number>;
  /** Every active egress is shown by a worker, or given up: nothing can run on a worker that does not answer. */
  allAccountedFor: boolean;
}

export function findStrays(
  observation: Observation,
  memory: FleetMemory,
  notes: Record<string, WorkerNotes>,
  policy: FleetPolicy,
): Strays {
  const search = new Search(observation, memory, notes, policy);
  return search.run();
}

class Search {
  private readonly strays: Strays = {
    lost: [],
    orphans: [],
    look: [],
    suspectSince: {},
    actedMs: {},
    allAccountedFor: false,
  };
  private readonly shown: Set<string>;
  private readonly drainingShown: Set<string>;
  private readonly open: Set<string>;
  private readonly observation: Observation;
  private readonly memory: FleetMemory;
  private readonly policy: FleetPolicy;
  /** Workers that do not answer and may still run something. */
  private readonly silent: string[];

  constructor(observation: Observation, memory: FleetMemory, notes: Record<string, WorkerNotes>, policy: FleetPolicy) {
    this.observation = observation;
    this.memory = memory;
    this.policy = policy;
    this.open = new Set(openIds(observation));
    this.shown = shownIds(observation.workers);
    this.drainingShown = shownIds(observation.workers.filter(({ state }) => state === 'draining'));
    this.silent = observation.workers
      .filter(({ state, answered }) => !answered && (state === 'unreachable' || state === 'draining'))
      .filter(({ id, cutOff }) => {
        const { silentSinceMs, drainAskedMs, outOfServiceSinceMs } = notes[id] ?? {};
        // One that never answered and is to end has been silent since then.
        const sinceMs = silentSinceMs ?? drainAskedMs ?? outOfServiceSinceMs ?? observation.nowMs;
        return observation.nowMs - sinceMs < (cutOff ? CUT_OFF_LIMIT_MS : SILENT_LIMIT_MS);
      })
      .map(({ id }) => id);
  }

  run(): Strays {
    const { activeEgresses } = this.observation;
    // Verdicts in the making survive an outage of LiveKit.
    if (!activeEgresses)
      return { ...this.strays, suspectSince: this.memory.suspectSince, actedMs: this.memory.actedMs };
    for (const egress of activeEgresses) {
      if (this.shown.has(egress.egressId)) this.judgeShown(egress);
      else this.judgeUnseen(egress);
    }
    this.judgeRecordings(activeEgresses);
    this.strays.allAccountedFor = activeEgresses.every((egress) => this.isAccountedFor(egress));
    return this.strays;
  }

  /** Shown, or called lost and given up by its recording, which asks the room as well. */
  private isAccountedFor({ egressId, recordingId }: ObservedEgress): boolean {
    if (this.shown.has(egressId)) return true;
    return egressId in this.strays.actedMs && (recordingId === undefined || !this.believes(recordingId));
  }

  /** A worker runs it. Does anybody want it? */
  private judgeShown({ egressId, recordingId }: ObservedEgress): void {
    if (recordingId === undefined) return;
    const why = this.whyUnwanted(egressId, recordingId);
    if (why === undefined || !this.confirmed(egressId, this.policy.confirmAfterMs)) return;
    if (this.mayActAgain(egressId)) this.strays.orphans.push({ egressId, recordingId, why });
  }

  private whyUnwanted(egressId: string, recordingId: string): string | undefined {
    if (!this.open.has(recordingId)) return 'its recording is not open';
    const wanted = this.observation.running.find(({ id }) => id === recordingId)?.egressId;
    return wanted !== undefined && wanted !== egressId ? `its recording runs ${wanted}` : undefined;
  }

  /** LiveKit calls it active and no worker shows it. */
  private judgeUnseen({ egressId, recordingId, acceptedAtMs }: ObservedEgress): void {
    const { nowMs } = this.observation;
    const ageMs = acceptedAtMs === undefined ? undefined : nowMs - acceptedAtMs;
    if (this.silent.length > 0 || (ageMs !== undefined && ageMs < FRESH_EGRESS_MS)) {
      this.keep(egressId);
      return;
    }
    const confirmMs = Math.max(this.policy.confirmAfterMs, ageMs === undefined ? FRESH_EGRESS_MS : 0);
    if (!this.confirmed(egressId, confirmMs)) return;
    const told = this.wasTold(egressId);
    const believedIn = recordingId !== undefined && this.believes(recordingId);
    if (!this.mayActAgain(egressId) || (told && !believedIn)) return;
    const evidence = this.evidence(egressId);
    this.strays.lost.push({
      egressId,
      evidence,
      ...(believedIn ? { recordingId } : {}),
      ...(told ? { again: true } : {}),
    });
  }

  /** It is open, not back in the queue, and no other egress serves it. */
  private believes(recordingId: string): boolean {
    const { running, starting, activeEgresses = [] } = this.observation;
    const servedElsewhere = activeEgresses.some(
      (egress) => egress.recordingId === recordingId && this.shown.has(egress.egressId),
    );
    return !servedElsewhere && [...running, ...starting].some(({ id }) => id === recordingId);
  }

  private evidence(egressId: string): string {
    const { workers, nowMs } = this.observation;
    const answered = workers.filter((worker) => worker.answered).length;
    const forMs = nowMs - (this.memory.suspectSince[egressId] ?? nowMs);
    return `LiveKit lists it as active; ${answered} worker${answered === 1 ? '' : 's'} answered and none runs it, for ${formatDuration(forMs)}`;
  }

  private judgeRecordings(activeEgresses: ObservedEgress[]): void {
    const byRecording = new Map(activeEgresses.map((egress) => [egress.recordingId, egress]));
    for (const { id } of this.observation.running) {
      if (!byRecording.has(id)) this.askToLook(id, 'no active egress');
    }
    for (const { id } of this.observation.starting) this.judgeStarting(id, byRecording.get(id));
    for (const { id } of this.observation.waiting) {
      const egress = byRecording.get(id);
      if (egress && this.shown.has(egress.egressId) && !this.drainingShown.has(egress.egressId))
        this.tellOfEgress(id, egress);
    }
  }

  /** Its start, or the news of it, may have been lost. */
  private judgeStarting(id: string, egress: ObservedEgress | undefined): void {
    if (egress?.startedAtMs !== undefined) this.tellOfEgress(id, egress);
    else if (!egress && this.confirmed(id, LEASE_MS))
      this.askToLook(id, `starting for over ${formatDuration(LEASE_MS)} without an egress`);
  }

  private tellOfEgress(id: string, { egressId }: ObservedEgress): void {
    if (this.confirmed(id, this.policy.confirmAfterMs)) this.askToLook(id, `${egressId} already records for it`);
  }

  private askToLook(recordingId: string, why: string): void {
    const told = this.wasTold(recordingId);
    if (this.mayActAgain(recordingId)) this.strays.look.push({ recordingId, why, ...(told ? { again: true } : {}) });
  }

  private wasTold(key: string): boolean {
    return this.memory.actedMs[key] !== undefined;
  }

  /** Second look at the same thing, far enough from the first. */
  private confirmed(key: string, afterMs: number): boolean {
    const { nowMs } = this.observation;
    const sinceMs = this.memory.suspectSince[key];
    this.strays.suspectSince[key] = sinceMs ?? nowMs;
    return sinceMs !== undefined && nowMs - sinceMs >= afterMs;
  }

  private keep(key: string): void {
    const { suspectSince, actedMs } = this.memory;
    if (suspectSince[key] !== undefined) this.strays.suspectSince[key] = suspectSince[key];
    if (actedMs[key] !== undefined) this.strays.actedMs[key] = actedMs[key];
  }

  /** Now, and remembered; a fact that stays true is told again after a watch interval. */
  private mayActAgain(key: string): boolean {
    const { nowMs } = this.observation;
    const lastMs = this.memory.actedMs[key];
    const may =
      lastMs === undefined || nowMs - lastMs >= Math.max(this.policy.watchIntervalMs, this.policy.confirmAfterMs);
    this.strays.actedMs[key] = may ? nowMs : lastMs;
    return may;
  }
}

function shownIds(workers: Observation['workers']): Set<string> {
  return new Set(workers.flatMap(({ egresses }) => egresses.map(({ egressId }) => egressId)));
}
