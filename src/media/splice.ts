// Which packets of which part are in the joined file, and when they are shown there. Picture and sound are cut each for itself, so that
// the sound of a part lasts until that of the next part begins, whenever its picture does. Pure; all times are microseconds.
import type { Packets } from './packets.ts';

export type Kind = 'video' | 'audio';

export interface SplicePart {
  /** Wall clock of its first frame. */
  startedAtUs: number;
  /** Nothing was recorded between the part before and this one. */
  isAfterGap: boolean;
  streams: { [kind in Kind]?: Packets };
}

/** So many packets of a part's stream, from one on; the first of them is shown at this time of the joined file. */
export interface Take {
  part: number;
  skip: number;
  count: number;
  atUs: number;
}

export interface Splice {
  takes: Record<Kind, Take[]>;
  /** When each part begins in the joined file. */
  beginsUs: number[];
  /** False: a cut is among pictures that need later ones to be decoded (B-frames), and a copy would not have them all. */
  isCopyable: boolean;
}

/** A take, with all that can be taken from where it begins, in the order in which it is shown. */
interface Laid extends Take {
  stream: Packets;
  shownUs: number[];
}

/** Two encoders that see one picture stamp it some milliseconds apart; one that is longer than twice this is not taken for the same. */
const SAME_PICTURE_US = 50_000;
const KINDS: readonly Kind[] = ['video', 'audio'];

/** @param parts in order of time, none wholly inside another */
export function splice(parts: readonly SplicePart[]): Splice {
  const laid: Record<Kind, Laid[]> = { video: [], audio: [] };
  const beginsUs: number[] = [];
  let offsetUs = 0;
  for (const [index, part] of parts.entries()) {
    if (index === 0 || part.isAfterGap) offsetUs = offsetBehind(laid, part);
    for (const kind of KINDS) {
      const stream = part.streams[kind];
      const shiftUs = offsetUs + wallClockOf(part);
      if (kind === 'video' && stream) layPictures(laid.video, { index, stream, shiftUs });
      if (kind === 'audio' && stream) laySound(laid.audio, { index, stream, shiftUs });
    }
    beginsUs.push(part.startedAtUs + offsetUs);
  }
  const takes = { video: laid.video.map(takeOf), audio: laid.audio.map(takeOf) };
  return { takes, beginsUs, isCopyable: laid.video.every(isCopyable) };
}

/** @returns what makes the wall clock of a moment out of a part's own time */
function wallClockOf({ startedAtUs, streams: { video, audio } }: SplicePart): number {
  const first = video ?? audio;
  return startedAtUs - (first ? firstShown(first) : 0);
}

/** @returns what makes the time in the joined file of a wall clock, for a part as close behind as neither picture nor sound overlap */
function offsetBehind(laid: Record<Kind, Laid[]>, part: SplicePart): number {
  const begins = KINDS.flatMap((kind) => {
    const stream = part.streams[kind];
    return stream ? [{ endUs: endOf(laid[kind].at(-1)), atUs: firstShown(stream) + wallClockOf(part) }] : [];
  });
  const behind = begins.flatMap(({ endUs, atUs }) => (endUs === undefined ? [] : [endUs - atUs]));
  if (behind.length > 0) return Math.max(...behind);
  const lastEndUs = Math.max(0, ...KINDS.map((kind) => endOf(laid[kind].at(-1)) ?? 0));
  return lastEndUs - Math.min(...begins.map(({ atUs }) => atUs));
}

interface Lay {
  index: number;
  stream: Packets;
  /** Added to a time of the part's own clock. */
  shiftUs: number;
}

function layPictures(laid: Laid[], { index, stream, shiftUs }: Lay): void {
  const take = whole(index, stream, stream.silent, shiftUs);
  cutBefore(laid, take.atUs);
  laid.push(take);
}

function laySound(laid: Laid[], { index, stream, shiftUs }: Lay): void {
  const endUs = endOf(laid.at(-1));
  const isCovered = endUs !== undefined && endUs > firstShown(stream) + shiftUs;
  // An encoder's first frame is whole only together with one that it never wrote; the part before has that moment whole.
  const take = whole(index, stream, isCovered ? Math.max(1, stream.silent) : stream.silent, shiftUs);
  cutBefore(laid, take.atUs);
  const cutUs = endOf(laid.at(-1));
  // Frames follow one another without a hole. Half a frame is 11 ms, and no sum: each part is laid by the wall clock anew.
  const isNext = cutUs !== undefined && Math.abs(cutUs - take.atUs) <= stream.lastUs / 2 + 1;
  laid.push(isNext ? { ...take, atUs: cutUs } : take);
}

function whole(part: number, stream: Packets, skip: number, shiftUs: number): Laid {
  const { timesUs } = stream;
  const from = Math.min(skip, timesUs.length - 1);
  const shownUs = timesUs.slice(from).sort((a, b) => a - b);
  return { part, stream, skip: from, count: shownUs.length, atUs: (shownUs[0] ?? 0) + shiftUs, shownUs };
}

/** Takes away what is shown for its larger half after the moment. */
function cutBefore(laid: Laid[], momentUs: number): void {
  for (let last = laid.pop(); last; last = laid.pop()) {
    while (last.count > 0 && middleOfLast(last) >= momentUs) last.count -= 1;
    if (last.count === 0) continue;
    laid.push(last);
    return;
  }
}

function middleOfLast(laid: Laid): number {
  const { atUs, lastsUs } = lastOf(laid);
  return atUs + Math.min(lastsUs / 2, SAME_PICTURE_US);
}

function endOf(laid: Laid | undefined): number | undefined {
  if (!laid) return undefined;
  const { atUs, lastsUs } = lastOf(laid);
  return atUs + lastsUs;
}

function lastOf({ shownUs, count, atUs, stream }: Laid): { atUs: number; lastsUs: number } {
  const last = shownUs[count - 1] ?? 0;
  return { atUs: atUs + last - (shownUs[0] ?? 0), lastsUs: (shownUs[count] ?? last + stream.lastUs) - last };
}

function firstShown({ timesUs, silent }: Packets): number {
  return timesUs[Math.min(silent, timesUs.length - 1)] ?? 0;
}

/** Whether what is shown first is what is decoded first. Pictures that are never shown may be what the others are decoded from. */
function isCopyable({ stream: { timesUs, silent }, shownUs, count }: Laid): boolean {
  const lastKept = shownUs[count - 1] ?? 0;
  return silent === 0 && timesUs.slice(count).every((timeUs) => timeUs > lastKept);
}

function takeOf({ part, skip, count, atUs }: Laid): Take {
  return { part, skip, count, atUs };
}
