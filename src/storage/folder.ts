// A disk that this process sees under the same paths as the workers: the same machine, or a shared volume.
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { byPath, type Store } from './store.ts';

/** Of a file that is not whole yet. */
const UNFINISHED = '.reelkit-unfinished';

export function folderStore(): Store {
  return {
    async list(folder) {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(unlessMissing([]));
      const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
      return byPath(await Promise.all(files.map(async (path) => ({ path, sizeBytes: (await stat(path)).size }))));
    },
    sizeOf: (path) => stat(path).then(({ size }) => size, unlessMissing(undefined)),
    readText: (path) => readFile(path, 'utf8'),
    appendTo: (file, path) => pipeline(createReadStream(path), createWriteStream(file, { flags: 'a' })),
    writeText: (path, text) => whole(path, (unfinished) => writeFile(unfinished, text)),
    put: (path, file) => whole(path, (unfinished) => copyFile(file, unfinished)),
    async remove(paths) {
      for (const path of paths) await rm(path, { force: true });
      // In a bucket a folder goes with what is in it.
      const folders = [...new Set(paths.map((path) => dirname(path)))];
      for (const folder of folders.toSorted((one, other) => other.length - one.length)) await removeEmpty(folder);
    },
    link: async () => undefined,
    close: () => undefined,
  };
}

async function whole(path: string, write: (unfinished: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await write(path + UNFINISHED);
  await rename(path + UNFINISHED, path);
}

/** And those above it that become empty by that, as far as they are hidden ones. */
async function removeEmpty(folder: string): Promise<void> {
  if (!folder.includes('/.reelkit')) return;
  const isGone = await rmdir(folder).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
  if (isGone) await removeEmpty(dirname(folder));
}

function unlessMissing<T>(otherwise: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === 'ENOENT') return otherwise;
    throw error;
  };
}
