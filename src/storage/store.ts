// What Reelkit itself reads, writes and removes in a storage that recordings go to: segments that outlived their worker, files that
// are put together, the manifest. One file beside this one for each kind.

/** Where a storage is and how to get in. `folder`: a disk that this process sees, its paths absolute. */
export type Reach = S3Reach | GcsReach | AzureReach | { type: 'folder' };

export interface S3Reach {
  type: 's3';
  bucket: string;
  /** Empty: the bucket's own with Amazon, `us-east-1` with an endpoint, as workers do. */
  region: string;
  /** Empty: Amazon's. */
  endpoint: string;
  /** Empty, with the secret: the identity that the platform gives this process. */
  accessKey: string;
  secret: string;
  sessionToken: string;
  forcePathStyle: boolean;
}

export interface GcsReach {
  type: 'gcs';
  bucket: string;
  /** Service account JSON; empty: the identity that the platform gives this process. */
  credentials: string;
}

export interface AzureReach {
  type: 'azure';
  accountName: string;
  accountKey: string;
  containerName: string;
}

export interface StoredObject {
  path: string;
  sizeBytes: number;
}

/** Paths as workers name them. Every call may be repeated, and fails with what the storage said. */
export interface Store {
  /** Everything below a folder, by path. A folder that is not there is empty. */
  list(folder: string): Promise<StoredObject[]>;
  /** Bytes; undefined when there is none. */
  sizeOf(path: string): Promise<number | undefined>;
  readText(path: string): Promise<string>;
  /** Appends the object to a file of this machine. */
  appendTo(file: string, path: string): Promise<void>;
  writeText(path: string, text: string, contentType: string): Promise<void>;
  /** Whoever reads meanwhile finds the old one or the new one, whole. */
  put(path: string, file: string, contentType: string): Promise<void>;
  /** Those that are not there are no error. */
  remove(paths: readonly string[]): Promise<void>;
  /** An address that anybody may read from for so long; undefined where the storage has no such thing. */
  link(path: string, seconds: number): Promise<string | undefined>;
  close(): void;
}

export async function removeFolder(store: Store, folder: string): Promise<void> {
  await store.remove((await store.list(folder)).map(({ path }) => path));
}

/** The folder with its slash, so that `a` is not the beginning of `ab`. */
export function asFolder(folder: string): string {
  return folder.endsWith('/') ? folder : `${folder}/`;
}

export function byPath(objects: StoredObject[]): StoredObject[] {
  return objects.toSorted((one, other) => (one.path < other.path ? -1 : 1));
}
