// The request of one attempt: an egress id and file names of its own, so that no two attempts write one file. Pure.
import type { ImageOutput, SegmentedFileOutput } from '@livekit/protocol';
import { allOutputs } from './outputs.ts';
import type { StartMessage } from './rpc.ts';

export interface Attempt {
  egressId: string;
  /** From 0. */
  attempt: number;
  /** With which the recorder joins; empty: the worker makes its own, under the egress id. */
  token: string;
}

const RETRY = '{retry}';

/** A copy; what is newer than Reelkit survives. */
export function forAttempt(message: StartMessage, { egressId, attempt, token }: Attempt): StartMessage {
  const copy = message.clone();
  copy.egressId = egressId;
  copy.retryCount = attempt;
  if (token) copy.token = token;
  const { files, segments, images } = allOutputs(copy.request);
  for (const file of files) file.filepath = nameOf(file.filepath, attempt);
  for (const output of segments) nameSegments(output, attempt);
  for (const output of images) nameImages(output, attempt);
  return copy;
}

function nameSegments(output: SegmentedFileOutput, attempt: number): void {
  output.filenamePrefix = nameOf(output.filenamePrefix, attempt);
  output.playlistName = nameOf(output.playlistName, attempt);
  output.livePlaylistName = nameOf(output.livePlaylistName, attempt);
}

function nameImages(output: ImageOutput, attempt: number): void {
  output.filenamePrefix = nameOf(output.filenamePrefix, attempt);
}

/**
 * The worker fills `{retry}` and refuses a name without it once its retry_count is above 0; names it makes itself get the count.
 * A first attempt has its name as it was asked for.
 */
export function nameOf(name: string, attempt: number): string {
  if (attempt === 0) return name.replaceAll(RETRY, '0');
  if (name === '' || name.endsWith('/') || name.includes(RETRY)) return name;
  const extension = /\.[A-Za-z0-9]{1,5}$/.exec(name)?.[0] ?? '';
  return `${name.slice(0, name.length - extension.length)}-${RETRY}${extension}`;
}
