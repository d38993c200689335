// Reelkit's own requests in LiveKit's words: what the API accepts, no worker refuses.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Storage } from '../../../../src/config/storages.ts';
import { liftRequest, lowerRequest, refusalOf, sourceOf } from '../../../../src/livekit/request/index.ts';
import { allOutputs } from '../../../../src/livekit/request/outputs.ts';
import { type RecordingRequestInput, recordingRequestSchema } from '../../../../src/recording/request.ts';

const storages: Record<string, Storage> = {
  disk: { type: 'local', path: '/recordings/' },
  archive: { type: 'gcs', bucket: 'g', credentials: 'hunter2', workerIdentity: false, prefix: 'deep/er' },
};
const settings = { pathTemplate: '{room}/{recording}', storages, defaultStorage: 'disk' };
const lower = (input: RecordingRequestInput) =>
  lowerRequest(recordingRequestSchema.parse(input), { egressId: 'EG_x', roomId: 'RM_1', atMs: 0, settings });
const room = { type: 'room', room: 'demo' } as const;

describe('a request of the API', () => {
  it('becomes a file in the default storage', () => {
    const { message, storages: names } = lower({ source: room });
    expect(message.toJson()).toEqual({
      egressId: 'EG_x',
      roomId: 'RM_1',
      roomComposite: { roomName: 'demo', fileOutputs: [{ filepath: '/recordings/demo/EG_x.mp4' }] },
    });
    expect(names).toEqual(['disk']);
  });

  it('keeps keys of storages out: each output is named, files first', () => {
    const outputs: RecordingRequestInput['outputs'] = [
      { type: 'images', prefix: 'i', storage: 'archive' },
      { type: 'segments', storage: 'archive' },
      { type: 'file' },
    ];
    const { message, storages: names } = lower({ source: room, outputs });
    expect(names).toEqual(['disk', 'archive', 'archive']);
    expect(message.toJsonString()).not.toContain('hunter2');
    const { segments, images } = allOutputs(message.request);
    expect(segments[0]).toMatchObject({ filenamePrefix: 'deep/er/demo/EG_x', playlistName: 'deep/er/demo/EG_x.m3u8' });
    expect(images[0]?.filenamePrefix).toBe('deep/er/i-EG_x');
  });

  it.each([
    [
      { type: 's3', bucket: 'b', accessKey: 'AK', secret: 'S', region: 'eu', forcePathStyle: true, prefix: 'p/' },
      { s3: { bucket: 'b', accessKey: 'AK', secret: 'S', region: 'eu', forcePathStyle: true } },
    ],
    [
      { type: 's3', bucket: 'b', assumeRoleArn: 'arn', assumeRoleExternalId: 'X', endpoint: 'https://e', prefix: 'p' },
      { s3: { bucket: 'b', assumeRoleArn: 'arn', assumeRoleExternalId: 'X', endpoint: 'https://e' } },
    ],
    [{ type: 'gcs', bucket: 'b', credentials: '{}', prefix: 'p' }, { gcp: { bucket: 'b', credentials: '{}' } }],
    [
      { type: 'azure', accountName: 'n', accountKey: 'k', containerName: 'c', prefix: 'p' },
      { azure: { accountName: 'n', accountKey: 'k', containerName: 'c' } },
    ],
    [
      { type: 'alioss', bucket: 'b', accessKey: 'AK', secret: 'S', endpoint: 'https://e', prefix: 'p' },
      { aliOSS: { bucket: 'b', accessKey: 'AK', secret: 'S', endpoint: 'https://e' } },
    ],
  ] as const)('carries a storage of its own to each output that names it: %j', (storage, upload) => {
    const outputs: RecordingRequestInput['outputs'] = [
      { type: 'file', path: 'f', storage },
      { type: 'segments', prefix: 's', storage },
      { type: 'images', prefix: 'i', storage: 'archive' },
    ];
    const { message, storages: names } = lower({ source: room, outputs });
    expect(names).toEqual([null, null, 'archive']);
    expect(message.toJson()).toMatchObject({
      roomComposite: {
        fileOutputs: [{ filepath: 'p/f-EG_x.mp4', ...upload }],
        segmentOutputs: [{ filenamePrefix: 'p/s-EG_x', ...upload }],
        imageOutputs: [{ filenamePrefix: 'deep/er/i-EG_x' }],
      },
    });
    const track = lower({
      source: { type: 'track', room: 'demo', trackId: 'TR_a' },
      outputs: [{ type: 'file', storage }],
    });
    expect(track.message.toJson()).toMatchObject({ track: { file: upload } });
    expect(track.storages).toEqual([null]);
  });

  it.each([
    [{}, 'demo/EG_x', 'demo/EG_x.m3u8', ''],
    [{ prefix: 'a/s', livePlaylist: 'live' }, 'a/s-EG_x', 'a/s-EG_x.m3u8', 'a/live-EG_x.m3u8'],
    [{ playlist: 'a/list', livePlaylist: 'a/live.m3u8' }, 'a/list-EG_x', 'a/list-EG_x.m3u8', 'a/live-EG_x.m3u8'],
    [{ prefix: '{recording}/seg/s', playlist: '{recording}/list' }, 'EG_x/seg/s', 'EG_x/list.m3u8', ''],
  ])('with HLS named %j', (names, prefix, playlist, live) => {
    const { message } = lower({ source: room, outputs: [{ type: 'segments', ...names }] });
    const inStorage = (name: string) => (name ? `/recordings/${name}` : '');
    expect(allOutputs(message.request).segments[0]).toMatchObject({
      filenamePrefix: inStorage(prefix),
      playlistName: inStorage(playlist),
      livePlaylistName: inStorage(live),
    });
  });

  it.each([
    [{ ...room, audioOnly: true }, 'call.mp3', 'call-EG_x.mp3', 'MP3'],
    [{ ...room, audioOnly: true }, 'call.mp4', 'call-EG_x.mp4', 'MP4'],
    [{ ...room, audioOnly: true }, 'call.ogg', 'call-EG_x.ogg', 'OGG'],
    [{ ...room, audioOnly: true }, 'call.v2', 'call-EG_x.v2.ogg', undefined],
    [{ ...room, audioOnly: true }, '{recording}.{room}', 'EG_x.demo.ogg', undefined],
    [room, 'call.mp4', 'call-EG_x.mp4', 'MP4'],
    [room, 'v1.2', 'v1-EG_x.2.mp4', undefined],
    [{ type: 'tracks', room: 'demo', audioTrackId: 'TR_a' }, 'call.ogg', 'call-EG_x.ogg', undefined],
  ] as const)('of %j at %s is the kind of file that was asked for', (from, path, name, fileType) => {
    const { message } = lower({ source: from, outputs: [{ type: 'file', path }] });
    const [file] = allOutputs(message.request).files;
    expect(file?.toJson()).toEqual({ filepath: `/recordings/${name}`, ...(fileType ? { fileType } : {}) });
  });

  it('keeps the whole name of a playlist whose name holds a dot, which a worker would cut off', () => {
    const dotted = { ...room, room: 'a.b' };
    const outputs = [{ type: 'segments' as const, playlist: '{room}', livePlaylist: '{room}-live' }];
    const { message } = lower({ source: dotted, outputs });
    expect(allOutputs(message.request).segments[0]).toMatchObject({
      filenamePrefix: '/recordings/a.b-EG_x',
      playlistName: '/recordings/a.b-EG_x.m3u8',
      livePlaylistName: '/recordings/a.b-live-EG_x.m3u8',
    });
  });

  it.each<[RecordingRequestInput['source'], string]>([
    [{ type: 'web', url: 'https://x.test', awaitStartSignal: true }, 'web'],
    [{ type: 'participant', room: 'demo', identity: 'ann', screenShare: true }, 'participant'],
    [{ type: 'tracks', room: 'demo', audioTrackId: 'TR_a', videoTrackId: 'TR_v' }, 'trackComposite'],
    [{ type: 'track', room: 'demo', trackId: 'TR_a' }, 'track'],
    [{ ...room, layout: 'grid', customBaseUrl: 'https://t.test', videoOnly: true }, 'roomComposite'],
  ])('for %j is a %s egress, and reads back as it was', (source, kind) => {
    const { message } = lower({ source });
    expect(message.request.case).toBe(kind);
    expect(sourceOf(message)).toMatchObject(source);
  });

  it.each([
    [{ preset: 'H264_1080P_60' }, { preset: 'H264_1080P_60' }],
    [{ width: 640, videoBitrateKbps: 900 }, { advanced: { width: 640, videoBitrate: 900 } }],
    [{}, {}],
  ] as const)('encodes as %j', (encoding, options) => {
    expect(lower({ source: room, encoding }).message.toJson()).toMatchObject({ roomComposite: options });
  });

  it('names a storage that is not configured: the caller is told which there are', () => {
    const outputs = [{ type: 'file' as const, storage: 'gone' }];
    expect(() => lower({ source: room, outputs })).toThrow('use one of: disk, archive');
  });
});

