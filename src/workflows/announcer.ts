// Hands what a recording has to tell to its delivery, in order. Whether and when a receiver hears of it is the delivery's affair: this
// waits for Temporal alone.
import { condition } from '@temporalio/workflow';
import type { Receiver } from '../recording/webhooks/receivers.ts';
import { announcing } from './calls.ts';
import type { RecordingState } from './recording-state.ts';

export class Announcer {
  private readonly state: RecordingState;
  private readonly running: Promise<void>;
  private finishing = false;

  constructor(state: RecordingState) {
    this.state = state;
    this.running = this.run(state.input.receivers ?? []);
  }

  /** Until everything is handed over. */
  async finish(): Promise<void> {
    this.finishing = true;
    await this.running;
  }

  private async run(receivers: readonly Receiver[]): Promise<void> {
    if (receivers.length === 0) return;
    const { id: recordingId, fleet } = this.state.input;
    const { events } = this.state;
    while (true) {
      await condition(() => events.hasNews || this.finishing);
      if (!events.hasNews) return;
      // What was taken is known to this run alone until it is handed over.
      await this.state.inBackground([announcing.announce({ recordingId, fleet, receivers, events: events.take() })]);
    }
  }
}
