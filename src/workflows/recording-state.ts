// The state of one recording workflow and the only functions that change it: stage, parts, deadline, what was asked for.
// Deterministic: time comes from the workflow's own clock.
import { condition, log, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { Hindrance, InspectInput, JoinablePart, JoinedParts } from '../activities/contract.ts';
import { defined } from '../common/defined.ts';
import { carry, restore } from '../recording/carry.ts';
import { between, partEndedAt } from '../recording/clock.ts';
import { checkExtension, extendedDeadline } from '../recording/deadline.ts';
import { type DetailNotes, renderDetails } from '../recording/details.ts';
import { type EgressFile, type EgressReport, type EgressStatus, isTerminal } from '../recording/egress.ts';
import { dueAtMs, openRecording } from '../recording/open.ts';
import { endPause, pause, presentPause } from '../recording/pauses.ts';
import { type RecordFacts, recordStateOf } from '../recording/record-state.ts';
import { isOlder, isReport, KeptReports, mayGoOn } from '../recording/reports.ts';
import type { RecordingRequest } from '../recording/request.ts';
import { type EndReason, type EndStage, isEnded, type OpenStage, type WaitingFor } from '../recording/stage.ts';
import type { AssignedWorker, NeededHand, QueuePlace } from '../recording/start-outcome.ts';
import { storedFile, storedFiles, warningsOf } from '../recording/stored.ts';
import { isStreamed } from '../recording/streams.ts';
import type { PartView, RecordedFile, RecordingView } from '../recording/view.ts';
import { EventLog } from '../recording/webhooks/event-log.ts';
import { Attempts } from './attempts.ts';
import { measures } from './measures.ts';
import type { ExtendBy, RecordingInput } from './messages.ts';
import { KEYS } from './search-attributes.ts';
import type { StopAsked, Watch } from './watch.ts';

/** How a recording gets rid of a long history. */
export interface HistoryGuard {
  /** It is, and this is a moment to begin a new one. */
  isLong(): boolean;
  /** LiveKit's record is what it should be. */
  isTold(): boolean;
  /** Never returns. */
  handOver(input: RecordingInput, queuedSinceMs: number): Promise<never>;
}

/** Of the run, not of the recording. */
const NOT_CARRIED = ['input', 'history', 'background', 'resting', 'stopAnswered'] as const;

const MAX_LAYOUT_CHARACTERS = 256;

/** What becomes of a part is told by its worker; of these it is not waited for. LOST: nobody knows. HUNG: it never recorded. */
type GivenUpAs = 'LOST' | 'HUNG';

export interface GivenUp {
  status: GivenUpAs;
  evidence: string;
}

/** A worker took an attempt. Without `worker` it showed by a report, because its answer was lost. */
export interface Accepted {
  egressId: string;
  acceptedAtMs: number;
  worker?: AssignedWorker;
  roomId?: string;
  /** What it reported before the answer. */
  early?: EgressReport | undefined;
}

/** `what`: JSON of what is to be added and removed. */
export interface AskedChange {
  what: string;
  askedAtMs: number;
  answeredAtMs?: number;
  refusal?: { code: string; message: string };
}

/** How a recording ends. */
export type End = { stage: EndStage; reason: EndReason; message: string; errorCode?: number };

export class RecordingState {
  readonly input: RecordingInput;
  readonly view: RecordingView;
  asked: StopAsked | undefined;
  cancelledBy: string | undefined;
  /** The fleet has capacity for us; taken by the next start. */
  admitted = false;
  /** Topic of the only worker it was admitted to. */
  onto: string | undefined;
  /** Nothing is under way: only time, a message or news goes on. */
  resting = false;
  /** Why somebody asks us to look at LiveKit; nothing is believed before we did. */
  look: string | undefined;
  /** The sid of the room, once it was seen: when that room is missing now, it has ended. */
  roomId: string | undefined;
  /** What the next attempt asks of its worker. */
  wire: string;
  /** What the first attempt that was accepted asked: LiveKit's record shows that. */
  private firstWire: string;
  private changedAtMs: number | undefined;
  readonly attempts: Attempts;
  /** What UpdateLayout has said since the start. */
  layout: string | undefined;
  /** When a worker was asked last, by Temporal's clock: what comes of it comes later. */
  askedAtMs = 0;
  /** Admissions in a row that found no worker after all. */
  turnsMissed = 0;
  /** The last change of its stream URLs that was asked for. */
  streamsChange: AskedChange | undefined;
  /** A change of its stream URLs is under way. */
  isChangingStreams = false;
  /** LiveKit's record is not what it should be. */
  recordIsStale = false;
  /** LiveKit may not know of the recording yet. */
  private unlisted = true;
  private errorCode: number | undefined;
  private published: { status: EgressStatus; retries: number; streams?: string | undefined } = {
    status: 'STARTING',
    retries: 0,
  };
  private readonly reports = new KeptReports();
  /** Final report of the current part, once known. */
  ended: EgressReport | undefined;
  /** Parts in a row that ended soon after their start. */
  shortParts = 0;
  /** How often the present part has waited. */
  rounds: Record<Exclude<WaitingFor, 'source'>, number> = { capacity: 0, room: 0 };
  /** How the present part is watched, once a worker took it. */
  watch: Watch | undefined;
  /** Why another worker is to go on with it. */
  handOverWhy: string | undefined;
  /** That is under way. */
  handingOver = false;
  /** The next part, while the present one still records. */
  successor: PartView | undefined;
  private successorReport: EgressReport | undefined;
  /** Files that are being finished, or made again, beside what goes on. */
  filesUnderWay = 0;
  /** Steps under way that nobody waits for. */
  private background = 0;
  private readonly history: HistoryGuard | undefined;
  /** Set by extend; added to maxDuration, or replaces the deadline. */
  private extensionMs = 0;
  private fixedDeadlineMs: number | undefined;
  private readonly notes: DetailNotes;
  /** What webhooks have yet to tell. */
  readonly events: EventLog;

  constructor(input: RecordingInput, attemptOffset = 0, history?: HistoryGuard) {
    this.input = input;
    this.history = history;
    this.attempts = new Attempts(input.id);
    this.view = openRecording(input);
    this.roomId = input.roomId;
    this.wire = input.wire;
    this.firstWire = input.wire;
    this.recordIsStale = input.origin === 'api';
    this.notes = { stageSinceMs: input.requestedAtMs };
    this.events = new EventLog(input.receivers ?? [], attemptOffset);
    if (input.carried) {
      restore(this, input.carried);
      this.events.skip(attemptOffset);
    } else this.events.noteStage(this.view, input.requestedAtMs);
    this.attempts.numberFrom(attemptOffset);
  }

  /** No step is under way that nobody waits for. */
  get isQuiet(): boolean {
    return this.background === 0;
  }

  /** The history is long, and nothing is under way that the next run of the workflow would not know of. */
  get mayHandOver(): boolean {
    return this.isQuiet && (this.history?.isLong() ?? false);
  }

  /** Goes on in a run with a new history, when it is time. */
  async handOver(): Promise<void> {
    if (!this.history || !this.mayHandOver) return;
    this.recordIsStale ||= !this.history.isTold();
    await this.history.handOver({ ...this.input, carried: carry(this, NOT_CARRIED) }, this.dueAtMs);
  }

  /** What it starts may go on when nobody waits for it any more. */
  async inBackground(steps: readonly Promise<unknown>[]): Promise<void> {
    this.background += 1;
    try {
      await Promise.all(steps);
    } finally {
      this.background -= 1;
    }
  }

  get dueAtMs(): number {
    return dueAtMs(this.input);
  }

  get part(): PartView | undefined {
    return this.view.parts.at(-1);
  }

  get hasUnstartedPart(): boolean {
    return this.part !== undefined && this.part.egressId === undefined;
  }

  /** A worker took the present part, and it has not ended. */
  get hasOpenPart(): boolean {
    return this.part?.egressId !== undefined && this.part.end === undefined;
  }

  get isEnded(): boolean {
    return isEnded(this.view.stage);
  }

  /** Somebody asked for the end. */
  get cancelled(): boolean {
    return this.asked !== undefined;
  }

  startNextPart(): PartView {
    const part: PartView = { number: (this.part?.number ?? 0) + 1, attempts: 0, files: [] };
    this.view.parts.push(part);
    this.beginPart();
    // It was meant for a place in the queue that we left long ago.
    if (part.number > 1) this.admitted = false;
    if (this.view.stage === 'recording') this.enter('starting');
    return part;
  }

  private beginPart(): void {
    // That was said of the worker before.
    this.handOverWhy = undefined;
    this.ended = undefined;
    this.watch = undefined;
    this.rounds = { capacity: 0, room: 0 };
  }

  /** What is about to end needs no other worker. */
  get wantsHandOver(): boolean {
    const { outputs } = this.input.request;
    return (
      this.handOverWhy !== undefined &&
      !this.handingOver &&
      !this.cancelled &&
      !this.isPaused &&
      this.part?.startedAtMs !== undefined &&
      !isStreamed(outputs)
    );
  }

  /** What a look at a part is asked for. */
  inspectionOf({ egressId = '', worker }: Pick<PartView, 'egressId' | 'worker'>): InspectInput {
    const identity = this.attempts.identityOf(egressId);
    return { egressId, identity, fleet: this.input.fleet, ...this.place, ...defined({ worker }) };
  }

  /** What activities ask about the room for. */
  get place(): { request: RecordingRequest; roomId?: string } {
    return { request: this.input.request, ...(this.roomId === undefined ? {} : { roomId: this.roomId }) };
  }

  /** Whoever accepted the recording has just looked for a worker; who was admitted meanwhile need not wait. */
  knownHindrance(): Hindrance | undefined {
    const { noRoom } = this.input;
    const isKnown = noRoom === undefined || this.input.carried || this.attempts.anyMade;
    if (isKnown || this.admitted || this.part?.number !== 1 || this.view.pauses) return undefined;
    return { kind: 'no_capacity', message: noRoom };
  }

  enter(stage: OpenStage | EndStage): void {
    if (this.view.stage === stage) return;
    const hadWaiting = this.view.waiting !== undefined;
    delete this.view.waiting;
    this.view.stage = stage;
    this.notes.stageSinceMs = Date.now();
    this.events.noteStage(this.view, Date.now());
    // Whoever stops through LiveKit is answered what its record says.
    this.recordIsStale ||= isEnded(stage) || (stage === 'stopping' && this.asked === 'stopped');
    // A stop is over within seconds, and what has completed is closed then: that its workflow is, says the same. What waited stands in
    // the index as waiting.
    if (hadWaiting || (stage !== 'stopping' && stage !== 'completed')) this.index(hadWaiting ? null : undefined);
    log.info(`recording is ${stage}`, { recordingId: this.view.id });
    this.show();
  }

  /** A stop that lasts is told to everybody. */
  stopLasts(): void {
    this.recordIsStale ||= this.published.status !== 'ENDING';
    this.index();
  }

  /** LiveKit is away: what has completed stays open, and is no demand any more. */
  endLasts(): void {
    if (this.view.stage === 'completed') this.index();
  }

  /** @param waitingFor null: for nothing any more */
  private index(waitingFor?: WaitingFor | null): void {
    const stage = { key: KEYS.stage, value: this.view.stage };
    upsertSearchAttributes([stage, ...(waitingFor === undefined ? [] : [{ key: KEYS.waitingFor, value: waitingFor }])]);
  }

  /** Stays in the queue while it is tried again, so that newcomers stand behind it. */
  wait(
    what: WaitingFor,
    detail: string,
    { needs, place }: { needs?: NeededHand | undefined; place?: QueuePlace | undefined } = {},
  ): void {
    const same = this.view.stage === 'waiting' && this.view.waiting?.for === what;
    const sinceMs = same ? (this.view.waiting?.sinceMs ?? Date.now()) : Date.now();
    this.view.waiting = { for: what, sinceMs, detail, ...(needs ? { needs } : {}) };
    this.notes.lastProblem = detail;
    if (place) this.notes.place = { ...place, seenAtMs: Date.now() };
    else delete this.notes.place;
    if (!same) {
      if (this.view.stage !== 'waiting') this.notes.stageSinceMs = Date.now();
      this.view.stage = 'waiting';
      this.events.noteStage(this.view, Date.now());
      this.index(what);
      log.info(`recording waits for ${what}: ${detail}`, { recordingId: this.view.id });
    }
    this.show();
  }

  noteProblem(problem: string): void {
    this.notes.lastProblem = problem;
    this.show();
  }

  accepted({ egressId, acceptedAtMs, worker, roomId, early }: Accepted): void {
    const { part } = this;
    if (!part) return;
    part.egressId = egressId;
    part.acceptedAtMs = between(this.askedAtMs, acceptedAtMs, Date.now());
    if (worker) part.worker = worker;
    this.roomId ??= roomId;
    this.look = undefined;
    // One that records already goes there at once: each stage is a write to Temporal's index.
    if (!early || early.status === 'STARTING' || isTerminal(early.status)) this.enter('starting');
    this.moveDeadline();
    if (early) this.heard(early);
    this.show();
  }

  /** A start was answered after `shown` had reported that it records. */
  answeredLate(shown: string, { egressId, worker, roomId }: Pick<Accepted, 'egressId' | 'worker' | 'roomId'>): void {
    // In a run that was reset both may run: one records already.
    if (egressId !== shown) this.attempts.giveUp(egressId);
    const part = this.view.parts.find((one) => one.egressId === egressId);
    if (part && worker) part.worker ??= worker;
    this.roomId ??= roomId;
  }

  noteLayout(layout: unknown): void {
    if (typeof layout === 'string' && layout.length <= MAX_LAYOUT_CHARACTERS) this.layout = layout;
  }

  /** News of an attempt, from its worker; late, twice and out of order. */
  heard(report: EgressReport): void {
    if (this.isEnded || !isReport(report)) return;
    const { attempts } = this;
    if (attempts.numberOf(report.egressId) === undefined) return;
    if (isTerminal(report.status)) attempts.leftTheRoom(report.egressId);
    const owner = [...this.view.parts, this.successor].find((part) => part?.egressId === report.egressId);
    if (!owner && attempts.isStarting) attempts.heardEarly(report);
    else if (!owner) attempts.heardOfUnwanted(report);
    else if (owner.end) this.heardOfClosed(owner, report);
    else if (owner === this.successor) this.heardOfSuccessor(owner, report);
    else if (owner !== this.part) this.heardOfLeaving(owner, report);
    else this.heardOfCurrent(owner, report);
  }

  private heardOfCurrent(part: PartView, report: EgressReport): void {
    if (this.ended) return;
    this.reports.keep(report);
    if (isTerminal(report.status)) {
      this.ended = report;
      if (report.startedAtMs) this.noteActive(part, report.startedAtMs);
      if (report.endingAtMs !== undefined) this.noteEnding(part, report, report.endingAtMs);
    } else if (report.status !== 'STARTING') {
      this.noteActive(part, report.startedAtMs ?? report.updatedAtMs ?? Date.now());
      if (report.status === 'ENDING') this.noteEnding(part, report, report.updatedAtMs);
      if (this.view.stage !== 'stopping') this.enter('recording');
      this.recordIsStale ||= this.isNewsToLiveKit(report);
    }
  }

  private heardOfSuccessor(successor: PartView, report: EgressReport): void {
    if (!this.successorReport || !isOlder(report, this.successorReport)) this.successorReport = report;
    // The present part goes on as if it had never been.
    if (isTerminal(report.status)) this.dropSuccessor();
    else if (report.status !== 'STARTING')
      successor.startedAtMs ??= between(this.askedAtMs, Math.floor(report.startedAtMs ?? Date.now()), Date.now());
  }

  /** It has handed over, and finishes its file. */
  private heardOfLeaving(part: PartView, report: EgressReport): void {
    this.reports.keep(report);
    if (report.endingAtMs !== undefined) this.noteEnding(part, report, report.endingAtMs);
    if (isTerminal(report.status)) this.closePart(report, {}, part);
    else if (report.status === 'ENDING') this.noteEnding(part, report, report.updatedAtMs);
  }

  acceptedSuccessor({ egressId, acceptedAtMs, worker, roomId, early }: Accepted): PartView | undefined {
    const { successor } = this;
    if (!successor) return undefined;
    successor.egressId = egressId;
    successor.acceptedAtMs = between(this.askedAtMs, acceptedAtMs, Date.now());
    if (worker) successor.worker = worker;
    this.roomId ??= roomId;
    if (early) this.heard(early);
    return this.successor;
  }

  dropSuccessor(): void {
    this.successor = undefined;
    this.successorReport = undefined;
  }

  /** The successor is the present part from here on. */
  adoptSuccessor(): void {
    const { successor, successorReport } = this;
    if (!successor) return;
    this.dropSuccessor();
    this.view.parts.push(successor);
    this.beginPart();
    if (successor.startedAtMs === undefined) this.enter('starting');
    else if (this.view.stage !== 'stopping') this.enter('recording');
    if (successorReport) {
      this.reports.keep(successorReport);
      this.recordIsStale ||= this.isNewsToLiveKit(successorReport);
    }
    this.show();
  }

  private noteEnding(part: PartView, report: EgressReport, atMs: number | undefined): void {
    part.endingAtMs ??= partEndedAt(part, { ...report, endedAtMs: atMs }, Date.now());
  }

  /** The start of this attempt was answered, or never will be. @returns what it reported meanwhile */
  answered(egressId: string): EgressReport | undefined {
    const { early, others } = this.attempts.answered(egressId);
    for (const other of others) this.heard(other);
    return early;
  }

  /** A worker may have been granted it. */
  made(egressId: string): void {
    this.attempts.made(egressId);
    const part = this.successor ?? this.part;
    if (part) part.attempts += 1;
  }

  /** A part that was given up for lost: its file still counts, but it may not go on beside its successor. */
  private heardOfClosed(part: PartView, report: EgressReport): void {
    const as = part.end?.status;
    if (as !== 'LOST' && as !== 'HUNG') return;
    if (isTerminal(report.status)) {
      // What was made again is worth more than a failure that is told late.
      if (part.files.length > 0 && !hasFile(report)) return;
      this.reports.keep(report);
      if (as === 'LOST' || hasFile(report)) this.writeEnd(part, report);
    } else if (part !== this.part && mayGoOn(report)) this.attempts.addStranger(report.egressId);
  }

  askedToLook(request: { why?: string; egressId?: string; code?: string } | null | undefined): void {
    const { why, egressId, code } = request ?? {};
    this.look = why ?? 'somebody asked';
    if (code === 'worker_ends' || code === 'worker_leaves') this.handOverWhy = this.look;
    const isWaiting = this.part !== undefined && this.part.egressId === undefined && !this.attempts.isStarting;
    if (isWaiting && egressId !== undefined && this.attempts.numberOf(egressId) !== undefined)
      this.attempts.giveUp(egressId);
  }

  /** What LiveKit's record is made of, as things are now. */
  record(): RecordFacts {
    return {
      recordingId: this.view.id,
      wire: this.firstWire,
      ...(this.input.origin === 'api' ? { hidesPages: true } : {}),
      ...(this.roomId === undefined ? {} : { roomId: this.roomId }),
      acceptedAtMs: this.dueAtMs,
      ...(this.changedAtMs === undefined ? {} : { changedAtMs: this.changedAtMs }),
      ...(this.view.endedAtMs === undefined ? {} : { endedAtMs: this.view.endedAtMs }),
      state: recordStateOf(this.view, this.errorCode),
      reports: this.reports.infos(),
      retries: Math.max(0, this.view.parts.filter(({ egressId }) => egressId !== undefined).length - 1),
      unlisted: this.unlisted,
      told: this.published.status,
    };
  }

  /** One more event for each status, each continuation, and whatever changes about streams. */
  private isNewsToLiveKit(report: EgressReport): boolean {
    if (report.streams !== this.published.streams) return true;
    // That it finishes its file was said with the stop, or is said with the end.
    if (this.view.stage === 'stopping') return false;
    const { state, retries } = this.record();
    return state.status !== this.published.status || retries !== this.published.retries;
  }

  nextWire(wire: string): void {
    this.wire = wire;
    if (this.view.parts.some(({ egressId }) => egressId !== undefined)) return;
    this.firstWire = wire;
    this.changedAtMs = Date.now();
    this.recordIsStale = true;
  }

  recordPublished({ state, retries }: RecordFacts): void {
    this.unlisted = false;
    this.published = { status: state.status, retries, streams: this.reports.streams };
  }

  private noteActive(part: PartView, workerMs: number): void {
    if (part.startedAtMs !== undefined) return;
    delete part.awaitsMediaSinceMs;
    const atMs = between(this.askedAtMs, Math.floor(workerMs), Date.now());
    part.startedAtMs = atMs;
    if (this.view.startedAtMs !== undefined) return;
    this.view.startedAtMs = atMs;
    const acceptedMs = part.acceptedAtMs ?? atMs;
    this.view.spent = { queueMs: Math.max(0, acceptedMs - this.dueAtMs), startMs: Math.max(0, atMs - acceptedMs) };
    measures.started(this.view.spent);
    this.moveDeadline();
  }

  /** Writes down how a part ended. @param egress null when nobody says so @param part the current one by default */
  closePart(egress: EgressReport | null, { status, evidence }: Partial<GivenUp> = {}, part = this.part): void {
    if (!part) return;
    delete part.awaitsMediaSinceMs;
    if (egress && (status !== 'HUNG' || hasFile(egress))) this.writeEnd(part, egress);
    else {
      part.endedAtMs = Date.now();
      part.end = { status: status ?? 'LOST', ...(evidence ? { error: evidence } : {}) };
    }
    this.events.notePartEnded(this.view, Date.now());
  }

  private writeEnd(part: PartView, egress: EgressReport): void {
    part.endedAtMs = partEndedAt(part, egress, Date.now());
    part.end = {
      status: egress.status,
      ...(egress.details ? { details: egress.details } : {}),
      ...(egress.error ? { error: egress.error } : {}),
      ...(egress.errorCode ? { errorCode: egress.errorCode } : {}),
    };
    part.files = storedFiles(egress, this.input.request.outputs, this.input.origin);
    if (egress.manifestLocation) part.manifestLocation = egress.manifestLocation;
    const warnings = warningsOf(part, egress);
    if (warnings.length > 0) part.warnings = warnings;
  }

  /** Where segments lie; absent: none are kept. */
  get keepFolder(): string | undefined {
    return this.input.request.keep === 'file-only' ? undefined : this.input.keepFolder;
  }

  /** What its file is made again by. */
  reportOf(egressId: string): { filename: string; report: string } | undefined {
    const { files: [file] = [], info: report } = this.reports.of(egressId) ?? {};
    return file && report !== undefined ? { filename: file.filename, report } : undefined;
  }

  /** Its worker may have come back with the whole file meanwhile. */
  rebuilt(part: PartView, { file, report }: { file: EgressFile; report: string }): void {
    if (part.files.length > 0 || !part.egressId) return;
    this.reports.amend(part.egressId, report);
    part.files = [{ ...this.stored(file), rebuilt: true }];
    this.recordIsStale ||= this.isListed;
    this.show();
  }

  /** Of every part that has a file, in order. */
  get joinable(): JoinablePart[] {
    return this.view.parts.flatMap(({ number, egressId = '', startedAtMs, files: [file] }) => {
      const { report } = this.reportOf(egressId) ?? {};
      if (!file || startedAtMs === undefined || report === undefined) return [];
      return [{ number, egressId, path: file.filename, startedAtMs, durationMs: file.durationMs, report }];
    });
  }

  /** Put there by Reelkit. */
  private stored(file: EgressFile): RecordedFile {
    return storedFile(file, this.input.request.outputs, this.input.origin);
  }

  /** @param isAlone the files of the parts are removed after the end */
  joined({ file, seams, reports }: JoinedParts, isAlone: boolean): void {
    for (const { egressId, report } of reports) this.reports.amend(egressId, report);
    this.view.joined = { ...this.stored(file), seams };
    if (isAlone)
      for (const part of this.view.parts) part.files = part.files.map((file) => ({ ...file, removed: true as const }));
    this.show();
  }

  /** A part that never got an egress is no part. */
  dropUnstartedPart(): void {
    if (this.part && !this.part.egressId) this.view.parts.pop();
  }

  /** Its source was never there, so nothing was recorded and nothing is told of it. */
  forgetPart(): void {
    const part = this.view.parts.pop();
    if (part?.egressId) this.reports.drop(part.egressId);
  }

  get hasFiles(): boolean {
    return this.view.parts.some((part) => part.files.length > 0);
  }

  finish({ stage, reason: code, message, errorCode }: End): void {
    this.view.reason = { code, message };
    this.errorCode = errorCode;
    this.view.endedAtMs = Date.now();
    endPause(this.view, Date.now());
    this.enter(stage);
  }

  stop(): void {
    this.asked ??= 'stopped';
  }

  /** By the request's own wish. Before media flowed nobody has left. */
  participantsLeft(): void {
    if (this.input.request.stopWhen && this.view.startedAtMs !== undefined) this.asked ??= 'participants_left';
  }

  cancel(by: unknown): void {
    this.asked ??= 'cancelled';
    if (typeof by === 'string') this.cancelledBy ??= by.slice(0, 100);
  }

  get isPaused(): boolean {
    return presentPause(this.view) !== undefined;
  }

  pause(by: unknown): void {
    pause(this.view, typeof by === 'string' ? by.slice(0, 100) : undefined, Date.now());
    this.show();
  }

  resume(): void {
    endPause(this.view, Date.now());
    this.show();
  }

  /** @returns why it may not be extended so, or undefined */
  whyNotExtend(extension: ExtendBy): { type: 'RecordingEnded' | 'InvalidExtension'; message: string } | undefined {
    const { stage } = this.view;
    if (this.isEnded || stage === 'stopping' || this.cancelled) {
      return { type: 'RecordingEnded', message: `the recording is ${this.isEnded ? stage : 'being stopped'}` };
    }
    const clock = { startsAtMs: this.startsAtMs(), endDeadlineMs: this.endDeadlineMs(), nowMs: Date.now() };
    const message = checkExtension(extension, clock);
    return message === undefined ? undefined : { type: 'InvalidExtension', message };
  }

  /** LiveKit may know of it. */
  get isListed(): boolean {
    return this.input.origin === 'livekit' || !this.unlisted;
  }

  /** Only after whyNotExtend had no objection. */
  extend(extension: ExtendBy): void {
    if ('byMs' in extension && this.fixedDeadlineMs === undefined) this.extensionMs += extension.byMs;
    else this.fixedDeadlineMs = extendedDeadline(extension, { endDeadlineMs: this.endDeadlineMs() });
    this.moveDeadline();
    this.show();
  }

  /** When the recording stops by itself, as far as known now. */
  endDeadlineMs(): number {
    return this.fixedDeadlineMs ?? this.startsAtMs() + this.input.request.maxDuration + this.extensionMs;
  }

  /** Starting the current part later than this is no use. */
  startDeadlineMs(): number {
    const isFirst = (this.part?.number ?? 1) === 1;
    const endMs = isFirst ? this.fixedDeadlineMs : this.endDeadlineMs();
    return Math.min(this.view.startDeadlineMs, endMs ?? Infinity);
  }

  private startsAtMs(): number {
    return this.view.startedAtMs ?? this.view.parts[0]?.acceptedAtMs ?? this.dueAtMs;
  }

  private moveDeadline(): void {
    if (this.view.parts.some((part) => part.acceptedAtMs)) this.view.endDeadlineMs = this.endDeadlineMs();
  }

  show(): void {
    setCurrentDetails(renderDetails(this.view, this.notes));
  }
}

function hasFile({ files }: EgressReport): boolean {
  return files.some(({ sizeBytes }) => sizeBytes > 0);
}

/**
 * Waits until `done`, at most to `atMs`. A time that is past starts no timer: `condition` with 0 would write a patch marker,
 * and a timer is a billed action.
 */
export async function until(state: RecordingState, done: () => boolean, atMs: number, summary: string): Promise<void> {
  const leftMs = Math.ceil(atMs - Date.now());
  if (leftMs <= 0 || done()) return;
  state.resting = true;
  await condition(done, leftMs, { summary });
  state.resting = false;
}
