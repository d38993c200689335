// Playlists of segments: those of LiveKit's egress, and what a worker leaves that died while it wrote.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closedPlaylist, parsePlaylist } from '../../../src/media/playlist.ts';

/** As livekit/egress 1.14.0 writes it. */
const OF_A_DEAD_WORKER = `#EXTM3U
#EXT-X-VERSION:4
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-ALLOW-CACHE:NO
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:00:00.125Z
#EXTINF:4.000,
part_00000.ts
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:00:04.125Z
#EXTINF:3.967,
part_00001.ts
`;

describe('a playlist', () => {
  it('names its segments, how long they are and when they began', () => {
    const atMs = Date.parse('2026-11-20T10:00:00.125Z');
    expect(parsePlaylist(OF_A_DEAD_WORKER)).toEqual({
      segments: [
        { name: 'part_00000.ts', durationMs: 4_000, atMs },
        { name: 'part_00001.ts', durationMs: 3_967, atMs: atMs + 4_000 },
      ],
      hasEnd: false,
    });
  });

  it('may end, have no wall clock, and have the line breaks of another system', () => {
    const text = '#EXTM3U\r\n#EXTINF:2,title\r\na.ts\r\n\r\n#EXT-X-ENDLIST';
    expect(parsePlaylist(text)).toEqual({ segments: [{ name: 'a.ts', durationMs: 2_000 }], hasEnd: true });
  });

  it('may be empty', () => {
    expect(parsePlaylist('')).toEqual({ segments: [], hasEnd: false });
  });

  it('torn anywhere, it names a beginning of its segments and none that is not there', () => {
    const { segments } = parsePlaylist(OF_A_DEAD_WORKER);
    for (let length = 0; length <= OF_A_DEAD_WORKER.length; length += 1) {
      const torn = parsePlaylist(OF_A_DEAD_WORKER.slice(0, length)).segments;
      expect(torn).toEqual(segments.slice(0, torn.length));
    }
  });
});

describe('a closed playlist', () => {
  it('ends once, however often it is closed', () => {
    const closed = closedPlaylist(OF_A_DEAD_WORKER);
    expect(closed).toBe(`${OF_A_DEAD_WORKER}#EXT-X-ENDLIST\n`);
    expect(closedPlaylist(closed)).toBe(closed);
  });

  it('has the same segments and its end, wherever it was torn', () => {
    fc.assert(
      fc.property(fc.nat(OF_A_DEAD_WORKER.length), (length) => {
        const torn = OF_A_DEAD_WORKER.slice(0, length);
        const closed = parsePlaylist(closedPlaylist(torn));
        expect(closed).toEqual({ segments: parsePlaylist(torn).segments, hasEnd: true });
      }),
    );
  });
});
