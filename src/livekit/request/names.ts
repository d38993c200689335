// File names as they will be, filled in when a request is accepted: the worker would fill them when it starts, which may be much
// later, and the name in LiveKit's first answer would be another. Pure.
import { allOutputs } from './outputs.ts';
import type { StartMessage } from './rpc.ts';
import { sourceOf } from './lift.ts';
import { roomOf } from '../../recording/source.ts';

/** A copy. What is only known in the room (`{publisher_identity}`, `{track_id}`, …) and names that the worker makes itself stay. */
export function renderNames(message: StartMessage, { atMs }: { atMs: number }): StartMessage {
  const copy = message.clone();
  const fill = filler(roomOf(sourceOf(copy)) ?? '', copy.roomId, atMs);
  const { files, segments, images } = allOutputs(copy.request);
  for (const file of files) file.filepath = fill(file.filepath);
  for (const output of segments) {
    output.filenamePrefix = fill(output.filenamePrefix);
    output.playlistName = fill(output.playlistName);
    output.livePlaylistName = fill(output.livePlaylistName);
  }
  for (const output of images) output.filenamePrefix = fill(output.filenamePrefix);
  return copy;
}

/** Formats: livekit/egress pkg/config. Without a room its two placeholders stay, as there. */
function filler(roomName: string, roomId: string, atMs: number): (name: string) => string {
  const iso = new Date(atMs).toISOString();
  const values: [string, string][] = [
    ['{time}', `${iso.slice(0, 10)}T${iso.slice(11, 19).replaceAll(':', '')}`],
    ['{utc}', iso.replaceAll(/[-:.TZ]/g, '')],
    ...(roomName ? ([['{room_name}', roomName], ['{room_id}', roomId]] satisfies [string, string][]) : []),
  ];
  return (name) => values.reduce((text, [placeholder, value]) => text.replaceAll(placeholder, () => value), name);
}
