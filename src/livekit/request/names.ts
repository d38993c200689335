// File names as they will be, filled in when a request is accepted: the worker would fill them when it starts, which may be much
// later, and the name in LiveKit's first answer would be another. Pure.
import { EncodingOptionsPreset } from '@livekit/protocol';
import { FORMATS } from './codecs.ts';
import { baseNameOf, cleanPath, type Fill, fillerOf, isUnnamed, withExtension } from './file-names.ts';
import { roomNameOf } from './lift.ts';
import { holdsNewer } from './newer.ts';
import { allOutputs } from './outputs.ts';
import { passthroughTrackOf } from './passthrough.ts';
import { type FileFormat, fileFormatOf } from './pipeline.ts';
import type { StartMessage, StartRequestOneof } from './rpc.ts';
import { settleSegmentNames } from './segment-names.ts';

const EXTENSIONS: Record<string, string> = {
  [FORMATS.mp4]: '.mp4',
  [FORMATS.ogg]: '.ogg',
  [FORMATS.mp3]: '.mp3',
};

/**
 * A copy. What is only known in the room (`{publisher_identity}`, `{track_id}`, …) stays, and so does the extension of a track that is
 * copied as it is.
 */
export function renderNames(message: StartMessage, { atMs }: { atMs: number }): StartMessage {
  const copy = message.clone();
  const fill = fillerOf({ roomName: roomNameOf(copy), roomId: copy.roomId, atMs });
  const format = settledFormat(copy.request, fill);
  const baseName = baseNameOf(copiedTrackOf(copy.request) ?? (roomNameOf(copy) || 'web'), atMs);
  const { files, segments, images } = allOutputs(copy.request);
  const name = (path: string) => (format === 'worker' ? fill(path) : named(fill(path), baseName));
  for (const file of files) file.filepath = withExtension(name(file.filepath), EXTENSIONS[format ?? ''] ?? '');
  for (const output of images) output.filenamePrefix = name(output.filenamePrefix);
  for (const output of segments) {
    const { filenamePrefix, playlistName, livePlaylistName } = output;
    const names = { filenamePrefix, playlistName, livePlaylistName };
    Object.assign(output, format === 'worker' ? filled(names, fill) : settleSegmentNames(names, { fill, baseName }));
  }
  return copy;
}

/** `worker`: a later protocol, or a request that every worker refuses: no name of ours would be right. */
function settledFormat(request: StartRequestOneof, fill: Fill): FileFormat | 'worker' {
  if (request.case === undefined || holdsNewer(request.value)) return 'worker';
  try {
    return fileFormatOf(request, fill);
  } catch {
    return 'worker';
  }
}

function named(path: string, baseName: string): string {
  return isUnnamed(path) ? cleanPath(path + baseName) : path;
}

function filled<T extends Record<string, string>>(names: T, fill: Fill): T {
  return Object.fromEntries(Object.entries(names).map(([key, name]) => [key, fill(name)])) as T;
}

/** The track whose own codec decides about the file: what a worker calls it is known once it has joined. */
export function copiedTrackOf(request: StartRequestOneof): string | undefined {
  if (request.case === 'track') return request.value.trackId;
  if (request.case !== 'egress' && request.case !== 'replay') return undefined;
  const { encoding, source } = request.value;
  const isCopied = encoding.case === 'preset' && encoding.value === EncodingOptionsPreset.PASSTHROUGH;
  return isCopied && source.case === 'media' ? passthroughTrackOf(source.value) : undefined;
}
