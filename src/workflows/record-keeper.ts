// Keeps LiveKit's record of a recording up to date: one report after the other, in order, repeated until LiveKit has it. Only the
// latest state matters, so what changes meanwhile goes out with the next one.
import { condition, log } from '@temporalio/workflow';
import type { RecordFacts } from '../recording/record-state.ts';
import { endRecords, problemOf, records } from './calls.ts';
import type { RecordingState } from './recording-state.ts';

export class RecordKeeper {
  private readonly state: RecordingState;
  private running: Promise<void> | undefined;
  private publishing = false;
  private finishing = false;

  constructor(state: RecordingState) {
    this.state = state;
  }

  /** LiveKit has been told everything that it should know now, or is never told. */
  get isUpToDate(): boolean {
    return this.running === undefined || (!this.publishing && !this.state.recordIsStale);
  }

  start(): void {
    this.running = this.run();
  }

  /** Until LiveKit knows the end. */
  async finish(): Promise<void> {
    this.finishing = true;
    await this.running;
  }

  private async run(): Promise<void> {
    while (true) {
      await condition(() => this.state.recordIsStale || this.finishing);
      if (!this.state.recordIsStale) return;
      this.publishing = true;
      this.state.recordIsStale = false;
      await this.publish();
      this.publishing = false;
    }
  }

  private async publish(): Promise<void> {
    const record = this.state.record();
    this.state.recordPublished(record);
    try {
      await this.tell(record);
    } catch (error) {
      log.warn('LiveKit was not told', { recordingId: record.recordingId, problem: problemOf(error) });
    }
  }

  private async tell(record: RecordFacts): Promise<void> {
    if (this.state.view.stage === 'completed') {
      try {
        return await endRecords.publishRecord(record);
      } catch (error) {
        problemOf(error);
        this.state.endLasts();
      }
    }
    await records.publishRecord(record);
  }
}
