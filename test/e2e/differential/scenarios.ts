// What is asked of both sides: every kind of request with its outputs from start to end, lists, streams, layouts, stops at each
// moment, ends of every kind, and who may not ask. Requests are protobuf's JSON, so that every SDK is asked for the same.
import type { JsonObject } from '@bufbuild/protobuf';
import { refused } from './refusals.ts';
import { isEnd, type Play, type Scenario } from './scenario.ts';
import type { Method } from './sdk.ts';

type RequestOf = (play: Play) => object;

/** What every SDK can say, with codecs that every output takes: Rust's own default is Opus. */
const SMALL = { width: 640, height: 360, framerate: 15, audioCodec: 'AAC', videoCodec: 'H264_MAIN', videoBitrate: 500 };
export const RTMP = 'rtmp://127.0.0.1:1/live/';

const mp4 = ({ file }: Play, name = 'a.mp4') => ({ fileOutputs: [{ fileType: 'MP4', filepath: file(name) }] });
const rtmp = (...keys: string[]) => ({ streamOutputs: [{ protocol: 'RTMP', urls: keys.map((key) => RTMP + key) }] });
const hls = ({ file }: Play) => ({
  segmentOutputs: [{ filenamePrefix: file('seg'), playlistName: 'list', livePlaylistName: 'live', segmentDuration: 2 }],
});
const images = ({ file }: Play) => ({ imageOutputs: [{ filenamePrefix: file('image'), captureInterval: 5 }] });
const everything = (play: Play) => ({ ...mp4(play), ...rtmp('abcdefghijkl'), ...hls(play), ...images(play) });

const inRoom = ({ room }: Play, more: object): JsonObject => ({ roomName: room, advanced: SMALL, ...more });
const composite = (play: Play, more: object) => inRoom(play, more);
const participant = (play: Play, more: object) => inRoom(play, { identity: 'ada', ...more });
const tracks = (play: Play, more: object) =>
  inRoom(play, { audioTrackId: 'TR_sound', videoTrackId: 'TR_picture', ...more });
const page = (more: object): JsonObject => ({ url: 'https://example.com/scene', advanced: SMALL, ...more });

/** Started, seen recording, stopped, seen ended. */
function life(name: string, method: Method, request: RequestOf): Scenario {
  return {
    name,
    async play(play) {
      const egressId = await play.start(method, request(play) as JsonObject);
      if (egressId === undefined) return;
      await play.untilStatus(egressId, 'EGRESS_ACTIVE');
      await play.ask('list while it records', 'ListEgress', { egressId });
      await play.ask('stop', 'StopEgress', { egressId });
      await play.until(egressId, isEnd);
      await play.ask('list when it has ended', 'ListEgress', { egressId });
    },
  };
}

