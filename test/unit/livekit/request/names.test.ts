// File names: what the first answer says is what the first attempt writes, and no two attempts write one file.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptedInfo } from '../../../../src/livekit/record.ts';
import { forAttempt, renderNames, type StartMessage } from '../../../../src/livekit/request/index.ts';
import { allOutputs } from '../../../../src/livekit/request/outputs.ts';
import { parts, requestOf, start } from './requests.ts';

const AT_MS = Date.UTC(2030, 0, 31, 9, 5, 7, 89);
const named = (message: StartMessage) => renderNames(message, { atMs: AT_MS });
const attempt = (message: StartMessage, number: number) =>
  forAttempt(message, { egressId: `EG_${number}`, attempt: number, token: '' });
const fileOf = (message: StartMessage) => allOutputs(named(message).request).files[0]?.filepath;
const room = (file: object, more: object = {}) =>
  start('roomComposite', { roomName: 'demo', fileOutputs: [file], ...more });

function allNames(message: StartMessage): string[] {
  const { files, segments, images } = allOutputs(message.request);
  return [
    ...files.map(({ filepath }) => filepath),
    ...segments.flatMap(({ filenamePrefix, playlistName, livePlaylistName }) => [
      filenamePrefix,
      playlistName,
      livePlaylistName,
    ]),
    ...images.map(({ filenamePrefix }) => filenamePrefix),
  ].filter((name) => name !== '');
}

describe('the name of a file', () => {
  const MP3 = { options: { case: 'advanced', value: { audioCodec: 3 } } };
  const AAC = { options: { case: 'advanced', value: { audioCodec: 2 } } };
  it.each([
    ['', {}, 'demo-2030-01-31T090507.mp4'],
    ['out/', {}, 'out/demo-2030-01-31T090507.mp4'],
    ['/', {}, '/demo-2030-01-31T090507.mp4'],
    ['a', {}, 'a.mp4'],
    ['a.mp4', {}, 'a.mp4'],
    ['a.ogg', {}, 'a.mp4'],
    ['a.b', {}, 'a.b.mp4'],
    ['v1.mp4/a', {}, 'v1.mp4/a.mp4'],
    ['a.mp4', { audioOnly: true }, 'a.ogg'],
    ['a', { audioOnly: true, ...AAC }, 'a.mp4'],
    ['a', { audioOnly: true, ...MP3 }, 'a.mp3'],
    ['a', { videoOnly: true }, 'a.mp4'],
    ['a', { audioOnly: true, streamOutputs: [{ urls: ['rtmp://h/app/key'] }] }, 'a.mp4'],
    ['/abs/a.mp4', {}, '/abs/a.mp4'],
    ['../../a.mp4', {}, 'a.mp4'],
    ['a/../../b.mp4', {}, 'b.mp4'],
    ['./a//b.mp4', {}, 'a/b.mp4'],
    ['..', {}, 'demo-2030-01-31T090507.mp4'],
    ['{room_name}/{room_id}-{time}', {}, 'demo/RM_1-2030-01-31T090507.mp4'],
    ['{utc}', {}, '20300131090507089.mp4'],
    ['{publisher_identity}.mp4', {}, '{publisher_identity}.mp4'],
  ])('%j with %j becomes %s', (filepath, more, name) => {
    expect(fileOf(room({ filepath }, more))).toBe(name);
  });

  it.each([
    [
      'MP3, asked for by its type',
      start('web', { url: 'https://x', audioOnly: true, fileOutputs: [{ fileType: 3 }] }),
      'web-2030-01-31T090507.mp3',
    ],
    [
      'a page of a room',
      start('web', { url: 'https://x', fileOutputs: [{}] }, { roomName: 'demo' }),
      'demo-2030-01-31T090507.mp4',
    ],
    [
      'placeholders of a room that is none',
      start('web', { url: 'https://x', fileOutputs: [{ filepath: '{room_name}' }] }),
      '{room_name}.mp4',
    ],
    [
      'a room called "../x"',
      start('roomComposite', { roomName: '../x', fileOutputs: [{ filepath: '{room_name}' }] }),
      'x.mp4',
    ],
    [
      'a room called "{time}"',
      start('roomComposite', { roomName: '{time}', fileOutputs: [{ filepath: '{room_name}' }] }),
      '{time}.mp4',
    ],
    [
      'the deprecated field',
      start('roomComposite', { roomName: 'demo', output: { case: 'file', value: {} } }),
      'demo-2030-01-31T090507.mp4',
    ],
    [
      'a track, whose codec decides',
      start('track', { trackId: 'TR_a', output: { case: 'file', value: {} } }),
      'TR_a-2030-01-31T090507',
    ],
    ['a type newer than Reelkit', room({ filepath: '', fileType: 99 }), ''],
  ])('of %s', (_, message, name) => {
    expect(fileOf(message)).toBe(name);
  });
});

