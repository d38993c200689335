// Where an object is, as workers tell it (livekit/storage). Pure.
import type { Reach } from './store.ts';

export function locationOf(reach: Reach, path: string): string {
  switch (reach.type) {
    case 'folder':
      return path;
    case 's3': {
      const { bucket, endpoint, region } = reach;
      if (endpoint !== '') return `${endpoint.replace(/\/$/, '')}/${bucket}/${path}`;
      return `https://${bucket}.s3${region && `.${region}`}.amazonaws.com/${path}`;
    }
    case 'gcs':
      return `https://${reach.bucket}.storage.googleapis.com/${path}`;
    case 'azure':
      return `https://${reach.accountName}.blob.core.windows.net/${reach.containerName}/${path}`;
  }
}
