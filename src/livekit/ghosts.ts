// Records in LiveKit's own list that nobody keeps up to date any more: their recording is gone, and LiveKit would call them active for
// ever. Ended with what is known, never made anew. Pure but for what it is handed.
import { type EgressInfo, EgressStatus, FileInfo } from '@livekit/protocol';
import { EGRESS_STATUSES, type EgressStatus as StatusName } from '../recording/egress.ts';
import { recordStateOf } from '../recording/record-state.ts';
import type { RecordingView } from '../recording/view.ts';
import { closeStreams, withSingleResult } from './record.ts';
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

export const WITNESSES = ['workflow', 'workersRedis', 'livekitRedis', 'installations', 'room'] as const;
export type WitnessName = (typeof WITNESSES)[number];

export interface Witness {
  name: WitnessName;
  /** It shows that somebody runs the egress, or will. */
  shows: boolean;
  /** In words. */
  says: string;
}

/** `nobody`: every witness says so, and the record has not changed for long. `somebody`, `recent`: it is left alone. */
export type GhostVerdict = 'nobody' | 'somebody' | 'recent';

/** One witness is enough to leave a record alone, and so is a change a moment ago: a worker may only be on its way. */
export function judgeRecord(record: EgressInfo, witnesses: readonly Witness[], changedBeforeMs: number): GhostVerdict {
  if (witnesses.some(({ shows }) => shows)) return 'somebody';
  return changedAtMs(record) > changedBeforeMs ? 'recent' : 'nobody';
}

/** @returns unix ms */
export function changedAtMs({ startedAt, updatedAt }: EgressInfo): number {
  return Number((updatedAt > startedAt ? updatedAt : startedAt) / 1_000_000n);
}

const NOBODY = 'nobody runs this egress any more; ended by reelkit repair';

/**
 * The record of an egress that nobody runs, ended: as its recording ended where that is known, else FAILED, or ABORTED when it never
 * began.
 */
export function endedRecord(record: EgressInfo, nowMs: number, recording?: RecordingView): EgressInfo {
  const ended = record.clone();
  const { status, error = '', errorCode = 0, details = '' } = recording ? recordStateOf(recording) : nobodysEnd(record);
  ended.status = EGRESS_STATUSES.indexOf(status) as EgressStatus;
  Object.assign(ended, { error, errorCode, details });
  ended.updatedAt = toNs(nowMs);
  ended.endedAt = toNs(recording?.endedAtMs ?? nowMs);
  const files = recording?.parts.flatMap((part) => part.files) ?? [];
  if (files.length > 0)
    ended.fileResults = files.map(
      ({ filename, location, sizeBytes, durationMs }) =>
        new FileInfo({ filename, location, size: BigInt(sizeBytes), duration: toNs(durationMs) }),
    );
  closeStreams(ended, status);
  return withSingleResult(ended);
}

function nobodysEnd({ status }: EgressInfo) {
  const isUnstarted = status === EgressStatus.EGRESS_STARTING;
  return {
    status: (isUnstarted ? 'ABORTED' : 'FAILED') satisfies StatusName as StatusName,
    error: NOBODY,
    errorCode: isUnstarted ? 412 : 500,
    details: 'End reason: Failure',
  };
}

function toNs(ms: number): bigint {
  return BigInt(Math.round(ms)) * 1_000_000n;
}
