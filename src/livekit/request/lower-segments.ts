// An HLS output in LiveKit's words. Pure.
import { SegmentedFileOutput } from '@livekit/protocol';
import { splitPath } from './file-names.ts';
import { inlineUpload } from './inline-storage.ts';
import type { OutputOf, Place } from './lower-output.ts';

/** Without a playlist of its own, the prefix names it; the live one lies beside it. */
export function lowerSegments(output: OutputOf<'segments'>, place: Place): SegmentedFileOutput {
  const { prefix, playlist, livePlaylist, segmentSeconds = 0, storage } = output;
  const filenamePrefix = prefix === undefined && playlist !== undefined ? '' : place(prefix, storage);
  const playlistName = playlist === undefined ? `${filenamePrefix}.m3u8` : place(playlist, storage);
  const live = livePlaylist === undefined ? '' : splitPath(place(livePlaylist, storage)).name;
  return new SegmentedFileOutput({
    filenamePrefix,
    playlistName,
    livePlaylistName: live && splitPath(playlistName).folder + live,
    segmentDuration: segmentSeconds,
    ...inlineUpload(storage),
  });
}
