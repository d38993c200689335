// Requests of every kind with outputs of every kind, for the tests of the request language.
import fc from 'fast-check';
import { StartMessage } from '../../../../src/livekit/request/index.ts';

export type Kind = 'roomComposite' | 'web' | 'participant' | 'trackComposite' | 'track' | 'egress' | 'replay';

/** As it comes over the wire: encoded once, so that every field has its own type. */
export function start(kind: Kind | undefined, value: object = {}, more: object = {}): StartMessage {
  const field = StartMessage.fields.list().find(({ localName }) => localName === kind);
  const request = field?.kind === 'message' ? { case: kind, value: new field.T(value) } : { case: undefined };
  const message = new StartMessage({ egressId: 'EG_abcdefghijkl', roomId: 'RM_1', request, ...more } as object);
  return StartMessage.fromBinary(message.toBinary());
}

/** Where secrets stand in an upload, by kind of storage. */
export const UPLOADS = {
  s3: (secret: string) => ({
    accessKey: `1${secret}`,
    secret: `2${secret}`,
    sessionToken: `3${secret}`,
    assumeRoleExternalId: `4${secret}`,
    bucket: 'b',
    proxy: { url: `http://u:5${secret}@proxy:3128`, username: `6${secret}`, password: `7${secret}` },
  }),
  gcp: (secret: string) => ({ credentials: `{"private_key":"${secret}"}`, bucket: 'b', proxy: { password: secret } }),
  azure: (secret: string) => ({ accountName: `1${secret}`, accountKey: `2${secret}`, containerName: 'c' }),
  aliOSS: (secret: string) => ({ accessKey: `1${secret}`, secret: `2${secret}`, bucket: 'b' }),
};
export type UploadKind = keyof typeof UPLOADS;

export const STREAM_URLS = {
  rtmp: (secret: string) => [
    `rtmp://h:1935/live/app/${secret}`,
    `rtmps://me:${secret}@h/app/${secret} live=1`,
    `mux://${secret}`,
  ],
  srt: (secret: string) => [`srt://h:9000?streamid=${secret}&passphrase=${secret}`],
  ws: (secret: string) => [`wss://me:${secret}@h/path?token=${secret}#${secret}`],
};

interface Parts {
  kind: Kind;
  upload: UploadKind;
  name: string;
  secret: string;
  /** v1 only: repeat the first output in the deprecated field, as SDKs do. */
  single: 'file' | 'stream' | 'segments' | undefined;
  streams: 'rtmp' | 'srt';
  images: number;
}

const name = fc.oneof(
  fc.constantFrom(
    '',
    'a.mp4',
    'b/',
    '/abs/c',
    '../d.ogg',
    '{room_name}-{time}',
    'e-{retry}',
    'f.{utc}',
    'g//h.',
    'i.m3u8',
    'v1.2.3',
  ),
  fc.stringMatching(/^[a-z./{}_-]{0,20}$/),
);

export const parts: fc.Arbitrary<Parts> = fc.record({
  kind: fc.constantFrom<Kind>('roomComposite', 'web', 'participant', 'trackComposite', 'track', 'egress', 'replay'),
  upload: fc.constantFrom<UploadKind>('s3', 'gcp', 'azure', 'aliOSS'),
  name,
  secret: fc.stringMatching(/^[A-Za-z0-9]{24}$/),
  single: fc.constantFrom('file', 'stream', 'segments', undefined),
  streams: fc.constantFrom('rtmp', 'srt'),
  images: fc.nat(2),
});

/** One output of each kind and some images, each with an upload of its own. */
export function requestOf({ kind, upload, name: path, secret, single, streams, images }: Parts): StartMessage {
  const output = { case: upload, value: UPLOADS[upload](secret) };
  const file = { filepath: path, output };
  const segments = { filenamePrefix: path, playlistName: path && `${path}list`, output };
  const image = { filenamePrefix: path, output };
  const stream = { urls: STREAM_URLS[streams](secret) };
  const common = {
    roomName: 'demo room',
    identity: 'ann',
    audioTrackId: 'TR_a',
    videoTrackId: 'TR_v',
    url: 'https://x.test',
  };
  if (kind === 'track')
    return start('track', { roomName: 'demo room', trackId: 'TR_a', output: { case: 'file', value: file } });
  if (kind === 'egress' || kind === 'replay') {
    const storage = { provider: { case: upload, value: UPLOADS[upload](secret) } };
    const outputs = [
      { config: { case: 'file', value: { filepath: path } }, storage },
      { config: { case: 'stream', value: stream } },
      { config: { case: 'segments', value: segments }, storage },
      ...Array.from({ length: images }, () => ({ config: { case: 'images', value: image } })),
    ];
    return start(
      kind,
      { roomName: 'demo room', source: { case: 'template', value: {} }, outputs, storage },
      { roomName: 'demo room' },
    );
  }
  const copies = { file, stream, segments };
  return start(kind, {
    ...common,
    fileOutputs: [file],
    streamOutputs: [stream],
    segmentOutputs: [segments],
    imageOutputs: Array.from({ length: images }, () => image),
    ...(single && kind !== 'participant' ? { output: { case: single, value: copies[single] } } : {}),
  });
}
