// An HLS output in LiveKit's words. Pure.
import { SegmentedFileOutput } from '@livekit/protocol';
import { splitPath } from './file-names.ts';
import { inlineUpload } from './inline-storage.ts';
import type { OutputOf, Place } from './lower-output.ts';

/** Without a playlist of its own, the prefix names it; the live one lies beside it. */
export function lowerSegments(output: OutputOf<'segments'>, place: Place): SegmentedFileOutput {
  const { prefix, playlist, livePlaylist, segmentSeconds = 0, storage } = output;
  const filenamePrefix = prefix === undefined && playlist !== undefined ? '' : place(prefix, storage);
  const playlistName = playlist === undefined ? `${filenamePrefix}.m3u8` : asPlaylist(place(playlist, storage));
  const live = livePlaylist === undefined ? '' : asPlaylist(splitPath(place(livePlaylist, storage)).name);
  return new SegmentedFileOutput({
    filenamePrefix,
    playlistName,
    livePlaylistName: live && splitPath(playlistName).folder + live,
    segmentDuration: segmentSeconds,
    ...inlineUpload(storage),
  });
}

/** A worker cuts off whatever follows the last dot, and with it what tells two recordings of a room "a.b" apart. */
function asPlaylist(name: string): string {
  return name.endsWith('.m3u8') ? name : `${name}.m3u8`;
}
