// One MP4 that plays through, out of the parts of a recording: what two of them have is taken once, and nothing is filled in where
// none was. Copies as long as the parts are alike, so that hours of media take as long as their copying.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cutParts, writeJoined } from './cut.ts';
import { MediaError, type RunOptions, type Tools } from './ffmpeg.ts';
import { formsOf, type JoinWork, type ReadPart } from './forms.ts';
import { type PacketsOfFile, readPackets } from './packets.ts';
import { type Probed, probe } from './probe.ts';
import { type Splice, splice } from './splice.ts';

export interface JoinPart {
  file: string;
  /** Wall clock of its first frame, unix ms */
  startedAtMs: number;
  durationMs: number;
}

export interface PlannedPart {
  file: string;
  /** Cut there: what follows is in the next part. */
  lengthMs: number;
  /** Nothing was recorded for so long before it. */
  gapBeforeMs: number;
  /** The part before has so much of its beginning, too. */
  overlapMs: number;
}

export interface Seam {
  /** When the next part begins in the joined file. */
  atMs: number;
  gapMs: number;
  overlapMs: number;
}

export interface Joined extends Probed {
  seams: Seam[];
  /** Neither picture nor sound was encoded anew. */
  copied: boolean;
}

export interface JoinOptions extends RunOptions {
  /** Where it may put what it needs meanwhile: about as much as all parts together. It leaves nothing. */
  folder: string;
}

/** In order of time; a part that is wholly inside another is left out. */
export function planJoin(parts: readonly JoinPart[]): PlannedPart[] {
  const needed = neededParts(parts);
  return needed.map((part, index) => {
    const before = needed[index - 1];
    const next = needed[index + 1];
    const gapMs = before ? part.startedAtMs - endOf(before) : 0;
    return {
      file: part.file,
      lengthMs: next ? Math.min(part.durationMs, next.startedAtMs - part.startedAtMs) : part.durationMs,
      gapBeforeMs: Math.max(0, gapMs),
      overlapMs: Math.max(0, -gapMs),
    };
  });
}

/** @throws MediaError, or the signal's reason */
export async function joinFiles(
  tools: Tools,
  parts: readonly JoinPart[],
  out: string,
  { folder, ...run }: JoinOptions,
): Promise<Joined> {
  const scratch = await mkdtemp(join(folder, 'join-'));
  try {
    return await joinIn({ tools, run, scratch }, parts, out);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

type MeasuredPart = JoinPart & ReadPart;

async function joinIn(work: JoinWork, parts: readonly JoinPart[], out: string): Promise<Joined> {
  if (parts.length === 0) throw new MediaError('not_media', 'there are no parts to join');
  const read: MeasuredPart[] = [];
  for (const part of parts) read.push(measured(part, await readPackets(work.tools, part.file, work.run)));
  const needed = neededParts(read);
  const plan = planJoin(needed);
  const spliced = splice(
    needed.map(({ startedAtMs, packets }, index) => ({
      startedAtUs: startedAtMs * 1_000,
      isAfterGap: (plan[index]?.gapBeforeMs ?? 0) > 0,
      streams: packets,
    })),
  );
  const forms = await formsOf(work, needed, spliced.isCopyable);
  await cutParts(work, needed, spliced.takes, forms);
  await writeJoined(work, spliced.takes, forms, out);
  return {
    ...(await probe(work.tools, out, work.run.signal)),
    seams: seamsOf(plan, spliced),
    copied: !forms.video && !forms.audio,
  };
}

function neededParts<P extends JoinPart>(parts: readonly P[]): P[] {
  const byTime = parts.toSorted((a, b) => a.startedAtMs - b.startedAtMs || b.durationMs - a.durationMs);
  let lastEndMs = Number.NEGATIVE_INFINITY;
  return byTime.filter((part) => {
    const isInside = endOf(part) <= lastEndMs;
    lastEndMs = Math.max(lastEndMs, endOf(part));
    return !isInside;
  });
}

function endOf({ startedAtMs, durationMs }: JoinPart): number {
  return startedAtMs + durationMs;
}

/** What a worker says of its file's length is about its egress; what counts is in the file. */
function measured(part: JoinPart, packets: PacketsOfFile): MeasuredPart {
  const streams = [packets.video, packets.audio].filter((stream) => stream !== undefined);
  const begins = streams.map(({ timesUs, silent }) => timesUs[silent] ?? 0);
  const ends = streams.map(({ timesUs, lastUs }) => timesUs.reduce((a, b) => Math.max(a, b)) + lastUs);
  return { ...part, packets, durationMs: (Math.max(...ends) - (begins[0] ?? 0)) / 1_000 };
}

function seamsOf(plan: readonly PlannedPart[], { beginsUs }: Splice): Seam[] {
  return plan.slice(1).map(({ gapBeforeMs, overlapMs }, index) => ({
    atMs: Math.round((beginsUs[index + 1] ?? 0) / 1_000),
    gapMs: Math.round(gapBeforeMs),
    overlapMs: Math.round(overlapMs),
  }));
}
