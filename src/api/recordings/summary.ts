// A recording in a list: a row of Temporal's index and its memo. Pure.
import { defined } from '../../common/defined.ts';
import { roomOf } from '../../recording/source.ts';
import { fleetOf, type Row, recordingIdOf, stageOf, waitingForOf } from '../../temporal/recording-index.ts';
import type { RecordingMemo } from '../../workflows/messages.ts';
import type { ListQuery, RecordingSummary } from '../schemas.ts';

export function summaryOf(row: Row, memo: RecordingMemo): RecordingSummary {
  const room = roomOf(memo.request.source);
  const stage = stageOf(row);
  const waitingFor = stage === 'waiting' ? waitingForOf(row) : undefined;
  const endedAtMs = millis(row.closeTime);
  return {
    id: recordingIdOf(row),
    stage,
    fleet: fleetOf(row),
    source: memo.request.source.type,
    ...defined({ room, waitingFor }),
    priority: memo.request.priority,
    ...(memo.request.tenant === undefined ? {} : { tenant: memo.request.tenant }),
    labels: memo.request.labels,
    costCores: memo.costCores,
    requestedAtMs: memo.requestedAtMs,
    ...(memo.startAtMs === undefined ? {} : { startAtMs: memo.startAtMs }),
    ...defined({ endedAtMs }),
  };
}

/** Search attributes are shortened and rewritten; what was asked for is decided here. */
export function isWanted(
  summary: RecordingSummary,
  { room, tenant, label = [] }: Pick<ListQuery, 'room' | 'tenant' | 'label'>,
): boolean {
  if (room !== undefined && summary.room !== room) return false;
  if (tenant !== undefined && summary.tenant !== tenant) return false;
  return label.every((pair) => {
    const [key = ''] = pair.split('=', 1);
    return summary.labels[key] === pair.slice(key.length + 1);
  });
}

export function millis(time: { seconds?: unknown; nanos?: number | null } | null | undefined): number | undefined {
  if (!time) return undefined;
  return Number(time.seconds ?? 0) * 1_000 + Math.floor((time.nanos ?? 0) / 1e6);
}
