// What a recording has to tell, in order, until it was handed to the delivery. Pure. A recording that nobody wants to hear of writes
// nothing.
import type { RecordingView } from '../view.ts';
import { eventOfStage, type WebhookEvent, webhookEvent } from './events.ts';
import type { WebhookEventName } from './names.ts';
import { type Receiver, wants } from './receivers.ts';

/** A message may hold 2 MB, a body 32 KiB. */
const TAKEN = 20;

export class EventLog {
  private readonly receivers: readonly Receiver[];
  private sequence: number;
  private readonly pending: WebhookEvent[] = [];

  /** @param offset where a run that was reset numbers its own from: receivers know those of the run before */
  constructor(receivers: readonly Receiver[], offset: number) {
    this.receivers = receivers;
    this.sequence = offset;
  }

  /** Numbers that a run before this one may have used. */
  skip(numbers: number): void {
    this.sequence += numbers;
  }

  noteStage(view: RecordingView, atMs: number): void {
    this.note(eventOfStage(view), view, atMs);
  }

  notePartEnded(view: RecordingView, atMs: number): void {
    this.note('recording.part_ended', view, atMs);
  }

  private note(event: WebhookEventName, view: RecordingView, atMs: number): void {
    this.sequence += 1;
    if (this.receivers.some((receiver) => wants(receiver, event)))
      this.pending.push(webhookEvent(event, this.sequence, view, atMs));
  }

  get hasNews(): boolean {
    return this.pending.length > 0;
  }

  /** As many as one message to Temporal may hold. */
  take(): WebhookEvent[] {
    return this.pending.splice(0, TAKEN);
  }
}
