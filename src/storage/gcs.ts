// Google Cloud Storage.
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type ApiError, Storage } from '@google-cloud/storage';
import { eachAtOnce } from '../common/some-at-once.ts';
import { asFolder, byPath, type GcsReach, type Store } from './store.ts';

const REMOVED_AT_ONCE = 16;

/** @param apiEndpoint Google's own by default */
export function gcsStore({ bucket: name, credentials }: GcsReach, apiEndpoint?: string): Store {
  const storage = new Storage({
    ...(credentials && { credentials: JSON.parse(credentials) as object }),
    ...(apiEndpoint && { apiEndpoint }),
  });
  const bucket = storage.bucket(name);

  return {
    async list(folder) {
      const [files] = await bucket.getFiles({ prefix: asFolder(folder) });
      return byPath(files.map(({ name: path, metadata }) => ({ path, sizeBytes: Number(metadata.size ?? 0) })));
    },
    async sizeOf(path) {
      try {
        const [{ size = 0 }] = await bucket.file(path).getMetadata();
        return Number(size);
      } catch (error) {
        if ((error as ApiError).code === 404) return undefined;
        throw error;
      }
    },
    readText: async (path) => (await bucket.file(path).download())[0].toString(),
    appendTo: (file, path) => pipeline(bucket.file(path).createReadStream(), createWriteStream(file, { flags: 'a' })),
    writeText: (path, text, contentType) => bucket.file(path).save(text, { contentType }),
    async put(destination, file, contentType) {
      await bucket.upload(file, { destination, contentType });
    },
    async remove(paths) {
      await eachAtOnce(REMOVED_AT_ONCE, paths, (path) => bucket.file(path).delete({ ignoreNotFound: true }));
    },
    async link(path, seconds) {
      const [url] = await bucket.file(path).getSignedUrl({ action: 'read', expires: Date.now() + seconds * 1_000 });
      return url;
    },
    close: () => undefined,
  };
}
