// The storage that the files of a recording went to.
import { ApplicationFailure } from '@temporalio/activity';
import type { Storage } from '../config/storages.ts';
import { decodeStart, reachOf } from '../livekit/request/index.ts';
import { openStore } from '../storage/open.ts';
import type { Reach, Store } from '../storage/store.ts';
import type { KeptFiles } from './contract.ts';

/** @throws ApplicationFailure when nobody can get there any more: its storage was taken out of the configuration */
export async function inKeptStore<T>(
  { wire, storages: names }: KeptFiles,
  storages: Record<string, Storage>,
  work: (store: Store, reach: Reach) => Promise<T>,
): Promise<T> {
  const reach = reachOf(decodeStart(new Uint8Array(Buffer.from(wire, 'base64'))), names, storages);
  if (!reach) throw ApplicationFailure.nonRetryable('its storage is not configured any more', 'StorageUnknown');
  const store = await openStore(reach);
  try {
    return await work(store, reach);
  } finally {
    store.close();
  }
}
