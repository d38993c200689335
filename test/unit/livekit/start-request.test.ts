// LiveKit's start request for each kind of source and storage.
import { EncodingOptionsPreset } from '@livekit/protocol';
import { describe, expect, it } from 'vitest';
import { buildStartRequest, type StartSettings } from '../../../src/livekit/start-request.ts';
import { type RecordingRequestInput, recordingRequestSchema } from '../../../src/recording/request.ts';

const settings: StartSettings = {
  apiKey: 'devkey',
  publicUrl: 'https://reelkit.example.com',
  pathTemplate: '{room}/{recording}/part-{part}',
  defaultStorage: 'disk',
  storages: {
    disk: { type: 'local', path: '/recordings/' },
    s3: {
      type: 's3',
      bucket: 'talks',
      region: 'eu-west-1',
      endpoint: 'http://minio:9000',
      accessKey: 'AKIA',
      secret: 's3-secret',
      sessionToken: 'session',
      forcePathStyle: true,
      prefix: 'in/',
    },
    gcs: { type: 'gcs', bucket: 'talks', credentials: 'gcs-secret', prefix: '' },
    azure: { type: 'azure', accountName: 'acc', accountKey: 'azure-secret', containerName: 'c', prefix: 'p' },
  },
};
const marker = { recordingId: 'r1', part: 1, attempt: 1 };
const AT = Date.UTC(2030, 0, 31);

const build = (input: Partial<RecordingRequestInput> = {}, overrides: Partial<StartSettings> = {}) =>
  buildStartRequest(recordingRequestSchema.parse({ source: { type: 'room', room: 'demo' }, ...input }), marker, AT, {
    ...settings,
    ...overrides,
  });
/** As JSON, where only what is set appears. */
const json = (...args: Parameters<typeof build>) => build(...args).message.toJson() as Record<string, unknown>;

const webhooks = [
  {
    url: 'https://reelkit.example.com/webhooks/livekit?recording=r1&part=1&attempt=1',
    signingKey: 'devkey',
  },
];
const fileOutputs = [{ filepath: '/recordings/demo/r1/part-1' }];

describe('a start request', () => {
  it.each([
    [
      { type: 'room', room: 'demo', layout: 'grid', audioOnly: true, customBaseUrl: 'https://t' },
      'StartRoomCompositeEgress',
      { roomName: 'demo', layout: 'grid', audioOnly: true, customBaseUrl: 'https://t', fileOutputs, webhooks },
    ],
    [
      { type: 'web', url: 'https://page', awaitStartSignal: true },
      'StartWebEgress',
      {
        url: 'https://page',
        awaitStartSignal: true,
        fileOutputs: [{ filepath: '/recordings/web/r1/part-1' }],
        webhooks,
      },
    ],
    [
      { type: 'participant', room: 'demo', identity: 'ann', screenShare: true },
      'StartParticipantEgress',
      { roomName: 'demo', identity: 'ann', screenShare: true, fileOutputs, webhooks },
    ],
    [
      { type: 'tracks', room: 'demo', audioTrackId: 'TR_A', videoTrackId: 'TR_V' },
      'StartTrackCompositeEgress',
      { roomName: 'demo', audioTrackId: 'TR_A', videoTrackId: 'TR_V', fileOutputs, webhooks },
    ],
    [
      { type: 'tracks', room: 'demo', videoTrackId: 'TR_V' },
      'StartTrackEgress',
      { roomName: 'demo', trackId: 'TR_V', file: fileOutputs[0], webhooks },
    ],
  ] as const)('for %j', (source, method, expected) => {
    expect(build({ source }).method).toBe(method);
    expect(json({ source })).toEqual(expected);
  });

  it.each([
    [
      's3',
      {
        filepath: 'in/demo/r1/part-1',
        s3: {
          accessKey: 'AKIA',
          secret: 's3-secret',
          sessionToken: 'session',
          region: 'eu-west-1',
          endpoint: 'http://minio:9000',
          bucket: 'talks',
          forcePathStyle: true,
        },
      },
    ],
    ['gcs', { filepath: 'demo/r1/part-1', gcp: { bucket: 'talks', credentials: 'gcs-secret' } }],
    [
      'azure',
      {
        filepath: 'p/demo/r1/part-1',
        azure: { accountName: 'acc', accountKey: 'azure-secret', containerName: 'c' },
      },
    ],
  ])('with the storage %s carries its keys in the message and nowhere else', (storage, output) => {
    const request = recordingRequestSchema.parse({
      source: { type: 'room', room: 'demo' },
      outputs: [{ type: 'file', storage }],
    });
    const start = buildStartRequest(request, marker, AT, settings);
    expect((start.message.toJson() as { fileOutputs: unknown[] }).fileOutputs).toEqual([output]);
    expect(JSON.stringify([request, start.method])).not.toContain('secret');
  });

  it('without a public URL has the marker in its path and asks for no webhook', () => {
    expect(json({}, { publicUrl: undefined })).toEqual({
      roomName: 'demo',
      fileOutputs: [{ filepath: '/recordings/demo/r1/part-1~r1~1~1' }],
    });
  });

  it.each(['nope', 'constructor', '__proto__', 'toString'])(
    'with the storage %s, which is not configured, is refused and names those that are',
    (storage) => {
      expect(() => build({ outputs: [{ type: 'file', storage }] })).toThrow(
        `storage "${storage}" is not configured; add it to storages, or use one of: disk, s3, gcs, azure`,
      );
    },
  );

  it('carries a preset by its number', () => {
    expect(build({ encoding: { preset: 'H264_1080P_60' } }).message).toMatchObject({
      options: { case: 'preset', value: EncodingOptionsPreset.H264_1080P_60 },
    });
  });

  it('carries encoding options, and none for an empty choice', () => {
    expect(json({ encoding: { width: 1280, height: 720, videoBitrateKbps: 3_000 } }).advanced).toMatchObject({
      width: 1280,
      height: 720,
      videoBitrate: 3_000,
    });
    expect(build({ encoding: {} }).message).toMatchObject({ options: { case: undefined } });
  });

  it('uses the path of the request before the configured one', () => {
    expect(json({ outputs: [{ type: 'file', path: 'mine/{recording}.mp4' }] }).fileOutputs).toEqual([
      { filepath: '/recordings/mine/r1.mp4' },
    ]);
  });
});
