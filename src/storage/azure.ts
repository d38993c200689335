// Azure Blob Storage.
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import {
  BlobSASPermissions,
  BlobServiceClient,
  type ContainerClient,
  RestError,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { eachAtOnce } from '../common/some-at-once.ts';
import { type AzureReach, asFolder, byPath, type Store } from './store.ts';

const REMOVED_AT_ONCE = 16;

/** @param endpoint of the account; Azure's own by default */
export function azureStore(
  { accountName, accountKey, containerName }: AzureReach,
  endpoint = `https://${accountName}.blob.core.windows.net`,
): Store {
  const credential = new StorageSharedKeyCredential(accountName, accountKey);
  const container: ContainerClient = new BlobServiceClient(endpoint, credential).getContainerClient(containerName);
  const blob = (path: string) => container.getBlockBlobClient(path);

  return {
    async list(folder) {
      const found = [];
      for await (const { name: path, properties } of container.listBlobsFlat({ prefix: asFolder(folder) }))
        found.push({ path, sizeBytes: properties.contentLength ?? 0 });
      return byPath(found);
    },
    async sizeOf(path) {
      try {
        return (await blob(path).getProperties()).contentLength ?? 0;
      } catch (error) {
        if (error instanceof RestError && error.statusCode === 404) return undefined;
        throw error;
      }
    },
    readText: async (path) => (await blob(path).downloadToBuffer()).toString(),
    async appendTo(file, path) {
      const { readableStreamBody } = await blob(path).download();
      if (readableStreamBody) await pipeline(readableStreamBody, createWriteStream(file, { flags: 'a' }));
    },
    async writeText(path, text, blobContentType) {
      await blob(path).uploadData(Buffer.from(text), { blobHTTPHeaders: { blobContentType } });
    },
    async put(path, file, blobContentType) {
      await blob(path).uploadFile(file, { blobHTTPHeaders: { blobContentType } });
    },
    async remove(paths) {
      await eachAtOnce(REMOVED_AT_ONCE, paths, (path) => blob(path).deleteIfExists());
    },
    link: (path, seconds) =>
      blob(path).generateSasUrl({
        permissions: BlobSASPermissions.parse('r'),
        expiresOn: new Date(Date.now() + seconds * 1_000),
      }),
    close: () => undefined,
  };
}
