// S3 and whatever speaks its language.
import { createReadStream, createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { asFolder, byPath, type S3Reach, type Store } from './store.ts';

/** What servers other than Amazon's take (livekit/storage s3.go). */
const DEFAULT_REGION = 'us-east-1';
/** DeleteObjects takes no more. */
const MOST_REMOVED = 1_000;
/** 10,000 of them make an object: 160 GB. */
const PIECE_BYTES = 16 * 1_024 * 1_024;
const TRIES = 5;

export function s3Store(reach: S3Reach): Store {
  const { bucket: Bucket, endpoint, accessKey: accessKeyId, secret: secretAccessKey, sessionToken } = reach;
  const client = new S3Client({
    region: reach.region || DEFAULT_REGION,
    // Amazon says where a bucket is, and is asked there.
    followRegionRedirects: endpoint === '',
    ...(endpoint && { endpoint }),
    forcePathStyle: reach.forcePathStyle,
    ...(accessKeyId && { credentials: { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) } }),
    maxAttempts: TRIES,
    // Servers other than Amazon's may not know newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const read = async (path: string) => (await client.send(new GetObjectCommand({ Bucket, Key: path }))).Body;

  return {
    async list(folder) {
      const found = [];
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, Prefix: asFolder(folder) }))
        for (const { Key: path = '', Size: sizeBytes = 0 } of Contents)
          if (!path.endsWith('/')) found.push({ path, sizeBytes });
      return byPath(found);
    },
    async sizeOf(path) {
      try {
        return (await client.send(new HeadObjectCommand({ Bucket, Key: path }))).ContentLength ?? 0;
      } catch (error) {
        if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return undefined;
        throw error;
      }
    },
    readText: async (path) => (await read(path))?.transformToString() ?? '',
    appendTo: async (file, path) => pipeline((await read(path)) as Readable, createWriteStream(file, { flags: 'a' })),
    async writeText(path, text, ContentType) {
      await client.send(new PutObjectCommand({ Bucket, Key: path, Body: text, ContentType }));
    },
    async put(path, file, ContentType) {
      const params = { Bucket, Key: path, Body: createReadStream(file), ContentType };
      await new Upload({ client, params, partSize: PIECE_BYTES, queueSize: 2 }).done();
    },
    async remove(paths) {
      for (let from = 0; from < paths.length; from += MOST_REMOVED) {
        const Objects = paths.slice(from, from + MOST_REMOVED).map((Key) => ({ Key }));
        const { Errors = [] } = await client.send(
          new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
        );
        const [first] = Errors;
        if (first) throw new Error(`${Errors.length} objects could not be removed: ${first.Code ?? 'no reason given'}`);
      }
    },
    link: (path, expiresIn) => getSignedUrl(client, new GetObjectCommand({ Bucket, Key: path }), { expiresIn }),
    close: () => client.destroy(),
  };
}
