// The attempts of one recording: their ids, what was heard of the one that is made now, who may hold the recorder's name in the room,
// and who runs although nobody wants it.
import { attemptEgressId, parseAttemptEgressId } from '../recording/attempt.ts';
import type { EgressReport } from '../recording/egress.ts';
import { isOlder, mayGoOn } from '../recording/reports.ts';

/** In place of the attempts of a run that this one was reset from: any of them may hold the recorder's name. */
const RUN_BEFORE = 'the run before';

export class Attempts {
  private readonly recordingId: string;
  private isReset = false;
  /** The attempt that comes next, from 0: it counts over the whole recording. */
  next = 0;
  /** A worker is being asked. */
  isStarting = false;
  /** Egresses of ours that run beside the one we want: they must be stopped, and are taken out once they were told. */
  readonly strangers = new Set<string>();
  private readonly knownStrangers = new Set<string>();
  /** Egresses whose start was answered, or given up. */
  private readonly used = new Set<string>();
  /** What attempts reported while a worker is being asked, by egress id: whose start is answered tells what it means. */
  private readonly early = new Map<string, EgressReport>();
  /** Egresses that hold the recorder's name in the room, or may. */
  private readonly nameHolders = new Set<string>();
  /** Egresses that were started under that name instead of their own. */
  private readonly named = new Set<string>();
  private asksForName = false;

  constructor(recordingId: string) {
    this.recordingId = recordingId;
  }

  /** @param offset where a run that was reset numbers its own attempts from; 0: it was not */
  numberFrom(offset: number): void {
    this.isReset = offset > 0;
    if (!this.isReset) return;
    this.next = offset > this.next ? offset : this.next + 1 + (offset % 1_000);
    this.nameHolders.add(RUN_BEFORE);
  }

  /** Of the attempt that is made now. */
  get egressId(): string {
    return attemptEgressId(this.recordingId, this.next);
  }

  get anyMade(): boolean {
    return this.used.size > 0;
  }

  /** Undefined for an egress that is none of this recording's. */
  numberOf(egressId: unknown): number | undefined {
    const attempt = typeof egressId === 'string' ? parseAttemptEgressId(egressId) : undefined;
    return attempt?.recordingId === this.recordingId ? attempt.attempt : undefined;
  }

  /** For the attempt that is made next. The first one needs no other name: its egress id is the name. */
  askForName(): boolean {
    this.asksForName = this.used.size > 0 && this.nameHolders.size === 0;
    return this.asksForName;
  }

  /** Under which name the recorder of an attempt joins. */
  identityOf(egressId: string): string {
    return this.named.has(egressId) ? this.recordingId : egressId;
  }

  /** It has ended, or its worker is proven dead: nobody comes back under its name. */
  leftTheRoom(egressId: string): void {
    this.nameHolders.delete(egressId);
  }

  /** A worker may have been granted it: its id is used up. */
  made(egressId: string): void {
    this.used.add(egressId);
    if (this.asksForName) this.named.add(egressId);
    if (this.asksForName || egressId === this.recordingId) this.nameHolders.add(egressId);
    this.next += 1;
  }

  heardEarly(report: EgressReport): void {
    const known = this.early.get(report.egressId);
    if (!known || !isOlder(report, known)) this.early.set(report.egressId, report);
  }

  /**
   * What the attempt that is made now reported, from ACTIVE on. A run that was reset repeats starts whose numbers are not its own: there
   * it is what is news.
   */
  get shown(): EgressReport | undefined {
    const isIt = (id: string) => (this.isReset ? !this.used.has(id) : id === this.egressId);
    const its = [...this.early.values()].filter(({ egressId }) => isIt(egressId));
    return its.find(({ status }) => status === 'ACTIVE') ?? its.find(({ status }) => status !== 'STARTING');
  }

  /** The start of this attempt was answered, or never will be. @returns what it reported meanwhile, and what others did */
  answered(egressId: string): { early: EgressReport | undefined; others: EgressReport[] } {
    this.isStarting = false;
    const early = this.early.get(egressId);
    this.early.delete(egressId);
    const others = [...this.early.values()];
    this.early.clear();
    return { early, others };
  }

  /** Of an attempt that was given up, or that nobody knows of: it may not go on, and its id is used up. */
  heardOfUnwanted(report: EgressReport): void {
    if (this.numberOf(report.egressId) === this.next) this.next += 1;
    if (mayGoOn(report)) this.addStranger(report.egressId);
  }

  /** Nobody knows whether it runs: it is stopped where it shows, and once more should it report later. */
  giveUp(egressId: string): void {
    this.strangers.add(egressId);
  }

  addStranger(egressId: string): void {
    if (this.knownStrangers.has(egressId)) return;
    this.knownStrangers.add(egressId);
    this.strangers.add(egressId);
  }

  /** Nobody confirmed that it was stopped: its next report stops it again. */
  stopFailed(egressId: string): void {
    this.knownStrangers.delete(egressId);
  }
}