const path = fc.constantFrom(
  undefined,
  'a',
  'x/a.mp4',
  '{recording}/b',
  'a.b',
  '{room}-{retry}',
  'x/list.m3u8',
  'a.mp3',
  'a.ogg',
);
const source = fc.constantFrom(
  room,
  { ...room, audioOnly: true },
  { ...room, videoOnly: true },
  { type: 'web', url: 'https://x.test' },
  { type: 'participant', room: 'demo', identity: 'ann' },
  { type: 'tracks', room: 'demo', audioTrackId: 'TR_a', videoTrackId: 'TR_v' },
  { type: 'tracks', room: 'demo', audioTrackId: 'TR_a' },
  { type: 'track', room: 'demo', trackId: 'TR_v' },
);
const urls = fc.array(
  fc.constantFrom('rtmp://h/app/key', 'mux://key', 'srt://h:1', 'wss://h', 'rtmps://h/a/b/key live=1'),
  { maxLength: 2 },
);
const output = fc.oneof(
  fc.record({ type: fc.constant('file'), path }),
  fc.record({ type: fc.constant('stream'), urls }),
  fc.record({ type: fc.constant('segments'), prefix: path, playlist: path, livePlaylist: path }),
  fc.record({ type: fc.constant('images'), prefix: path }),
);

describe('every request that the API accepts', () => {
  it('is one that no worker refuses, and none of its outputs is lost', () => {
    fc.assert(
      fc.property(source, fc.array(output, { maxLength: 4 }), (from, outputs) => {
        const request = recordingRequestSchema.safeParse({ source: from, outputs });
        fc.pre(request.success);
        const { message } = lower({ source: from, outputs } as RecordingRequestInput);
        expect(refusalOf(message)).toBeUndefined();
        const types = (all: readonly { type: string }[]) => all.map(({ type }) => type).sort();
        expect(types(liftRequest(message).outputs)).toEqual(types(outputs));
      }),
      { numRuns: 500 },
    );
  });
});
