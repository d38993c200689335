// A recording whose workflow was ended from outside, in Temporal: what it knew until then, and what became of its last part. Pure.
import { defined } from '../common/defined.ts';
import { type EgressSnapshot, isTerminal } from './egress.ts';
import { STORAGE_WORDS } from './stored.ts';
import type { PartView, RecordingView } from './view.ts';

interface Termination {
  message: string;
  /** Unix ms; absent: nobody knows. */
  atMs?: number | undefined;
  /** LiveKit's record: its worker's last report reaches that, although no workflow hears it any more. */
  record?: EgressSnapshot | undefined;
}

/** @param known the last that it said of itself */
export function terminatedView(known: RecordingView, { message, atMs, record }: Termination): RecordingView {
  const { waiting: _, ...rest } = known;
  const parts = known.parts.map((part, index) => {
    const isLast = index === known.parts.length - 1;
    return isLast && record && isTerminal(record.status) ? endedAs(record, part, known.parts) : part;
  });
  const endedAtMs = known.endedAtMs ?? atMs;
  return {
    ...rest,
    parts,
    stage: 'failed',
    reason: { code: 'terminated', message },
    ...defined({ endedAtMs }),
  };
}

/** LiveKit's record may hold the files of earlier parts, too. */
function endedAs(record: EgressSnapshot, part: PartView, parts: readonly PartView[]): PartView {
  if (part.end || part.egressId === undefined) return part;
  const earlier = new Set(parts.flatMap(({ files }) => files.map(({ location }) => location)));
  const { status, details, error, errorCode, endedAtMs } = record;
  return {
    ...part,
    ...defined({ endedAtMs }),
    files: record.files
      .filter(({ sizeBytes, location }) => sizeBytes > 0 && !earlier.has(location))
      .map((file) => ({ ...file, storage: STORAGE_WORDS.unknown })),
    end: {
      status,
      ...(details ? { details } : {}),
      ...(error ? { error } : {}),
      ...(errorCode ? { errorCode } : {}),
    },
  };
}