const lives: Scenario[] = [
  life('a room into a file', 'StartRoomCompositeEgress', (p) => composite(p, mp4(p))),
  life('a room into a file, said in the old place', 'StartRoomCompositeEgress', ({ room, file }) => ({
    roomName: room,
    preset: 'H264_720P_60',
    file: { fileType: 'MP4', filepath: file('old.mp4') },
  })),
  life('a room into a stream', 'StartRoomCompositeEgress', (p) => composite(p, rtmp('abcdefghijkl', 'mnopqrstuvwx'))),
  life('a room into a stream, said in the old place', 'StartRoomCompositeEgress', ({ room }) => ({
    roomName: room,
    stream: { urls: [`${RTMP}abcdefghijkl`] },
  })),
  life('a room into segments', 'StartRoomCompositeEgress', (p) => composite(p, hls(p))),
  life('a room into segments, said in the old place', 'StartRoomCompositeEgress', ({ room, file }) => ({
    roomName: room,
    segments: { filenamePrefix: file('old') },
  })),
  life('a room into images', 'StartRoomCompositeEgress', (p) => composite(p, images(p))),
  life('a room into everything', 'StartRoomCompositeEgress', (p) => composite(p, everything(p))),
  life("a room's sound", 'StartRoomCompositeEgress', ({ room, file }) => ({
    roomName: room,
    audioOnly: true,
    fileOutputs: [{ filepath: file('sound.mp4') }],
  })),
  life("a room's sound with a layout", 'StartRoomCompositeEgress', ({ room, file }) => ({
    roomName: room,
    layout: 'speaker-dark',
    audioOnly: true,
    fileOutputs: [{ fileType: 'MP3', filepath: file('sound') }],
  })),
  life("a room's picture with a page of one's own", 'StartRoomCompositeEgress', (p) =>
    composite(p, { videoOnly: true, customBaseUrl: 'https://example.com/template?key=abc', ...mp4(p) }),
  ),
  life('a page into a file', 'StartWebEgress', (p) => page(mp4(p))),
  life('a page into a stream over SRT', 'StartWebEgress', () =>
    page({ streamOutputs: [{ protocol: 'SRT', urls: ['srt://127.0.0.1:1?streamid=abc&passphrase=0123456789'] }] }),
  ),
  life('a page into everything', 'StartWebEgress', (p) => page({ awaitStartSignal: true, ...everything(p) })),
  life('a participant into a file', 'StartParticipantEgress', (p) => participant(p, mp4(p))),
  life('a participant into everything', 'StartParticipantEgress', (p) => participant(p, everything(p))),
  life('a shared screen into segments and images', 'StartParticipantEgress', (p) =>
    participant(p, { screenShare: true, ...hls(p), ...images(p) }),
  ),
  life('two tracks into a file', 'StartTrackCompositeEgress', (p) => tracks(p, mp4(p))),
  life('two tracks into everything', 'StartTrackCompositeEgress', (p) => tracks(p, everything(p))),
  life('one track of two into a file', 'StartTrackCompositeEgress', ({ room, file }) => ({
    roomName: room,
    audioTrackId: 'TR_sound',
    fileOutputs: [{ filepath: file('one') }],
  })),
  life('a track as it is', 'StartTrackEgress', ({ room, file }) => ({
    roomName: room,
    trackId: 'TR_sound',
    file: { filepath: file('track-{track_id}-{time}') },
  })),
  life('a template of the new kind into a file', 'StartEgress', (p) => ({
    roomName: p.room,
    template: { layout: 'grid' },
    preset: 'H264_1080P_30',
    outputs: [{ file: { fileType: 'MP4', filepath: p.file('v2.mp4') } }],
  })),
  life('a page of the new kind into a stream', 'StartEgress', () => ({
    web: { url: 'https://example.com/scene' },
    outputs: [{ stream: { protocol: 'RTMP', urls: [`${RTMP}abcdefghijkl`] } }],
  })),
  life('media of the new kind into everything', 'StartEgress', (p) => ({
    roomName: p.room,
    media: { participantVideo: { identity: 'ada' }, audio: { captureAll: true } },
    advanced: SMALL,
    outputs: [
      { file: { filepath: p.file('v2-{time}') } },
      { stream: { protocol: 'RTMP', urls: [`${RTMP}abcdefghijkl`] } },
      { segments: { filenamePrefix: p.file('seg'), playlistName: 'list' } },
      { images: { filenamePrefix: p.file('first') } },
      { images: { filenamePrefix: p.file('second'), captureInterval: 7 } },
    ],
  })),
];

const NAMES: Record<string, string> = {
  'an empty one': '',
  'a folder': 'folder/',
  'placeholders of the room': '{room_name}/{room_id}-{time}-{utc}.mp4',
  'placeholders of a participant': '{publisher_identity}-{track_id}-{nobody_knows}.mp4',
  'a wrong ending': 'sound.ogg',
  'an ending that is part of it': 'minutes.v2',
  'a way out of the folder': '../../x/./y//z.mp4',
  '{retry}': 'part-{retry}.mp4',
};

