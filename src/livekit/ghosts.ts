// Records in LiveKit's own list that nobody keeps up to date any more: their recording is gone, and LiveKit would call them active for
// ever. Ended with what is known, never made anew.
import { type EgressInfo, EgressStatus } from '@livekit/protocol';
import type { LiveKitRecords } from './records.ts';

export interface GhostParts {
  /** LiveKit's record; null when it has none. */
  recordOf(egressId: string): Promise<EgressInfo | null>;
  records: LiveKitRecords;
}

/**
 * An attempt whose recording is not open any more has ended: LiveKit's record takes its end, unless it has one.
 * @returns whether LiveKit was told
 */
export async function endGhost(
  { recordOf, records }: GhostParts,
  recordingId: string,
  last: EgressInfo,
): Promise<boolean> {
  const record = await recordOf(recordingId);
  if (!record || isEnded(record.status) || !isEnded(last.status)) return false;
  const { status, error, errorCode, details, endedAt, updatedAt, fileResults, segmentResults, imageResults } = last;
  const ended = record.clone();
  Object.assign(ended, { status, error, errorCode, details, endedAt, updatedAt });
  if (fileResults.length > 0) ended.fileResults = fileResults;
  if (segmentResults.length > 0) ended.segmentResults = segmentResults;
  if (imageResults.length > 0) ended.imageResults = imageResults;
  await records.update(ended);
  return true;
}

function isEnded(status: EgressStatus): boolean {
  return status >= EgressStatus.EGRESS_COMPLETE;
}
