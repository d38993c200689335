// Where a configured storage's keys meet a request: just before it leaves for a worker, and nowhere else. Pure.
import { AzureBlobUpload, GCPUpload, S3Upload, type SegmentedFileOutput } from '@livekit/protocol';
import type { Storage } from '../../config/storages.ts';
import { allOutputs } from './outputs.ts';
import type { StartMessage } from './rpc.ts';

/**
 * @param names one for each file, segments and images output, in this order; null: as the request says
 * @throws Error when a storage is not configured any more
 */
export function withStorages(
  message: StartMessage,
  names: readonly (string | null)[],
  storages: Record<string, Storage>,
): StartMessage {
  const copy = message.clone();
  const { files, segments, images } = allOutputs(copy.request);
  [...files, ...segments, ...images].forEach((output, index) => {
    const name = names[index];
    if (name != null && 'output' in output) output.output = uploadTo(storageFor(name, storages));
  });
  return copy;
}

export function storageFor(name: string, storages: Record<string, Storage>): Storage {
  const storage = Object.hasOwn(storages, name) ? storages[name] : undefined;
  if (storage) return storage;
  const known = Object.keys(storages).join(', ');
  throw new Error(`storage "${name}" is not configured; add it to storages, or use one of: ${known}`);
}

function uploadTo(storage: Storage): SegmentedFileOutput['output'] {
  switch (storage.type) {
    case 'local':
    case 'worker':
      return { case: undefined };
    case 's3': {
      const { type: _, prefix: __, workerIdentity: ___, ownIdentity: ____, ...upload } = storage;
      return { case: 's3', value: new S3Upload(upload) };
    }
    case 'gcs':
      return { case: 'gcp', value: new GCPUpload({ bucket: storage.bucket, credentials: storage.credentials }) };
    case 'azure': {
      const { accountName, accountKey, containerName } = storage;
      return { case: 'azure', value: new AzureBlobUpload({ accountName, accountKey, containerName }) };
    }
  }
}
