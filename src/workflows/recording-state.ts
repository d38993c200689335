// The state of one recording workflow and the only functions that change it: stage, parts, deadline, what was asked for.
// Deterministic: time comes from the workflow's own clock.
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { log, setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { checkExtension, extendedDeadline } from '../recording/deadline.ts';
import { type DetailNotes, renderDetails } from '../recording/details.ts';
import { type EgressSnapshot, isTerminal } from '../recording/egress.ts';
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
import type { ExtendBy, RecordingInput } from './messages.ts';

const STAGE = defineSearchAttributeKey('RecordingStage', SearchAttributeType.KEYWORD);
const WAITING_FOR = defineSearchAttributeKey('RecordingWaitingFor', SearchAttributeType.KEYWORD);

export class RecordingState {
  readonly input: RecordingInput;
  readonly view: RecordingView;
  cancelled = false;
  /** The fleet has capacity for us; taken by the next start. */
  admitted = false;
  /** Why somebody asks us to look at LiveKit; nothing is believed before we did. */
  look: string | undefined;
  /** The room was there once: when it is missing now, it has ended. */
  roomSeen = false;
  /** An egress of the current part that showed up before StartEgress answered, or after we gave up on an answer. */
  appeared: EgressSnapshot | undefined;
  /** Final record of the current part, once known. */
  ended: EgressSnapshot | undefined;
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

  startNextPart(): PartView {
    const part: PartView = { number: (this.part?.number ?? 0) + 1, attempts: 0, files: [] };
    this.view.parts.push(part);
    this.ended = undefined;
    this.appeared = undefined;
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

  /** @returns another egress of the same part that must be stopped */
  accepted(egressId: string, atMs: number): EgressSnapshot | undefined {
    const { part, appeared } = this;
    if (!part) return undefined;
    part.egressId = egressId;
    part.acceptedAtMs = atMs;
    this.roomSeen = true;
    this.appeared = undefined;
    this.enter('starting');
    this.moveDeadline();
    if (!appeared) return undefined;
    this.heard(appeared);
    return appeared.egressId === egressId ? undefined : appeared;
  }

  /** News of an egress, from a webhook or from looking. Late news of an earlier part is ignored. */
  heard(egress: EgressSnapshot): void {
    const { part } = this;
    if (!part || this.ended || this.isEnded) return;
    if (!part.egressId && egress.marker?.part === part.number) this.appeared = egress;
    if (part.egressId !== egress.egressId) return;
    if (egress.startedAtMs && !part.startedAtMs) this.becameActive(part, egress.startedAtMs);
    if (isTerminal(egress.status)) this.ended = egress;
  }

  private becameActive(part: PartView, atMs: number): void {
    part.startedAtMs = atMs;
    if (this.view.startedAtMs === undefined) {
      this.view.startedAtMs = atMs;
      const acceptedMs = part.acceptedAtMs ?? atMs;
      this.view.spent = { queueMs: Math.max(0, acceptedMs - this.dueAtMs), startMs: Math.max(0, atMs - acceptedMs) };
      this.moveDeadline();
    }
    if (this.view.stage !== 'stopping') this.enter('recording');
  }

  /** Writes down how the current part ended. */
  closePart(egress: EgressSnapshot | null, evidence?: string): void {
    const { part } = this;
    if (!part) return;
    part.endedAtMs = egress?.endedAtMs ?? Date.now();
    part.end = egress
      ? {
          status: egress.status,
          ...(egress.details ? { details: egress.details } : {}),
          ...(egress.error ? { error: egress.error } : {}),
          ...(egress.errorCode ? { errorCode: egress.errorCode } : {}),
        }
      : { status: 'LOST', ...(evidence ? { error: evidence } : {}) };
    const storage = this.input.request.outputs[0]?.storage ?? 'default';
    part.files = (egress?.files ?? []).filter((file) => file.sizeBytes > 0).map((file) => ({ ...file, storage }));
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

  /** @returns why not, or undefined and the deadline has moved */
  extend(extension: ExtendBy): string | undefined {
    const endDeadlineMs = this.endDeadlineMs();
    const problem = checkExtension(extension, { startsAtMs: this.startsAtMs(), endDeadlineMs, nowMs: Date.now() });
    if (problem) return problem;
    if ('byMs' in extension && this.fixedDeadlineMs === undefined) this.extensionMs += extension.byMs;
    else this.fixedDeadlineMs = extendedDeadline(extension, { endDeadlineMs });
    this.moveDeadline();
    this.show();
    return undefined;
  }

  endDeadlineMs(): number {
    return this.fixedDeadlineMs ?? this.startsAtMs() + this.input.request.maxDuration + this.extensionMs;
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
