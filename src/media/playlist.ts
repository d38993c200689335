// The playlist of a recording's segments, as HLS has it (RFC 8216): what is in it, also where its worker died while writing. Pure.

export interface Segment {
  name: string;
  durationMs: number;
  /** Wall clock of its first frame, unix ms. Absent: the playlist does not say. */
  atMs?: number;
}

interface Playlist {
  segments: Segment[];
  /** No segment will follow. */
  hasEnd: boolean;
}

const END = '#EXT-X-ENDLIST';
const DURATION = '#EXTINF:';
const WALL_CLOCK = '#EXT-X-PROGRAM-DATE-TIME:';

export function parsePlaylist(text: string): Playlist {
  const segments: Segment[] = [];
  let next: Omit<Segment, 'name'> = { durationMs: 0 };
  for (const line of wholeLines(text)) {
    if (line.startsWith(DURATION))
      next.durationMs = Math.round(Number.parseFloat(line.slice(DURATION.length)) * 1_000) || 0;
    else if (line.startsWith(WALL_CLOCK)) next = { ...next, ...wallClock(line.slice(WALL_CLOCK.length)) };
    else if (line && !line.startsWith('#')) {
      segments.push({ name: line, ...next });
      next = { durationMs: 0 };
    }
  }
  return { segments, hasEnd: wholeLines(text).includes(END) };
}

/** Without its end a player, and ffmpeg, waits for segments that never come. */
export function closedPlaylist(text: string): string {
  if (parsePlaylist(text).hasEnd) return text;
  return [...wholeLines(text), END, ''].join('\n');
}

/** A last line without its line break may be torn. It is taken as whole only where that shows: an end, or a name like those before it. */
function wholeLines(text: string): string[] {
  const lines = text.split(/\r?\n/);
  const last = lines.pop() ?? '';
  return isWhole(last, lines) ? [...lines, last] : lines;
}

function isWhole(last: string, before: readonly string[]): boolean {
  if (last.startsWith('#')) return last === END;
  const previous = before.findLast((line) => line && !line.startsWith('#'));
  return previous !== undefined && last.length >= previous.length && extensionOf(last) === extensionOf(previous);
}

function extensionOf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function wallClock(text: string): { atMs?: number } {
  const atMs = Date.parse(text.trim());
  return Number.isNaN(atMs) ? {} : { atMs };
}
