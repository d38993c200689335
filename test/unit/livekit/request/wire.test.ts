// A request on its way through Reelkit: what is newer than Reelkit arrives at the worker as it left the client.
import { type Message, proto3 } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Storage } from '../../../../src/config/storages.ts';
import {
  decodeStart,
  forAttempt,
  refusalOf,
  renderNames,
  type StartMessage,
  withStorages,
} from '../../../../src/livekit/request/index.ts';
import { allOutputs, effectiveOutputs } from '../../../../src/livekit/request/outputs.ts';
import { type Kind, parts, requestOf, start } from './requests.ts';

const S3: Storage = {
  type: 's3',
  bucket: 'b',
  region: '',
  endpoint: '',
  accessKey: 'AK',
  secret: 'SK',
  sessionToken: '',
  workerIdentity: false,
  forcePathStyle: true,
  prefix: '',
};
const STORAGES: Record<string, Storage> = {
  s3: S3,
  gcs: { type: 'gcs', bucket: 'g', credentials: 'json', workerIdentity: false, prefix: '' },
  azure: { type: 'azure', accountName: 'n', accountKey: 'k', containerName: 'c', prefix: '' },
  disk: { type: 'local', path: '/recordings' },
};

/** Through everything that happens between LiveKit and a worker. */
function travel(message: StartMessage, storages: (string | null)[] = []): StartMessage {
  const accepted = renderNames(decodeStart(message.toBinary()), { atMs: 0 });
  const kept = decodeStart(Buffer.from(Buffer.from(accepted.toBinary()).toString('base64'), 'base64'));
  const sent = forAttempt(withStorages(kept, storages, STORAGES), { egressId: 'EG_1', attempt: 1, token: 'jwt' });
  return decodeStart(sent.toBinary());
}

/** A field 99 in it and in every message below it. */
function addNewer(message: Message): number {
  const values = Object.values(message) as unknown[];
  const below = values.flatMap((value) => {
    const one = value && typeof value === 'object' && 'case' in value ? (value as { value?: unknown }).value : value;
    return Array.isArray(one) ? one : [one];
  });
  const count = below.filter((one) => isMessage(one)).reduce((sum: number, one) => sum + addNewer(one as Message), 0);
  proto3.bin.onUnknownField(message, 99, 2, Buffer.from([5, ...Buffer.from('newer')]));
  return count + 1;
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && 'getType' in value;
}

describe('a request on its way to a worker', () => {
  it('keeps every field that is newer than Reelkit, however deep, and is not refused for it', () => {
    fc.assert(
      fc.property(parts, (request) => {
        const message = requestOf(request);
        const added = addNewer(message);
        const arrived = Buffer.from(travel(message).toBinary()).toString('latin1');
        expect(arrived.split('newer')).toHaveLength(added + 1);
        expect(refusalOf(message)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  it.each<[string, StartMessage, (arrived: StartMessage) => unknown]>([
    [
      'a file type',
      start('roomComposite', { fileOutputs: [{ fileType: 77 }] }),
      (one) => allOutputs(one.request).files[0],
    ],
    [
      'a protocol of streams',
      start('web', { url: 'https://x', streamOutputs: [{ protocol: 77 }] }),
      (one) => allOutputs(one.request).streams[0],
    ],
    [
      'a preset',
      start('roomComposite', { fileOutputs: [{}], options: { case: 'preset', value: 77 } }),
      (one) => one.request.value,
    ],
    [
      'a suffix of images',
      start('roomComposite', { imageOutputs: [{ filenameSuffix: 77 }] }),
      (one) => allOutputs(one.request).images[0],
    ],
    [
      'a codec of images',
      start('roomComposite', { imageOutputs: [{ imageCodec: 77 }] }),
      (one) => allOutputs(one.request).images[0],
    ],
  ])('keeps %s that is newer than Reelkit, and leaves it to the worker', (_, message, read) => {
    expect(refusalOf(message)).toBeUndefined();
    expect(JSON.stringify(read(travel(message)))).toContain('77');
  });

  it('of a kind newer than Reelkit arrives byte by byte', () => {
    const newer = Buffer.from([0x9a, 0x06, 0x03, 0x0a, 0x01, 0x78]);
    const message = decodeStart(Buffer.concat([start(undefined).toBinary(), newer]));
    expect(refusalOf(message)).toBeUndefined();
    expect(Buffer.from(travel(message).toBinary()).includes(newer)).toBe(true);
  });

  it('is the same apart from its id, its names, its number and its token', () => {
    fc.assert(
      fc.property(parts, (request) => {
        const bare = (message: StartMessage) => {
          const copy = message.clone();
          Object.assign(copy, { egressId: '', token: '', retryCount: 0 });
          const { files, segments, images } = allOutputs(copy.request);
          for (const file of files) file.filepath = '';
          for (const one of segments)
            Object.assign(one, { filenamePrefix: '', playlistName: '', livePlaylistName: '' });
          for (const one of images) one.filenamePrefix = '';
          return copy.toJsonString();
        };
        const message = requestOf(request);
        expect(bare(travel(message))).toBe(bare(message));
      }),
    );
  });

  it('is changed in none of the steps: each hands out a copy', () => {
    const message = start('roomComposite', { roomName: 'r', fileOutputs: [{ filepath: '' }] });
    const before = message.toJsonString();
    travel(message, ['s3']);
    expect(message.toJsonString()).toBe(before);
  });
});

describe('the keys of a configured storage', () => {
  it.each([
    ['s3', { case: 's3', value: { accessKey: 'AK', secret: 'SK', bucket: 'b', forcePathStyle: true } }],
    ['gcs', { case: 'gcp', value: { credentials: 'json', bucket: 'g' } }],
    ['azure', { case: 'azure', value: { accountName: 'n', accountKey: 'k', containerName: 'c' } }],
    ['disk', { case: undefined }],
  ])('of %s are put into the outputs that name it', (storage, output) => {
    const message = start('roomComposite', { fileOutputs: [{}], segmentOutputs: [{}], imageOutputs: [{}] });
    const { files, segments, images } = allOutputs(travel(message, [null, storage, storage]).request);
    expect(files[0]).toMatchObject({ output: { case: undefined } });
    for (const one of [segments[0], images[0]]) expect(one).toMatchObject({ output });
  });

  it('are no longer there: the message names the storage and those there are', () => {
    const message = start('roomComposite', { fileOutputs: [{}] });
    expect(() => withStorages(message, ['gone'], STORAGES)).toThrow(
      'storage "gone" is not configured; add it to storages, or use one of: s3, gcs, azure, disk',
    );
    expect(() => withStorages(message, ['constructor'], STORAGES)).toThrow('"constructor" is not configured');
  });
});

describe('the outputs that count', () => {
  const deprecated = { case: 'file', value: { filepath: 'single' } };
  const filesOf = (kind: Kind, value: object) =>
    effectiveOutputs(start(kind, value).request).files.map(({ filepath }) => filepath);

  it.each(['roomComposite', 'web', 'trackComposite'] as const)(
    'of %s are the plural ones, else the deprecated one',
    (kind) => {
      expect(filesOf(kind, { output: deprecated, fileOutputs: [{ filepath: 'plural' }] })).toEqual(['plural']);
      expect(filesOf(kind, { output: deprecated })).toEqual(['single']);
      expect(filesOf(kind, { output: deprecated, imageOutputs: [{}] })).toEqual(['single']);
    },
  );
});
