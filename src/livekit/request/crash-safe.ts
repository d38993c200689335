// Segments beside a file: what is left of a part whose worker dies. A worker that encodes H.264 and AAC writes both from one encoding.
// They lie in a hidden folder next to the file, in the same storage, and nobody but Reelkit is told of them. Pure.
import { Output, SegmentedFileOutput, SegmentedFileProtocol } from '@livekit/protocol';
import type { Storage } from '../../config/storages.ts';
import { FORMATS } from './codecs.ts';
import { cleanPath, fillerOf, splitPath } from './file-names.ts';
import { holdsNewer } from './newer.ts';
import { effectiveOutputs } from './outputs.ts';
import { fileFormatOf } from './pipeline.ts';
import { reachOf } from './reach.ts';
import { Refused } from './refused.ts';
import type { StartMessage, StartRequestOneof } from './rpc.ts';

/** Nobody asks for such a folder, and tools that look at recordings pass over it. */
const HIDDEN = '.reelkit';
/** A worker's default. What is lost with a worker is the segment that it was writing. */
const SEGMENT_SECONDS = 4;

/** @returns undefined where nobody but a worker can read and remove what is stored */
export function keepFolderFor(
  message: StartMessage,
  names: readonly (string | null)[],
  storages: Record<string, Storage>,
): string | undefined {
  return reachOf(message, names, storages) && keepFolderOf(message);
}

/**
 * The folder of all attempts of a recording, with its slash. @returns undefined when its request has no file that segments can stand in
 * for: sound or tracks as they come, several kinds of files, segments of its own
 */
export function keepFolderOf(message: StartMessage): string | undefined {
  const { request } = message;
  if (request.case === undefined || request.case === 'track' || holdsNewer(request.value)) return undefined;
  const { files, segments } = effectiveOutputs(request);
  const [file] = files;
  if (!file || files.length > 1 || segments.length > 0) return undefined;
  const folder = `${knownFolder(file.filepath)}${HIDDEN}/${message.egressId}/`;
  return makesMp4(request) && makesMp4(withSegments(message, folder).request) ? folder : undefined;
}

/** Folders that only the room will name are left out. */
function knownFolder(filepath: string): string {
  const { folder } = splitPath(cleanPath(filepath));
  const brace = folder.indexOf('{');
  return brace < 0 ? folder : splitPath(folder.slice(0, brace)).folder;
}

function makesMp4(request: StartRequestOneof): boolean {
  try {
    return fileFormatOf(request, fillerOf({ roomName: 'r', roomId: 'r', atMs: 0 })) === FORMATS.mp4;
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
}

/** A copy. @param folder of all attempts; each writes into one of its own */
export function withSegments(message: StartMessage, folder: string): StartMessage {
  const copy = message.clone();
  const { request } = copy;
  const [file] = effectiveOutputs(request).files;
  const segments = new SegmentedFileOutput({
    protocol: SegmentedFileProtocol.HLS_PROTOCOL,
    filenamePrefix: `${folder}{retry}/segment`,
    playlistName: `${folder}{retry}/segment.m3u8`,
    segmentDuration: SEGMENT_SECONDS,
    disableManifest: true,
    ...(file && 'output' in file ? { output: file.output as SegmentedFileOutput['output'] } : {}),
  });
  if (request.case === 'egress' || request.case === 'replay') {
    const storage = request.value.outputs.find(({ config }) => config.case === 'file')?.storage;
    const config = { case: 'segments', value: segments } as const;
    request.value.outputs.push(new Output({ config, ...(storage && { storage }) }));
  } else if (request.case !== undefined && request.case !== 'track') request.value.segmentOutputs.push(segments);
  return copy;
}

/** Of one attempt, with its slash. */
export function attemptFolder(folder: string, attempt: number): string {
  return `${folder}${attempt}/`;
}

/** Whether an output of a worker's record is Reelkit's own. */
export function isHidden(name: string): boolean {
  return name.includes(`${HIDDEN}/EG_`);
}