/** Relative, so under the worker's own folder. */
const names: Scenario[] = Object.entries(NAMES).flatMap(([kind, filepath]) => [
  life(`a file's name: ${kind}`, 'StartParticipantEgress', (p) => participant(p, { fileOutputs: [{ filepath }] })),
]);

const moreNames: Scenario[] = [
  life("names of segments: the playlist's alone", 'StartRoomCompositeEgress', (p) =>
    composite(p, { segmentOutputs: [{ playlistName: p.file('{room_name}/list-{time}.m3u8') }] }),
  ),
  life('names of segments: none', 'StartRoomCompositeEgress', (p) => composite(p, { segmentOutputs: [{}] })),
  life('names of segments: several folders', 'StartRoomCompositeEgress', (p) =>
    composite(p, {
      segmentOutputs: [{ filenamePrefix: 'ts/seg', playlistName: 'lists/list', livePlaylistName: 'live' }],
    }),
  ),
  life('names of images: none', 'StartRoomCompositeEgress', (p) => composite(p, { imageOutputs: [{}] })),
  life('names of images: a folder', 'StartRoomCompositeEgress', (p) =>
    composite(p, { imageOutputs: [{ filenamePrefix: 'images-{time}/', filenameSuffix: 'IMAGE_SUFFIX_TIMESTAMP' }] }),
  ),
];

const lists: Scenario = {
  name: 'lists',
  async play(play) {
    const { room: roomName } = play;
    const first = await play.start('StartParticipantEgress', participant(play, mp4(play, '1.mp4')));
    const second = await play.start('StartParticipantEgress', participant(play, mp4(play, '2.mp4')));
    const ids = [first, second].filter((id) => id !== undefined);
    for (const egressId of ids) await play.untilStatus(egressId, 'EGRESS_ACTIVE');
    await play.ask('by room', 'ListEgress', { roomName });
    await play.ask('stop the first', 'StopEgress', { egressId: ids[0] ?? '' });
    await play.until(ids[0] ?? '', isEnd);
    await play.ask('by room, when one has ended', 'ListEgress', { roomName });
    await play.ask('by room, active', 'ListEgress', { roomName, active: true });
    await play.ask('by id and another room', 'ListEgress', { egressId: ids[0] ?? '', roomName: 'another' });
    await play.ask('by a room that is not', 'ListEgress', { roomName: 'nobody-is-here' });
    await play.ask('by an id that is not', 'ListEgress', { egressId: 'EG_nobodyknowsit' });
    await play.ask('stop the second', 'StopEgress', { egressId: ids[1] ?? '' });
    await play.until(ids[1] ?? '', isEnd);
    await play.ask('by room, active, when all have ended', 'ListEgress', { roomName, active: true });
  },
};

const streams: Scenario = {
  name: 'streams that change',
  async play(play) {
    const egressId = (await play.start('StartRoomCompositeEgress', composite(play, rtmp('abcdefghijkl')))) ?? '';
    const untilStreams = (count: number) =>
      play.until(
        egressId,
        ({ streamResults }) => streamResults.filter(({ startedAt }) => startedAt > 0n).length === count,
      );
    await play.untilStatus(egressId, 'EGRESS_ACTIVE');
    await untilStreams(1);
    const change = (step: string, addOutputUrls: string[], removeOutputUrls: string[] = []) =>
      play.ask(step, 'UpdateStream', { egressId, addOutputUrls, removeOutputUrls });
    await change('add one', [`${RTMP}mnopqrstuvwx`]);
    await untilStreams(2);
    await play.ask('list with two', 'ListEgress', { egressId });
    await change('add what is no stream', ['rtmp://127.0.0.1/app', 'http://127.0.0.1/a/b']);
    await change('add one of another protocol', ['srt://127.0.0.1:1?streamid=abc']);
    await change('remove one that is not there', [], [`${RTMP}nobodynobody`]);
    await change('nothing', []);
    await change('remove one', [], [`${RTMP}abcdefghijkl`]);
    await play.until(egressId, ({ streamResults }) => streamResults.some(({ endedAt }) => endedAt > 0n));
    await play.ask('list with one gone', 'ListEgress', { egressId });
    await change('remove the last', [], [`${RTMP}mnopqrstuvwx`]);
    await play.until(egressId, isEnd);
    await play.ask('list when it has ended', 'ListEgress', { egressId });
    await play.askTimed('change when it has ended', 'UpdateStream', {
      egressId,
      addOutputUrls: [`${RTMP}abcdefghijkl`],
    });
  },
};

