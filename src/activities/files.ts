// What is done in the storage of a recording that has ended: its manifest is written, what was kept for the case of a crash goes.
import type { Storage } from '../config/storages.ts';
import { attemptFolder } from '../livekit/request/crash-safe.ts';
import { closedPlaylist } from '../media/playlist.ts';
import type { Store } from '../storage/store.ts';
import type { FilesActivities } from './contract.ts';
import { openKept } from './media.ts';

export function createFilesActivities({ storages }: { storages: Record<string, Storage> }): FilesActivities {
  return {
    async settleFiles({ manifest, unmade, removed, ...kept }) {
      const { store } = await openKept(kept, storages);
      try {
        if (manifest) await store.writeText(manifest.path, manifest.text, 'application/json');
        await store.remove(removed);
        const spared = unmade.map((attempt) => attemptFolder(kept.keepFolder, attempt));
        const found = await store.list(kept.keepFolder);
        await store.remove(
          found.flatMap(({ path }) => (spared.some((folder) => path.startsWith(folder)) ? [] : [path])),
        );
        for (const { path } of found)
          if (path.endsWith('.m3u8') && spared.some((folder) => path.startsWith(folder))) await close(store, path);
      } finally {
        store.close();
      }
    },
  };
}

/** A player waits for ever for more of a playlist that its worker did not end. */
async function close(store: Store, path: string): Promise<void> {
  await store.writeText(path, closedPlaylist(await store.readText(path)), 'application/x-mpegurl');
}
