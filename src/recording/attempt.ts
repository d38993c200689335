// The ids of a recording and of its attempts. To LiveKit a recording is one egress; each start on a worker has an id of its own,
// because two workers that run the same id evict each other from the room. Pure.

/** As LiveKit makes them: `EG_` and letters and digits. Reelkit's own are longer. */
export const RECORDING_ID = /^EG_[A-Za-z0-9]{8,40}$/;
const ATTEMPT_ID = /^(EG_[A-Za-z0-9]{8,40})(?:_([1-9]\d{0,5}))?$/;

/** @param attempt counts from 0 over the whole recording; the first one is `EG_x` itself, then `EG_x_1` */
export function attemptEgressId(recordingId: string, attempt: number): string {
  return attempt === 0 ? recordingId : `${recordingId}_${attempt}`;
}

/** @returns undefined for what is no attempt of a recording */
export function parseAttemptEgressId(egressId: string): { recordingId: string; attempt: number } | undefined {
  const [, recordingId, attempt = '0'] = ATTEMPT_ID.exec(egressId) ?? [];
  return recordingId === undefined ? undefined : { recordingId, attempt: Number(attempt) };
}

/**
 * Where a run that was reset in Temporal's Web UI begins to count: it repeats steps whose attempts may run or have files, so its own
 * are numbered far from theirs. Room is left for its own within six digits.
 */
export function resetOffset(runId: string): number {
  return 1_000 + (Number.parseInt(runId.replaceAll('-', '').slice(-8), 16) % 980_000);
}
