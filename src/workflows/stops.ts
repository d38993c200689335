// Stopping attempts: the present one, and those that nobody wants.
import { log } from '@temporalio/workflow';
import type { StopInput } from '../activities/contract.ts';
import { problemOf, stop } from './calls.ts';
import type { RecordingState } from './recording-state.ts';

export async function stopStrangers(state: RecordingState): Promise<void> {
  await state.inBackground(
    [...state.attempts.strangers].map(async (egressId) => {
      state.attempts.strangers.delete(egressId);
      log.warn('another egress runs for the same recording and is stopped', { recordingId: state.view.id, egressId });
      if (await tryStop(state, { egressId })) state.attempts.stopFailed(egressId);
    }),
  );
}

/** @returns why nobody confirmed it */
export async function tryStop(state: RecordingState, asked: StopInput): Promise<string | undefined> {
  try {
    const report = await stop.stopPart(asked);
    if (report) state.heard(report);
    return undefined;
  } catch (error) {
    return problemOf(error);
  }
}
