// Delivers the end of a recording to the user's webhook. A workflow of its own: a receiver that is down holds no recording open
// and no worker.
import { log } from '@temporalio/workflow';
import type { RecordingView } from '../recording/view.ts';
import { deliver, problemOf } from './calls.ts';

export async function delivery(input: { url: string; view: RecordingView }): Promise<void> {
  try {
    await deliver.notifyUser(input);
  } catch (error) {
    log.warn('the webhook of the user was not delivered', { recordingId: input.view.id, problem: problemOf(error) });
  }
}
