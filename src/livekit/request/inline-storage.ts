// A storage that a request of Reelkit's own API brings itself, in LiveKit's words. Pure.
import { AliOSSUpload, AzureBlobUpload, GCPUpload, S3Upload, type SegmentedFileOutput } from '@livekit/protocol';
import { type InlineStorage, isInline } from '../../recording/request-storage.ts';

/** Of an output that names a configured storage, nothing: its keys meet the request when it leaves for a worker. */
export function inlineUpload(
  storage: InlineStorage | string | undefined,
): Partial<Pick<SegmentedFileOutput, 'output'>> {
  return isInline(storage) ? { output: uploadTo(storage) } : {};
}

function uploadTo(storage: InlineStorage): SegmentedFileOutput['output'] {
  switch (storage.type) {
    case 's3': {
      const { type: _, prefix: __, ...upload } = storage;
      return { case: 's3', value: new S3Upload(upload) };
    }
    case 'gcs':
      return { case: 'gcp', value: new GCPUpload({ bucket: storage.bucket, credentials: storage.credentials }) };
    case 'azure': {
      const { type: _, prefix: __, ...upload } = storage;
      return { case: 'azure', value: new AzureBlobUpload(upload) };
    }
    case 'alioss': {
      const { type: _, prefix: __, ...upload } = storage;
      return { case: 'aliOSS', value: new AliOSSUpload(upload) };
    }
  }
}
