// LiveKit's requests in Reelkit's own words: what the view shows, what the fleet reckons with.
import { describe, expect, it } from 'vitest';
import { costOf } from '../../../../src/fleet/cost.ts';
import { liftRequest, type StartMessage, sourceOf } from '../../../../src/livekit/request/index.ts';
import { start } from './requests.ts';

const template = (value: object) => ({ source: { case: 'template', value } });
const media = (value: object, more: object = {}) => ({ source: { case: 'media', value }, ...more });
const PASSTHROUGH = { encoding: { case: 'preset', value: 8 } };
const r = { room: 'r' };

describe('the source of a request, and its cost in cores', () => {
  it.each<[string, StartMessage, object, number]>([
    ['a room', start('roomComposite', { roomName: 'r', layout: 'grid' }), { type: 'room', ...r, layout: 'grid' }, 4],
    ['the sound of a room', start('roomComposite', { roomName: 'r', audioOnly: true }), { type: 'room', ...r }, 1],
    ['a page', start('web', { url: 'https://x' }), { type: 'web', url: 'https://x', awaitStartSignal: false }, 4],
    ['the sound of a page', start('web', { url: 'https://x', audioOnly: true }), { type: 'web' }, 1],
    [
      'a participant',
      start('participant', { roomName: 'r', identity: 'i' }),
      { type: 'participant', ...r, identity: 'i' },
      2,
    ],
    [
      'two tracks',
      start('trackComposite', { roomName: 'r', audioTrackId: 'a', videoTrackId: 'v' }),
      { type: 'tracks', ...r },
      1,
    ],
    [
      'a composite of one',
      start('trackComposite', { roomName: 'r', audioTrackId: 'a' }),
      { type: 'tracks', audioTrackId: 'a' },
      1,
    ],
    ['a track', start('track', { roomName: 'r', trackId: 't' }), { type: 'track', ...r, trackId: 't' }, 0.5],
    ['v2 of a room', start('egress', { roomName: 'r', ...template({}) }), { type: 'room', ...r }, 4],
    [
      'v2 of a room, named outside',
      start('egress', template({ audioOnly: true }), { roomName: 'r' }),
      { type: 'room', ...r },
      1,
    ],
    ['v2 of a page', start('egress', { source: { case: 'web', value: { url: 'https://x' } } }), { type: 'web' }, 4],
    [
      'v2 of media',
      start('egress', { roomName: 'r', ...media({ video: { case: 'participantVideo', value: { identity: 'i' } } }) }),
      { type: 'media', ...r, identity: 'i' },
      2,
    ],
    [
      'v2 of a copied track',
      start('egress', { roomName: 'r', ...media({ video: { case: 'videoTrackId', value: 'v' } }, PASSTHROUGH) }),
      { type: 'track', ...r, trackId: 'v' },
      0.5,
    ],
    [
      'v2 of a copied sound',
      start('egress', {
        roomName: 'r',
        ...media({ audio: { routes: [{ match: { case: 'trackId', value: 'a' } }] } }, PASSTHROUGH),
      }),
      { type: 'track', trackId: 'a' },
      0.5,
    ],
    ['a replay', start('replay', template({}), { roomName: 'r' }), { type: 'room', ...r }, 4],
    ['a kind that is newer than Reelkit', start(undefined, {}, { roomName: 'r' }), { type: 'room', ...r }, 4],
  ])('of %s', (_, message, source, cores) => {
    expect(sourceOf(message)).toMatchObject(source);
    expect(costOf(sourceOf(message))).toBe(cores);
  });
});

describe('a request in the view', () => {
  it('has every output, in words of the API, and the limits of one that says nothing', () => {
    const message = start('roomComposite', {
      roomName: 'r',
      fileOutputs: [{ filepath: 'a.mp4' }],
      streamOutputs: [{ urls: ['rtmp://h/app/streamkey'] }],
      segmentOutputs: [{ filenamePrefix: 's', livePlaylistName: 'live' }],
      imageOutputs: [{ captureInterval: 5 }, {}],
    });
    expect(liftRequest(message)).toEqual({
      source: { type: 'room', room: 'r', audioOnly: false, videoOnly: false },
      outputs: [
        { type: 'file', path: 'a.mp4' },
        { type: 'stream', urls: ['rtmp://h/app/{str...key}'] },
        { type: 'segments', prefix: 's', livePlaylist: 'live' },
        { type: 'images', intervalSeconds: 5 },
        { type: 'images' },
      ],
      startWithin: 15 * 60_000,
      maxDuration: 24 * 3_600_000,
      sourceGrace: 20_000,
      priority: 3,
      labels: {},
    });
  });

  it('shows the WebSocket of a track', () => {
    const message = start('track', { output: { case: 'websocketUrl', value: 'wss://h?token=x' } });
    expect(liftRequest(message).outputs).toEqual([{ type: 'stream', urls: ['wss://h?token={...}'] }]);
  });
});
