// Opens a storage; the library of its kind is loaded with the first of them.
import type { Reach, Store } from './store.ts';

export async function openStore(reach: Reach): Promise<Store> {
  switch (reach.type) {
    case 'folder':
      return (await import('./folder.ts')).folderStore();
    case 's3':
      return (await import('./s3.ts')).s3Store(reach);
    case 'gcs':
      return (await import('./gcs.ts')).gcsStore(reach);
    case 'azure':
      return (await import('./azure.ts')).azureStore(reach);
  }
}
