// A file output in LiveKit's words. Pure.
import { EncodedFileOutput, EncodedFileType } from '@livekit/protocol';
import { type FileType, fileTypeOf } from '../../recording/file-type.ts';
import { inlineUpload } from './inline-storage.ts';
import type { OutputOf, Place } from './lower-output.ts';

const FILE_TYPES: Record<FileType, EncodedFileType> = {
  mp4: EncodedFileType.MP4,
  ogg: EncodedFileType.OGG,
  mp3: EncodedFileType.MP3,
};

/** Without an ending the worker chooses by what it records. */
export function lowerFile({ path, storage }: OutputOf<'file'>, place: Place): EncodedFileOutput {
  const type = fileTypeOf(path ?? '');
  return new EncodedFileOutput({
    filepath: place(path, storage),
    ...(type ? { fileType: FILE_TYPES[type] } : {}),
    ...inlineUpload(storage),
  });
}
