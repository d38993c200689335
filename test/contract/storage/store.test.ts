// What Reelkit itself does in a storage, against a real S3 server and a folder of this machine.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../../src/storage/open.ts';
import { type Reach, removeFolder, type Store } from '../../../src/storage/store.ts';
import { hasGo } from '../../support/tools.ts';
import { KEYS, REGION, type S3Server, startS3Server } from './s3-server.ts';

let server: S3Server | undefined;
let folder: string;

const isGoThere = await hasGo();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reelkit-store-'));
  if (isGoThere) server = await startS3Server(['lessons']);
});

afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

const s3: () => Reach = () => ({
  type: 's3',
  bucket: 'lessons',
  region: REGION,
  endpoint: server?.endpoint ?? '',
  ...KEYS,
  sessionToken: '',
  forcePathStyle: true,
});

const PLACES: [name: string, reach: () => Reach, root: () => string][] = [
  ['a folder', (): Reach => ({ type: 'folder' }), (): string => join(folder, 'school')],
  ['a bucket of a real S3 server', s3, (): string => 'school'],
];

describe.each(PLACES)('%s', (name, reach, root) => {
  const isSkipped = name !== 'a folder' && !isGoThere;

  it.skipIf(isSkipped)('keeps, lists, gives back and removes what is put there', async () => {
    const store = await openStore(reach());
    const room = `${root()}/a b+\u00fc/.reelkit/EG_1`;
    // Larger than one piece of an upload.
    const large = Buffer.alloc(20 * 1_024 * 1_024, 'lesson ');
    const file = join(folder, 'large');
    await writeFile(file, large);
    await store.put(`${room}/0/b.ts`, file, 'video/mp2t');
    await store.writeText(`${room}/0/a.m3u8`, '#EXTM3U', 'text/plain');
    await store.writeText(`${root()}/other.txt`, 'stays', 'text/plain');

    expect(await store.list(room)).toEqual([
      { path: `${room}/0/a.m3u8`, sizeBytes: 7 },
      { path: `${room}/0/b.ts`, sizeBytes: large.length },
    ]);
    expect(await store.readText(`${room}/0/a.m3u8`)).toBe('#EXTM3U');
    expect(await store.sizeOf(`${room}/0/b.ts`)).toBe(large.length);
    const back = await appended(store, [`${room}/0/a.m3u8`, `${room}/0/b.ts`]);
    expect(back.equals(Buffer.concat([Buffer.from('#EXTM3U'), large]))).toBe(true);

    await store.remove([`${room}/0/a.m3u8`, `${room}/0/never-there`]);
    expect((await store.list(room)).map(({ path }) => path)).toEqual([`${room}/0/b.ts`]);
    await removeFolder(store, room);
    expect(await store.list(room)).toEqual([]);
    expect(await store.sizeOf(`${room}/0/b.ts`)).toBeUndefined();
    expect(await store.readText(`${root()}/other.txt`)).toBe('stays');
  });

  it.skipIf(isSkipped)('says nothing of a folder that is not there, and removes it', async () => {
    const store = await openStore(reach());
    expect(await store.list(`${root()}/never`)).toEqual([]);
    await expect(removeFolder(store, `${root()}/never`)).resolves.toBeUndefined();
    expect(await store.sizeOf(`${root()}/never/x`)).toBeUndefined();
  });
});

describe.skipIf(!isGoThere)('a link', () => {
  it('lets anybody read for a while, and only that object', async () => {
    const store = await openStore(s3());
    await store.writeText('school/lesson.txt', 'hello', 'text/plain');
    const link = (await store.link('school/lesson.txt', 60)) ?? '';
    const answer = await fetch(link);
    expect([answer.status, await answer.text()]).toEqual([200, 'hello']);
    expect((await fetch(link.replace('lesson.txt', 'other.txt'))).status).toBe(403);
  });

  it('is nothing that a folder has', async () => {
    const store = await openStore({ type: 'folder' });
    expect(await store.link(join(folder, 'x'), 60)).toBeUndefined();
  });
});

async function appended(store: Store, paths: readonly string[]): Promise<Buffer> {
  const file = join(folder, 'appended');
  await rm(file, { force: true });
  for (const path of paths) await store.appendTo(file, path);
  return readFile(file);
}
