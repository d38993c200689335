// The request for a recording: defaults, limits, and errors that name their field.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../../src/recording/duration.ts';
import { dueAtMs, openRecording } from '../../../src/recording/open.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import { roomOf } from '../../../src/recording/source.ts';

const room = { type: 'room', room: 'demo' } as const;

/** Field and message of each problem. */
function problems(request: unknown): string[] {
  const result = recordingRequestSchema.safeParse(request);
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('a request', () => {
  it('needs nothing but a source', () => {
    expect(recordingRequestSchema.parse({ source: room })).toEqual({
      source: { type: 'room', room: 'demo', audioOnly: false, videoOnly: false },
      outputs: [{ type: 'file' }],
      startWithin: 15 * 60_000,
      maxDuration: 6 * 3_600_000,
      sourceGrace: 20_000,
      priority: 3,
      labels: {},
    });
  });

  it.each([
    [{}, 'source'],
    [{ source: { type: 'rooom', room: 'demo' } }, 'source.type'],
    [{ source: { type: 'room' } }, 'source.room'],
    [{ source: { type: 'room', room: '' } }, 'source.room'],
    [{ source: { type: 'room', room: 'a'.repeat(257) } }, 'source.room'],
    [{ source: { type: 'room', room: 'a\u0007' } }, 'source.room'],
    [{ source: { ...room, audioOnly: true, videoOnly: true } }, 'source.videoOnly'],
    [{ source: { ...room, customBaseUrl: 'ftp://x' } }, 'source.customBaseUrl'],
    [{ source: { type: 'participant', room: 'demo' } }, 'source.identity'],
    [{ source: { type: 'tracks', room: 'demo' } }, 'source'],
    [{ source: { type: 'web', url: 'javascript:alert(1)' } }, 'source.url'],
    [{ source: { type: 'web', url: '/page' } }, 'source.url'],
    [{ source: room, outputs: [] }, 'outputs'],
    [{ source: room, outputs: [{ type: 'file' }, { type: 'file' }] }, 'outputs.1.type'],
    [{ source: room, outputs: [{ type: 'video' }] }, 'outputs.0.type'],
    [{ source: room, outputs: [{ type: 'stream', urls: [] }] }, 'outputs.0.urls'],
    [{ source: room, outputs: [{ type: 'images', width: 17 }] }, 'outputs.0.width'],
    [{ source: room, outputs: [{ type: 'images', intervalSeconds: 0 }] }, 'outputs.0.intervalSeconds'],
    [{ source: room, outputs: [{ type: 'segments', segmentSeconds: 61 }] }, 'outputs.0.segmentSeconds'],
    [{ source: room, encoding: { height: 721 } }, 'encoding.height'],
    [{ source: { type: 'media', room: 'demo' } }, 'source.type'],
    [{ source: room, outputs: [{ type: 'file', path: '../x' }] }, 'outputs.0.path'],
    [{ source: room, outputs: [{ type: 'file', path: '{nope}' }] }, 'outputs.0.path'],
    [{ source: room, encoding: { preset: 'H264_4K' } }, 'encoding.preset'],
    [{ source: room, encoding: { preset: 'H264_720P_30', width: 1280 } }, 'encoding'],
    [{ source: room, encoding: { width: 5 } }, 'encoding.width'],
    [{ source: room, startAt: 'tomorrow' }, 'startAt'],
    [{ source: room, startAt: '2030-01-31T09:00:00' }, 'startAt'],
    [{ source: room, startAt: '2030-02-30T09:00:00Z' }, 'startAt'],
    [{ source: room, startWithin: 15 }, 'startWithin'],
    [{ source: room, startWithin: 'soon' }, 'startWithin'],
    [{ source: room, startWithin: '0s' }, 'startWithin'],
    [{ source: room, sourceGrace: '2h' }, 'sourceGrace'],
    [{ source: room, stopWhen: { for: '9s' } }, 'stopWhen.for'],
    [{ source: room, stopWhen: { participantsAtMost: 1 } }, 'stopWhen.for'],
    [{ source: { type: 'web', url: 'https://example.com' }, stopWhen: { for: '5m' } }, 'stopWhen'],
    [{ source: room, maxDuration: '25h' }, 'maxDuration'],
    [{ source: room, maxDuration: '99999999999999999999999999999d' }, 'maxDuration'],
    [{ source: room, priority: 0 }, 'priority'],
    [{ source: room, priority: 2.5 }, 'priority'],
    [{ source: room, labels: { 'no spaces': 'x' } }, 'labels.no spaces'],
    [{ source: room, labels: Object.fromEntries([...'abcdefghijklmnopqrstu'].map((key) => [key, 'x'])) }, 'labels'],
    [{ source: room, labels: Object.fromEntries([...'abcdefghi'].map((key) => [key, 'x'.repeat(255)])) }, 'labels'],
    [{ source: room, webhook: { url: 'mailto:me@example.com' } }, 'webhook.url'],
  ])('%j is refused, and %s is named', (request, field) => {
    const found = problems(request);
    expect(found.map((problem) => problem.split(':')[0])).toEqual([field]);
    expect(found[0]).not.toMatch(/Invalid input$/);
  });

  it('is refused when it carries what nobody knows, such as keys of a storage', () => {
    expect(problems({ source: room, outputs: [{ type: 'file', accessKey: 'x' }] })[0]).toContain('accessKey');
  });

  it('says which durations are possible', () => {
    expect(problems({ source: room, maxDuration: '2d' })).toEqual(['maxDuration: must be between 1s and 1d']);
  });

  it('for a web page has no room', () => {
    const { source } = recordingRequestSchema.parse({ source: { type: 'web', url: 'https://example.com' } });
    expect(roomOf(source)).toBeUndefined();
  });
});

describe('outputs', () => {
  const audio = { ...room, audioOnly: true };
  const track = { type: 'track', room: 'demo', trackId: 'TR_a' };
  const half = { type: 'tracks', room: 'demo', videoTrackId: 'TR_v' };
  const file = { type: 'file' };
  const images = { type: 'images' };
  const segments = (more: object) => ({ type: 'segments', ...more });
  const stream = (...urls: string[]) => ({ type: 'stream', urls });
  const ONE_TRACK = 'outputs: a single track takes one output; keep a file, or a stream to one WebSocket';

  it.each([
    [room, [file, file], 'outputs.1.type: only one file output is possible; remove this one'],
    [room, [segments({}), segments({})], 'outputs.1.type: only one segments output is possible; remove this one'],
    [audio, [file, images], 'outputs.1.type: images need a picture; remove this output, or audioOnly'],
    [
      room,
      [images, { type: 'images', intervalSeconds: 1 }],
      'outputs.1.prefix: another images output writes the same names; give this one a prefix of its own',
    ],
    [
      room,
      [
        { type: 'images', prefix: 'a' },
        { type: 'images', prefix: 'a-{recording}' },
      ],
      'outputs.1.prefix: another images output writes the same names; give this one a prefix of its own',
    ],
    [
      room,
      [stream('rtmp://h/app/key', 'srt://h:1')],
      'outputs.0.urls.1: is SRT, and the first URL is RTMP; LiveKit streams to one protocol at a time, leave one out',
    ],
    [
      room,
      [stream('wss://h')],
      'outputs.0.urls.0: is a WebSocket, which takes a single track only; stream to rtmp or srt, or record a track',
    ],
    [
      room,
      [segments({ playlist: 'a/list', livePlaylist: 'b/live' })],
      'outputs.0.livePlaylist: "b/live" is in another folder than the playlist; leave its folder out',
    ],
    [
      room,
      [segments({ livePlaylist: 'b/live' })],
      'outputs.0.livePlaylist: "b/live" is in another folder than the playlist; leave its folder out',
    ],
    [
      room,
      [segments({ prefix: 'a/list', livePlaylist: 'list.m3u8' })],
      'outputs.0.livePlaylist: "list.m3u8" is the playlist itself; give it another name',
    ],
    [
      room,
      [{ type: 'file', path: 'call.mp3' }],
      'outputs.0.path: ".mp3" takes sound only, and there is a picture; use .mp4, or record with audioOnly',
    ],
    [
      audio,
      [{ type: 'file', path: 'call.WAV' }],
      'outputs.0.path: ".WAV" is no kind of file that LiveKit records; use .mp4, .ogg or .mp3, or leave the ending out',
    ],
    [
      room,
      [{ type: 'file', path: 'a.webm' }],
      'outputs.0.path: ".webm" is no kind of file that LiveKit records; use .mp4, or leave the ending out',
    ],
    [
      audio,
      [segments({}), { type: 'file', path: 'call.ogg' }],
      'outputs.1.path: ".ogg" does not take the AAC that segments and streams of the same recording need; use .mp4, or ask for them in a recording of their own',
    ],
    [
      track,
      [{ type: 'file', path: 'call.mp4' }],
      'outputs.0.path: ".mp4" names a kind of file, and a single track is copied as it is: its codec decides; leave the ending out',
    ],
    [
      room,
      [segments({ prefix: 'a.b', livePlaylist: 'a.b' })],
      'outputs.0.livePlaylist: "a.b" is the playlist itself; give it another name',
    ],
    [
      room,
      [segments({ playlist: 'list.mp4' })],
      'outputs.0.playlist: ".mp4" is no playlist; use .m3u8, or leave the ending out',
    ],
    [track, [file, file], ONE_TRACK],
    [track, [segments({})], ONE_TRACK],
    [track, [stream('rtmp://h/app/key')], ONE_TRACK],
    [half, [images], ONE_TRACK],
  ])('of %j: %j are refused', (source, outputs, problem) => {
    expect(problems({ source, outputs })).toEqual([problem]);
  });

  it.each([
    'rtmp://h',
    'rtmp://h/app',
    'rtmp://h/app/',
    'rtmp://h/app/key pass=x',
    'mux://',
    'srt://',
    'https://h',
    'file:///x',
    'key',
  ])('to %s are refused without being quoted', (url) => {
    const [problem, ...more] = problems({ source: room, outputs: [stream(url)] });
    expect(more).toEqual([]);
    expect(problem).toMatch(/^outputs\.0\.urls\.0: must be rtmp\(s\):/);
  });

  it.each([
    [
      room,
      [file, stream('rtmp://h/app/key', 'rtmps://h/a/b/key live=1', 'mux://k', 'twitch://k'), segments({}), images],
    ],
    [room, [stream('srt://h:9000?passphrase=x')]],
    [room, [segments({ prefix: 'a/s', playlist: 'a/list.m3u8', livePlaylist: 'live.m3u8' })]],
    [room, [images, { type: 'images', prefix: 'other' }]],
    [audio, [{ type: 'file', path: 'call.mp3' }]],
    [{ type: 'tracks', room: 'demo', audioTrackId: 'TR_a' }, [{ type: 'file', path: 'call.ogg' }]],
    [room, [{ type: 'file', path: 'lesson.v1' }]],
    [track, [file]],
    [half, [stream('wss://h/path')]],
  ])('of %j: %j are fine', (source, outputs) => {
    expect(problems({ source, outputs })).toEqual([]);
  });
});

describe('a duration', () => {
  it.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['1h30m', 5_400_000],
    ['1500ms', 1_500],
    ['2d', 172_800_000],
    ['1m1ms', 60_001],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', '5', 'h', '-5m', '1.5h', '5 m', '5m ', '5M', '1h30', '1e3s'])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it('is written with its two largest units', () => {
    expect([0, 900, 1_000, 90_000, 5_400_000, 86_400_000, 90_061_000].map(formatDuration)).toEqual([
      '0ms',
      '900ms',
      '1s',
      '1m30s',
      '1h30m',
      '1d',
      '1d1h',
    ]);
  });

  it('of at most two units reads back as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 23 }), fc.integer({ min: 0, max: 59 }), (hours, minutes) => {
        const ms = hours * 3_600_000 + minutes * 60_000;
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe('the first view of a recording', () => {
  const opening = (startAt?: string) => ({
    id: 'r1',
    fleet: 'default',
    request: recordingRequestSchema.parse({ source: room, ...(startAt === undefined ? {} : { startAt }) }),
    requestedAtMs: Date.UTC(2030, 0, 1),
  });

  it('is scheduled until startAt, and the time to find capacity counts from there', () => {
    const view = openRecording(opening('2030-01-01T10:00:00+01:00'));
    expect(view).toMatchObject({ stage: 'scheduled', startDeadlineMs: Date.UTC(2030, 0, 1, 9, 15) });
  });

  it('starts now when startAt is past', () => {
    expect(openRecording(opening('2029-12-31T00:00:00Z')).stage).toBe('starting');
    expect(dueAtMs(opening('2029-12-31T00:00:00Z'))).toBe(Date.UTC(2030, 0, 1));
  });
});
