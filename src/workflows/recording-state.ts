// The state of one recording workflow and the only functions that change it: stage, parts, deadline, what was asked for.
// Deterministic: time comes from the workflow's own clock.
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { condition, log, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { checkExtension, extendedDeadline } from '../recording/deadline.ts';
import { type DetailNotes, renderDetails } from '../recording/details.ts';
import { EGRESS_STATUSES, type EgressSnapshot, isTerminal } from '../recording/egress.ts';
import { dueAtMs, openRecording } from '../recording/open.ts';
import {
  type EndReason,
  type EndStage,
  isEnded,
  type OpenStage,
  type Stage,
  type WaitingFor,
} from '../recording/stage.ts';
import type { PartView, RecordingView } from '../recording/view.ts';
import { measures } from './measures.ts';
import type { ExtendBy, RecordingInput } from './messages.ts';

const STAGE = defineSearchAttributeKey('RecordingStage', SearchAttributeType.KEYWORD);
const WAITING_FOR = defineSearchAttributeKey('RecordingWaitingFor', SearchAttributeType.KEYWORD);

/** Status of a part whose worker died: LiveKit's own words end with it. */
const LOST = 'LOST';

/** How a recording ends. */
export type End = { stage: EndStage; reason: EndReason; message: string };

export class RecordingState {
  readonly input: RecordingInput;
  readonly view: RecordingView;
  cancelled = false;
  cancelledBy: string | undefined;
  /** The fleet has capacity for us; taken by the next start. */
  admitted = false;
  /** Nothing is under way: only time, a message or news goes on. */
  resting = false;
  /** Why somebody asks us to look at LiveKit; nothing is believed before we did. */
  look: string | undefined;
  /** The room was there once: when it is missing now, it has ended. */
  roomSeen = false;
  /** Final record of the current part, once known. */
  ended: EgressSnapshot | undefined;
  /** Egresses of ours that run beside the one we want: they must be stopped, and are taken out once they were told. */
  readonly strangers = new Set<string>();
  private readonly knownStrangers = new Set<string>();
  /** Egresses of the current part that showed up before StartEgress answered, or after we gave up on an answer. */
  private readonly appeared = new Map<string, EgressSnapshot>();
  /** Set by extend; added to maxDuration, or replaces the deadline. */
  private extensionMs = 0;
  private fixedDeadlineMs: number | undefined;
  private readonly notes: DetailNotes;

  constructor(input: RecordingInput) {
    this.input = input;
    this.view = openRecording(input);
    this.notes = { stageSinceMs: input.requestedAtMs };
  }

  get dueAtMs(): number {
    return dueAtMs(this.input);
  }

  get part(): PartView | undefined {
    return this.view.parts.at(-1);
  }

  get isEnded(): boolean {
    return isEnded(this.view.stage);
  }

  /** An egress of the current part that runs although no answer said so; one that has ended only when none runs. */
  get foundEgress(): EgressSnapshot | undefined {
    const all = [...this.appeared.values()];
    return all.find((egress) => !isTerminal(egress.status)) ?? all.at(-1);
  }

  startNextPart(): PartView {
    const part: PartView = { number: (this.part?.number ?? 0) + 1, attempts: 0, files: [] };
    this.view.parts.push(part);
    this.ended = undefined;
    this.appeared.clear();
    // It was meant for a place in the queue that we left long ago.
    this.admitted = false;
    if (this.view.stage === 'recording') this.enter('starting');
    return part;
  }

  enter(stage: OpenStage | EndStage): void {
    if (this.view.stage === stage) return;
    const hadWaiting = this.view.waiting !== undefined;
    delete this.view.waiting;
    this.view.stage = stage;
    this.notes.stageSinceMs = Date.now();
    upsertSearchAttributes([{ key: STAGE, value: stage }, ...(hadWaiting ? [{ key: WAITING_FOR, value: null }] : [])]);
    log.info(`recording is ${stage}`, { recordingId: this.view.id });
    this.show();
  }

  /** Stays in the queue while it is tried again, so that newcomers stand behind it. */
  wait(what: WaitingFor, detail: string): void {
    const same = this.view.stage === 'waiting' && this.view.waiting?.for === what;
    this.view.waiting = { for: what, sinceMs: same ? (this.view.waiting?.sinceMs ?? Date.now()) : Date.now(), detail };
    this.notes.lastProblem = detail;
    if (!same) {
      if (this.view.stage !== 'waiting') this.notes.stageSinceMs = Date.now();
      this.view.stage = 'waiting';
      upsertSearchAttributes([
        { key: STAGE, value: 'waiting' satisfies Stage },
        { key: WAITING_FOR, value: what },
      ]);
      log.info(`recording waits for ${what}: ${detail}`, { recordingId: this.view.id });
    }
    this.show();
  }

  noteProblem(problem: string): void {
    this.notes.lastProblem = problem;
    this.show();
  }

  accepted(egressId: string, atMs: number): void {
    const { part } = this;
    if (!part) return;
    part.egressId = egressId;
    part.acceptedAtMs = this.plausible(atMs);
    this.roomSeen = true;
    this.look = undefined;
    this.enter('starting');
    this.moveDeadline();
    const appeared = [...this.appeared.values()];
    this.appeared.clear();
    for (const egress of appeared) this.heard(egress);
    this.show();
  }

  /** News of an egress, from a webhook or from looking; late, twice and out of order. */
  heard(egress: EgressSnapshot): void {
    if (this.isEnded || !isSnapshot(egress)) return;
    const owner = this.view.parts.find((part) => part.egressId === egress.egressId);
    if (!owner) this.heardUnknown(egress);
    else if (owner.end) this.heardOfClosed(owner, egress);
    else this.heardOfCurrent(owner, egress);
  }

  private heardOfCurrent(part: PartView, egress: EgressSnapshot): void {
    if (this.ended) return;
    if (isTerminal(egress.status)) {
      this.ended = egress;
      if (egress.startedAtMs) this.noteActive(part, egress.startedAtMs);
    } else if (egress.status !== 'STARTING') {
      this.noteActive(part, egress.startedAtMs ?? egress.updatedAtMs ?? Date.now());
      if (this.view.stage !== 'stopping') this.enter('recording');
    }
  }

  /** It carries our marker and no part knows it: the answer that is still missing, or one egress too many. */
  private heardUnknown(egress: EgressSnapshot): void {
    const { part } = this;
    if (egress.marker?.recordingId !== this.view.id) return;
    if (part && !part.egressId && egress.marker.part === part.number) {
      const known = this.appeared.get(egress.egressId);
      if (!known || !isOlder(egress, known)) this.appeared.set(egress.egressId, egress);
    } else if (!isTerminal(egress.status)) {
      this.addStranger(egress.egressId);
    }
  }

  /** A part that was given up for lost: its file still counts, but it may not go on beside its successor. */
  private heardOfClosed(part: PartView, egress: EgressSnapshot): void {
    if (part.end?.status !== LOST) return;
    if (isTerminal(egress.status)) this.writeEnd(part, egress);
    else if (part !== this.part) this.addStranger(egress.egressId);
  }

  addStranger(egressId: string): void {
    if (this.knownStrangers.has(egressId)) return;
    this.knownStrangers.add(egressId);
    this.strangers.add(egressId);
  }

  private noteActive(part: PartView, workerMs: number): void {
    if (part.startedAtMs !== undefined) return;
    const atMs = this.plausible(workerMs);
    part.startedAtMs = atMs;
    if (this.view.startedAtMs !== undefined) return;
    this.view.startedAtMs = atMs;
    const acceptedMs = part.acceptedAtMs ?? atMs;
    this.view.spent = { queueMs: Math.max(0, acceptedMs - this.dueAtMs), startMs: Math.max(0, atMs - acceptedMs) };
    measures.started(this.view.spent);
    this.moveDeadline();
  }

  /** A worker whose clock is wrong must not move our deadlines: nothing began before it was asked for, or later than now. */
  private plausible(workerMs: number): number {
    return Math.min(Math.max(workerMs, this.input.requestedAtMs), Date.now());
  }

  /** Writes down how the current part ended. @param egress null when its worker died */
  closePart(egress: EgressSnapshot | null, evidence?: string): void {
    const { part } = this;
    if (!part) return;
    if (egress) this.writeEnd(part, egress);
    else {
      part.endedAtMs = Date.now();
      part.end = { status: LOST, ...(evidence ? { error: evidence } : {}) };
    }
  }

  private writeEnd(part: PartView, egress: EgressSnapshot): void {
    part.endedAtMs = egress.endedAtMs ?? part.endedAtMs ?? Date.now();
    part.end = {
      status: egress.status,
      ...(egress.details ? { details: egress.details } : {}),
      ...(egress.error ? { error: egress.error } : {}),
      ...(egress.errorCode ? { errorCode: egress.errorCode } : {}),
    };
    const storage = this.input.request.outputs[0]?.storage ?? 'default';
    part.files = egress.files.filter((file) => file.sizeBytes > 0).map((file) => ({ ...file, storage }));
  }

  /** A part that never got an egress is no part. */
  dropUnstartedPart(): void {
    if (this.part && !this.part.egressId) this.view.parts.pop();
  }

  get hasFiles(): boolean {
    return this.view.parts.some((part) => part.files.length > 0);
  }

  finish(stage: EndStage, code: EndReason, message: string): void {
    this.view.reason = { code, message };
    this.view.endedAtMs = Date.now();
    this.enter(stage);
  }

  cancel(by: unknown): void {
    this.cancelled = true;
    if (typeof by === 'string') this.cancelledBy ??= by.slice(0, 100);
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

/** Webhooks overtake each other; a status never goes back. */
function isOlder(one: EgressSnapshot, other: EgressSnapshot): boolean {
  return EGRESS_STATUSES.indexOf(one.status) < EGRESS_STATUSES.indexOf(other.status);
}

/** A signal may be sent by hand and carry anything. */
function isSnapshot(egress: Partial<EgressSnapshot> | undefined): boolean {
  const { egressId, status, files } = egress ?? {};
  return (
    typeof egressId === 'string' && status !== undefined && EGRESS_STATUSES.includes(status) && Array.isArray(files)
  );
}