const fileOnly: Scenario = {
  name: 'a file alone: no streams, a layout nobody takes, one end',
  async play(play) {
    const egressId = (await play.start('StartParticipantEgress', participant(play, mp4(play)))) ?? '';
    await play.untilStatus(egressId, 'EGRESS_ACTIVE');
    await play.ask('streams', 'UpdateStream', { egressId, addOutputUrls: [`${RTMP}abcdefghijkl`] });
    await play.ask('layout', 'UpdateLayout', { egressId, layout: 'grid' });
    await play.ask('stop', 'StopEgress', { egressId });
    await play.until(egressId, isEnd);
    await play.askTimed('stop again', 'StopEgress', { egressId });
    await play.askTimed('streams when it has ended', 'UpdateStream', { egressId, removeOutputUrls: [`${RTMP}x`] });
    await play.ask('layout when it has ended', 'UpdateLayout', { egressId, layout: 'grid' });
  },
};

const nobodys: Scenario = {
  name: "an id that is nobody's",
  async play(play) {
    const egressId = 'EG_nobodyknowsit';
    await Promise.all([
      play.askTimed('stop', 'StopEgress', { egressId }),
      play.askTimed('streams', 'UpdateStream', { egressId, addOutputUrls: [`${RTMP}abcdefghijkl`] }),
      play.askTimed('layout', 'UpdateLayout', { egressId, layout: 'grid' }),
      play.ask('stop without an id', 'StopEgress', { egressId: '' }),
    ]);
  },
};

const stopping: Scenario[] = [
  {
    name: 'stopped while it stops',
    fault: 'stop-takes-long-',
    async play(play) {
      const egressId = (await play.start('StartParticipantEgress', participant(play, mp4(play)))) ?? '';
      await play.untilStatus(egressId, 'EGRESS_ACTIVE');
      await play.ask('stop', 'StopEgress', { egressId });
      await play.untilStatus(egressId, 'EGRESS_ENDING');
      await play.ask('list while it stops', 'ListEgress', { egressId });
      await play.ask('stop again', 'StopEgress', { egressId });
      await play.until(egressId, isEnd);
      await play.ask('list when it has ended', 'ListEgress', { egressId });
    },
  },
  ...['StartParticipantEgress' as const, 'StartRoomCompositeEgress' as const].map((method) => ({
    name: `stopped while it starts: ${method}`,
    fault: 'start-hangs-',
    async play(play: Play) {
      const source = method === 'StartParticipantEgress' ? participant : composite;
      const egressId = (await play.start(method, source(play, mp4(play)))) ?? '';
      await play.ask('list while it starts', 'ListEgress', { egressId });
      await play.ask('stop', 'StopEgress', { egressId });
      await play.until(egressId, isEnd);
      await play.ask('list when it has ended', 'ListEgress', { egressId });
      await play.askTimed('stop again', 'StopEgress', { egressId });
    },
  })),
];

