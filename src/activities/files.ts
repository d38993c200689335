// What is done in the storage of a recording that has ended: its manifest is written, what was kept for the case of a crash goes.
import type { Storage } from '../config/storages.ts';
import { attemptFolder } from '../livekit/request/crash-safe.ts';
import { closedPlaylist } from '../media/playlist.ts';
import type { Store } from '../storage/store.ts';
import type { FilesActivities } from './contract.ts';
import { inKeptStore } from './kept-store.ts';

export function createFilesActivities({ storages }: { storages: Record<string, Storage> }): FilesActivities {
  return {
    settleFiles: ({ manifest, unmade, removed, ...kept }) =>
      inKeptStore(kept, storages, async (store) => {
        if (manifest) await store.writeText(manifest.path, manifest.text, 'application/json');
        await store.remove(removed);
        const spared = unmade.map((attempt) => attemptFolder(kept.keepFolder, attempt));
        const isSpared = (path: string) => spared.some((folder) => path.startsWith(folder));
        const paths = (await store.list(kept.keepFolder)).map(({ path }) => path);
        await store.remove(paths.filter((path) => !isSpared(path)));
        for (const path of paths) if (path.endsWith('.m3u8') && isSpared(path)) await close(store, path);
      }),
  };
}

/** A player waits for ever for more of a playlist that its worker did not end. */
async function close(store: Store, path: string): Promise<void> {
  await store.writeText(path, closedPlaylist(await store.readText(path)), 'application/x-mpegurl');
}
