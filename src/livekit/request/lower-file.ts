// A file output in LiveKit's words. Pure.
import { EncodedFileOutput } from '@livekit/protocol';
import { inlineUpload } from './inline-storage.ts';
import type { OutputOf, Place } from './lower-output.ts';

export function lowerFile({ path, storage }: OutputOf<'file'>, place: Place): EncodedFileOutput {
  return new EncodedFileOutput({ filepath: place(path, storage), ...inlineUpload(storage) });
}