const ends: Scenario[] = [
  {
    name: 'its room closes',
    async play(play) {
      const egressId = (await play.start('StartRoomCompositeEgress', composite(play, everything(play)))) ?? '';
      await play.untilStatus(egressId, 'EGRESS_ACTIVE');
      await play.closeRoom();
      await play.until(egressId, isEnd);
      await play.ask('list when it has ended', 'ListEgress', { egressId });
    },
  },
  {
    name: 'who is to be recorded is not there',
    fault: 'nobody-there-',
    async play(play) {
      const egressId = (await play.start('StartParticipantEgress', participant(play, everything(play)))) ?? '';
      await play.until(egressId, isEnd);
      await play.ask('list when it has ended', 'ListEgress', { egressId });
    },
  },
  {
    name: 'only the worker can refuse it',
    async play(play) {
      const s3 = { accessKey: 'AK', secret: 'secret', sessionToken: 'token', bucket: 'b', region: 'eu-west-1' };
      const request = participant(play, { fileOutputs: [{ fileType: 'MP4', filepath: 'a.mp4', s3 }] });
      const egressId = await play.start('StartParticipantEgress', request);
      if (egressId === undefined) return;
      await play.until(egressId, isEnd);
      await play.ask('list when it has ended', 'ListEgress', { egressId });
    },
  },
];

const hooks = life('webhooks of the request', 'StartRoomCompositeEgress', (p) => ({
  ...composite(p, mp4(p)),
  webhooks: [{ url: `${p.hooksUrl}/of-request?a=b`, signingKey: 'devkey' }],
}));

const strangers: Scenario = {
  name: 'who may not ask',
  async play(play) {
    const tokens = {
      'no grant': await play.token(),
      'another grant': await play.token({ roomCreate: true, roomAdmin: true, room: play.room }),
      'the wrong secret': await play.token({ roomRecord: true }, 'x'.repeat(32)),
      'no token': 'not-a-token',
    };
    for (const [who, token] of Object.entries(tokens)) {
      await play.ask(`start with ${who}`, 'StartRoomCompositeEgress', composite(play, mp4(play)), token);
      await play.ask(`list with ${who}`, 'ListEgress', {}, token);
      await play.ask(`stop with ${who}`, 'StopEgress', { egressId: 'EG_nobodyknowsit' }, token);
      await play.ask(`streams with ${who}`, 'UpdateStream', { egressId: 'EG_nobodyknowsit' }, token);
      await play.ask(`layout with ${who}`, 'UpdateLayout', { egressId: 'EG_nobodyknowsit' }, token);
    }
    const grant = await play.token({ roomRecord: true });
    await play.ask('list with the grant', 'ListEgress', { roomName: play.room }, grant);
  },
};

const missingRooms: Scenario = {
  name: 'a room that is not',
  async play(play) {
    const at = { roomName: 'nobody-is-here' };
    await play.ask('room', 'StartRoomCompositeEgress', { ...at, ...mp4(play) });
    await play.ask('participant', 'StartParticipantEgress', { ...at, identity: 'ada', ...mp4(play) });
    await play.ask('tracks', 'StartTrackCompositeEgress', { ...at, audioTrackId: 'TR_x', ...mp4(play) });
    await play.ask('track', 'StartTrackEgress', { ...at, trackId: 'TR_x', file: { filepath: 'x' } });
    const outputs = [{ file: { filepath: 'x' } }];
    await play.ask('template', 'StartEgress', { ...at, template: {}, outputs });
    await play.ask('page with a room', 'StartEgress', { ...at, web: { url: 'https://example.com' }, outputs });
    await play.ask('no name', 'StartRoomCompositeEgress', { ...mp4(play) });
  },
};

export const SCENARIOS: readonly Scenario[] = [
  // The longest first.
  refused,
  nobodys,
  fileOnly,
  streams,
  lists,
  ...ends,
  ...lives,
  ...names,
  ...moreNames,
  hooks,
  strangers,
  missingRooms,
  // In peace: LiveKit waits 3 s for what Reelkit asks its worker.
  ...stopping,
];

export const FAULTS = [
  { room: '^stop-takes-long-', step: 'stop', action: 'fail', code: 500, message: 'it took long', after: '2s' },
  { room: '^start-hangs-', step: 'start', action: 'hang' },
  {
    room: '^nobody-there-',
    step: 'start',
    action: 'fail',
    code: 404,
    message: 'participant ada not found',
    after: '1s',
  },
];
