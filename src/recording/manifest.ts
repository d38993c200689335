// The manifest that lies beside the files of a recording: what they are, when they were recorded, and what is missing. Pure.
import { defined } from '../common/defined.ts';
import type { PartView, RecordedFile, RecordingView } from './view.ts';

/** Version of this document; fields are added, never changed. */
const VERSION = 1;

interface Gap {
  /** Of the recording's wall clock. */
  from: string;
  until: string;
  seconds: number;
  reason: 'paused' | 'worker_lost' | 'between_parts';
}

export function renderManifest(view: RecordingView): string {
  const { id, request, requestedAtMs, startedAtMs, endedAtMs, stage, reason, parts } = view;
  const document = {
    version: VERSION,
    recording: id,
    source: request.source,
    labels: request.labels,
    ...(request.tenant === undefined ? {} : { tenant: request.tenant }),
    requestedAt: toIso(requestedAtMs),
    startedAt: toIso(startedAtMs),
    endedAt: toIso(endedAtMs),
    stage,
    reason,
    parts: parts.map(describePart),
    ...(view.joined ? { joined: describeFile(view.joined), seams: view.joined.seams } : {}),
    gaps: gapsOf(view),
    overlaps: overlapsOf(parts),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function describePart({
  number,
  egressId,
  startedAtMs,
  endingAtMs,
  endedAtMs,
  files,
  end,
  warnings,
}: PartView): object {
  return {
    number,
    egressId,
    startedAt: toIso(startedAtMs),
    /** No media after that. */
    endedAt: toIso(endingAtMs ?? endedAtMs),
    status: end?.status,
    ...(warnings ? { warnings } : {}),
    files: files.map(describeFile),
  };
}

function describeFile({ filename, location, storage, sizeBytes, durationMs, rebuilt, removed }: RecordedFile): object {
  return {
    filename,
    location,
    storage,
    bytes: sizeBytes,
    seconds: durationMs / 1_000,
    ...defined({ rebuilt, removed }),
  };
}

/** Times in which nothing is in any file, by what the files hold. */
export function gapsOf({ parts, pauses = [] }: Pick<RecordingView, 'parts' | 'pauses'>): Gap[] {
  const spans = spansOf(parts);
  return spans.slice(1).flatMap((span, index) => {
    const before = spans[index] as Span;
    if (span.fromMs <= before.untilMs) return [];
    const isPaused = pauses.some(({ sinceMs }) => sinceMs >= before.fromMs && sinceMs <= span.fromMs);
    const reason = isPaused ? 'paused' : before.isLost ? 'worker_lost' : 'between_parts';
    return [{ ...between(before.untilMs, span.fromMs), reason }];
  });
}

function overlapsOf(parts: readonly PartView[]): object[] {
  const spans = spansOf(parts);
  return spans.slice(1).flatMap((span, index) => {
    const before = spans[index] as Span;
    return span.fromMs < before.untilMs ? [between(span.fromMs, Math.min(before.untilMs, span.untilMs))] : [];
  });
}

interface Span {
  fromMs: number;
  untilMs: number;
  isLost: boolean;
}

function spansOf(parts: readonly PartView[]): Span[] {
  return parts
    .flatMap(({ startedAtMs: fromMs, files: [file], end }) =>
      fromMs === undefined || !file
        ? []
        : [{ fromMs, untilMs: fromMs + file.durationMs, isLost: end?.status === 'LOST' }],
    )
    .toSorted((one, other) => one.fromMs - other.fromMs);
}

function between(fromMs: number, untilMs: number) {
  return { from: iso(fromMs), until: iso(untilMs), seconds: (untilMs - fromMs) / 1_000 };
}

function toIso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : iso(ms);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
