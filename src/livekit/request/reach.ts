// Where the file of a request goes, as far as Reelkit itself can get there: with the keys that the request carries, or those of a
// configured storage. Pure.
import type { Storage } from '../../config/storages.ts';
import type { Reach, S3Reach } from '../../storage/store.ts';
import { effectiveOutputs, type FileOutput, type Upload } from './outputs.ts';
import type { StartMessage, StartRequestOneof } from './rpc.ts';
import { withStorages } from './storages.ts';

type Named = Record<string, Storage>;

/** @param names of the configured storages of its uploads, in order @returns undefined where only a worker has the keys */
export function reachOf(message: StartMessage, names: readonly (string | null)[], storages: Named): Reach | undefined {
  const [name] = names;
  const named = name == null ? undefined : storages[name];
  // The first name is that of the first file.
  if (named?.type === 'local') return named.shared ? { type: 'folder' } : undefined;
  if (named && 'ownIdentity' in named && named.ownIdentity) return reachOfOwn(named);
  const { request } = withStorages(message, names, storages);
  const [file] = effectiveOutputs(request).files;
  const upload = file && uploadOf(file, request);
  if (!upload || file.filepath.startsWith('/')) return undefined;
  return reachOfUpload(upload);
}

/** By the identity that Reelkit's own platform gives it. */
function reachOfOwn(named: Extract<Storage, { ownIdentity?: boolean | undefined }>): Reach {
  if (named.type === 'gcs') return { type: 'gcs', bucket: named.bucket, credentials: named.credentials };
  return s3Of(named);
}

/** Neither what is a worker's own business nor the message around it. */
function s3Of(keys: Omit<S3Reach, 'type'>): S3Reach {
  const { bucket, region, endpoint, accessKey, secret, sessionToken, forcePathStyle } = keys;
  return { type: 's3', bucket, region, endpoint, accessKey, secret, sessionToken, forcePathStyle };
}

/** That of the output before that of the request. */
function uploadOf(file: FileOutput, request: StartRequestOneof): Upload | undefined {
  if ('output' in file) return file.output.value;
  if (request.case !== 'egress' && request.case !== 'replay') return undefined;
  const own = request.value.outputs.find(({ config }) => config.value === file)?.storage;
  return (own ?? request.value.storage)?.provider.value;
}

/** Without keys it is the worker's platform that lets it in, and Reelkit has no part in that. */
function reachOfUpload(upload: Upload): Reach | undefined {
  switch (upload.getType().typeName) {
    case 'livekit.S3Upload': {
      const s3 = upload as Extract<Upload, { assumeRoleArn: string }>;
      return s3.accessKey && !s3.assumeRoleArn && !s3.proxy ? s3Of(s3) : undefined;
    }
    case 'livekit.GCPUpload': {
      const { bucket, credentials, proxy } = upload as Extract<Upload, { credentials: string }>;
      return credentials && !proxy ? { type: 'gcs', bucket, credentials } : undefined;
    }
    case 'livekit.AzureBlobUpload': {
      const { accountName, accountKey, containerName } = upload as Extract<Upload, { accountName: string }>;
      return { type: 'azure', accountName, accountKey, containerName };
    }
    default:
      return undefined;
  }
}