describe('the names of an HLS output', () => {
  it.each([
    ['', '', '', 'demo-2030-01-31T090507', 'demo-2030-01-31T090507.m3u8', ''],
    ['a', '', '', 'a', 'a.m3u8', ''],
    ['', 'l', '', 'l', 'l.m3u8', ''],
    ['x/', '', '', 'x/demo-2030-01-31T090507', 'x/demo-2030-01-31T090507.m3u8', ''],
    ['x/a', 'l', 'live', 'x/a', 'x/l.m3u8', 'x/live.m3u8'],
    ['seg/a', 'x/l.m3u8', 'x/live', 'seg/a', 'x/l.m3u8', 'x/live.m3u8'],
    ['a', 'x/l.txt', 'live', 'x/a', 'x/l.m3u8', 'x/live.m3u8'],
  ])('%j, %j, %j', (filenamePrefix, playlistName, livePlaylistName, ...names) => {
    const message = start('roomComposite', {
      roomName: 'demo',
      segmentOutputs: [{ filenamePrefix, playlistName, livePlaylistName }],
    });
    const [output] = allOutputs(named(message).request).segments;
    expect([output?.filenamePrefix, output?.playlistName, output?.livePlaylistName]).toEqual(names);
  });
});

describe('an attempt', () => {
  it.each([
    ['a.mp4', 'a.mp4', 'a-{retry}.mp4'],
    ['x/{retry}/a.mp4', 'x/0/a.mp4', 'x/{retry}/a.mp4'],
    ['', 'demo-2030-01-31T090507.mp4', 'demo-2030-01-31T090507-{retry}.mp4'],
    ['a.v2', 'a.v2.mp4', 'a.v2-{retry}.mp4'],
  ])('of %j writes %s, later ones %s', (filepath, first, later) => {
    const message = named(room({ filepath }));
    expect(allNames(attempt(message, 0))).toEqual([first]);
    expect(allNames(attempt(message, 3))).toEqual([later]);
  });

  it('tells the worker its number and its own id, and brings a token when it has one', () => {
    const message = room({}, {});
    expect(attempt(message, 2)).toMatchObject({ egressId: 'EG_2', retryCount: 2, token: '' });
    expect(forAttempt(message, { egressId: 'EG_x', attempt: 0, token: 'jwt' }).token).toBe('jwt');
    expect(message).toMatchObject({ egressId: 'EG_abcdefghijkl', retryCount: 0 });
  });

  it('shares no name with another one, whatever the request says', () => {
    fc.assert(
      fc.property(parts, fc.nat(50), fc.nat(50), (request, one, other) => {
        fc.pre(one !== other);
        const message = named(requestOf(request));
        const asWritten = (number: number) =>
          allNames(attempt(message, number)).map((name) => name.replaceAll('{retry}', `${number}`));
        const first = asWritten(one);
        expect(asWritten(other).filter((name) => first.includes(name))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('is named as the worker insists: with {retry} in every name, or none at all', () => {
    fc.assert(
      fc.property(parts, fc.integer({ min: 1, max: 50 }), (request, number) => {
        for (const name of allNames(attempt(named(requestOf(request)), number))) expect(name).toContain('{retry}');
      }),
    );
  });
});

describe('names that are settled', () => {
  it('stay as they are: a worker that reads them again finds nothing to change', () => {
    fc.assert(
      fc.property(parts, fc.nat(), (request, laterMs) => {
        const once = named(requestOf(request));
        const again = renderNames(once, { atMs: AT_MS + laterMs });
        expect(allNames(again)).toEqual(allNames(once));
      }),
      { numRuns: 500 },
    );
  });

  it('are in the first answer to LiveKit', () => {
    const { fileResults, segmentResults, imageResults } = acceptedInfo(
      named(
        start('roomComposite', {
          roomName: 'demo',
          fileOutputs: [{}],
          segmentOutputs: [{ filenamePrefix: 'h/s-{retry}' }],
          imageOutputs: [{ filenamePrefix: 'i/' }],
        }),
      ),
      AT_MS,
    );
    expect(fileResults[0]?.filename).toBe('demo-2030-01-31T090507.mp4');
    expect(segmentResults[0]?.playlistName).toBe('h/s-0.m3u8');
    expect(imageResults[0]?.filenamePrefix).toBe('i/demo-2030-01-31T090507');
  });
});
