// Names of HLS outputs, settled as a worker settles them: livekit/egress pkg/config/output_segment.go. Pure.
import { type Fill, splitPath } from './file-names.ts';
import { invalidField } from './refused.ts';

export interface SegmentNames {
  filenamePrefix: string;
  playlistName: string;
  livePlaylistName: string;
}

const EXTENSION = '.m3u8';

/** @throws Refused when the live playlist would lie elsewhere, or be the playlist itself */
export function checkSegmentNames(names: SegmentNames, fill: Fill): void {
  settleSegmentNames(names, { fill, baseName: 'recording' });
}

/** @param baseName of an output without any name @throws Refused */
export function settleSegmentNames(
  names: SegmentNames,
  { fill, baseName }: { fill: Fill; baseName: string },
): SegmentNames {
  const prefix = splitPath(fill(names.filenamePrefix));
  const playlist = splitPath(fill(names.playlistName));
  const live = splitPath(fill(names.livePlaylistName));
  if (live.folder !== '' && live.folder !== playlist.folder)
    throw invalidField('live_playlist_name must be in same directory as playlist_name');
  const folder = playlist.folder || prefix.folder;
  const listName = withoutExtension(playlist.name) || prefix.name || baseName;
  const liveName = withoutExtension(live.name);
  if (liveName === listName) throw invalidField('live_playlist_name cannot be identical to playlist_name');
  return {
    filenamePrefix: (prefix.folder || folder) + (prefix.name || listName),
    playlistName: folder + listName + EXTENSION,
    livePlaylistName: liveName && folder + liveName + EXTENSION,
  };
}

/** The worker cuts off what follows the last dot, known or not. What is then a dot segment is no name. */
function withoutExtension(name: string): string {
  const dot = name.lastIndexOf('.');
  const kept = dot < 0 ? name : name.slice(0, dot);
  return kept === '.' || kept === '..' ? '' : kept;
}
