// Requests that no worker takes, by what is wrong with them: the words of the refusal are a worker's.
import type { JsonObject } from '@bufbuild/protobuf';
import type { Play, Scenario } from './scenario.ts';
import type { Method } from './sdk.ts';

const file = { fileOutputs: [{ fileType: 'MP4', filepath: 'x.mp4' }] };
const audioFile = { fileOutputs: [{ filepath: 'x' }] };
const streamTo = (...urls: string[]) => ({ streamOutputs: [{ protocol: 'RTMP', urls }] });
const anyStreamTo = (...urls: string[]) => ({ streamOutputs: [{ urls }] });
const aac = { audioCodec: 'AAC', videoCodec: 'H264_MAIN' };

type Refusal = [string, Method, JsonObject];

const room = (what: string, request: object): Refusal => [what, 'StartRoomCompositeEgress', { ...request }];
const v2 = (what: string, request: object): Refusal => [
  what,
  'StartEgress',
  { template: {}, outputs: [{ file: { filepath: 'x' } }], ...request },
];

const REFUSALS: Refusal[] = [
  room('no output', {}),
  room('a template that is no page', { customBaseUrl: 'ftp://example.com', ...file }),
  room('neither sound nor picture', { audioOnly: true, videoOnly: true, ...file }),
  room('images of sound', { audioOnly: true, imageOutputs: [{ filenamePrefix: 'x' }] }),
  room('images beside sound', { audioOnly: true, ...audioFile, imageOutputs: [{ filenamePrefix: 'x' }] }),
  room('two files', { fileOutputs: [{ filepath: 'x' }, { filepath: 'y' }] }),
  room('two streams', { streamOutputs: [{ urls: ['rtmp://a/b/c'] }, { urls: ['rtmp://a/b/d'] }] }),
  room('two playlists', { segmentOutputs: [{ playlistName: 'x' }, { playlistName: 'y' }] }),
  room('a stream to nowhere, of a protocol', { advanced: aac, ...streamTo() }),
  room('a stream to nowhere, of none', { advanced: aac, ...anyStreamTo() }),
  room('a stream without a key', { advanced: aac, ...streamTo('rtmp://example.com/live') }),
  room('a stream to a page', { advanced: aac, ...streamTo('https://example.com/live/abcdefghijkl') }),
  room('a stream to a page, of no protocol', {
    advanced: aac,
    ...anyStreamTo('https://example.com/live/abcdefghijkl'),
  }),
  room('streams of two protocols', {
    advanced: aac,
    ...anyStreamTo('rtmp://example.com/live/abcdefghijkl', 'srt://example.com:1'),
  }),
  room('a stream that is no URL', { advanced: aac, ...streamTo('abcdefghijkl') }),
  room('a stream that is no URL, of no protocol', { advanced: aac, ...anyStreamTo('abcdefghijkl') }),
  room('a WebSocket', { streamOutputs: [{ protocol: 'WEBSOCKET', urls: ['wss://example.com/x'] }] }),
  room('an odd width', { advanced: { ...aac, width: 641, height: 360 }, ...file }),
  room('too small a height', { advanced: { ...aac, width: 640, height: 14 }, ...file }),
  room('a depth that is none', { advanced: { ...aac, depth: 12 }, ...file }),
  room('Opus in a stream', { advanced: { ...aac, audioCodec: 'OPUS' }, ...streamTo('rtmp://a/b/abcdefghijkl') }),
  room('Opus in segments', { advanced: { ...aac, audioCodec: 'OPUS' }, segmentOutputs: [{ playlistName: 'x' }] }),
  room('AAC in OGG', {
    audioOnly: true,
    advanced: { audioCodec: 'AAC' },
    fileOutputs: [{ fileType: 'OGG', filepath: 'x' }],
  }),
  room('a picture in OGG', { fileOutputs: [{ fileType: 'OGG', filepath: 'x' }] }),
  room('sound in OGG and a stream', {
    audioOnly: true,
    fileOutputs: [{ fileType: 'OGG', filepath: 'x' }],
    ...streamTo('rtmp://a/b/abcdefghijkl'),
  }),
  room('a live playlist elsewhere', {
    advanced: aac,
    segmentOutputs: [{ playlistName: 'a/x', livePlaylistName: 'b/y' }],
  }),
  room('a live playlist that is the same', {
    advanced: aac,
    segmentOutputs: [{ playlistName: 'x', livePlaylistName: 'x.m3u8' }],
  }),
  ['a page that is none', 'StartWebEgress', { url: 'file:///etc/passwd', ...file }],
  ['no page', 'StartWebEgress', { ...file }],
  ['a page into nothing', 'StartWebEgress', { url: 'https://example.com' }],
  [
    'a page with neither sound nor picture',
    'StartWebEgress',
    { url: 'https://a', audioOnly: true, videoOnly: true, ...file },
  ],
  ['nobody', 'StartParticipantEgress', { ...file }],
  ['a participant into nothing', 'StartParticipantEgress', { identity: 'ada' }],
  ['no tracks', 'StartTrackCompositeEgress', { ...file }],
  ['tracks into nothing', 'StartTrackCompositeEgress', { audioTrackId: 'TR_x' }],
  [
    'sound alone and images',
    'StartTrackCompositeEgress',
    { audioTrackId: 'TR_x', imageOutputs: [{ filenamePrefix: 'x' }] },
  ],
  ['no track', 'StartTrackEgress', { file: { filepath: 'x' } }],
  ['a track into nothing', 'StartTrackEgress', { trackId: 'TR_x' }],
  ['a track to a page', 'StartTrackEgress', { trackId: 'TR_x', websocketUrl: 'https://example.com' }],
  ['a request of no kind', 'StartEgress', { outputs: [{ file: { filepath: 'x' } }] }],
  v2('the new kind into nothing', { outputs: [] }),
  v2('the new kind into an output that is none', { outputs: [{}] }),
  v2('the new kind with two files', { outputs: [{ file: { filepath: 'x' } }, { file: { filepath: 'y' } }] }),
  v2('the new kind with two streams', {
    outputs: [{ stream: { urls: ['rtmp://a/b/c'] } }, { stream: { urls: ['rtmp://a/b/d'] } }],
  }),
  v2('the new kind with two playlists', { outputs: [{ segments: {} }, { segments: {} }] }),
  v2('the new kind with a stream to nowhere', { outputs: [{ stream: { protocol: 'RTMP' } }] }),
  v2('a template of the new kind that is no page', { template: { customBaseUrl: 'x' } }),
  v2('the new kind with neither sound nor picture', { template: { audioOnly: true, videoOnly: true } }),
  v2('the new kind with images of sound', {
    template: { audioOnly: true },
    outputs: [{ images: { filenamePrefix: 'x' } }],
  }),
  ['media of nothing', 'StartEgress', { media: {}, outputs: [{ file: { filepath: 'x' } }] }],
  ['a page of the new kind that is none', 'StartEgress', { web: { url: 'x' }, outputs: [{ file: { filepath: 'x' } }] }],
  // Last, because it is not refused by everybody.
  room('a kind of name that is not, or is newer', {
    advanced: aac,
    imageOutputs: [{ filenamePrefix: 'x', filenameSuffix: 9 }],
  }),
];

const NO_ROOM = /^StartWebEgress$/;

export const refused: Scenario = {
  name: 'requests that no worker takes',
  async play(play: Play) {
    for (const [what, method, request] of REFUSALS) {
      const inRoom = NO_ROOM.test(method) || 'web' in request ? {} : { roomName: play.room };
      const answer = await play.ask(what, method, { ...inRoom, ...request } as JsonObject);
      if ('ok' in answer) await play.ask(`${what}: stop`, 'StopEgress', { egressId: String(answer.ok.egressId) });
    }
  },
};
