// The marker of a start survives its way through LiveKit, in a webhook's URL or in a path.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { markerOfPath, markerOfUrl, markerUrl, markPath } from '../../../src/livekit/marker.ts';
import { DEFAULT_PATH_TEMPLATE, renderPath } from '../../../src/recording/path-template.ts';

const marker = fc.record({
  recordingId: fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,63}$/),
  part: fc.integer({ min: 1, max: 999_999 }),
  attempt: fc.integer({ min: 1, max: 999_999 }),
});

describe('a marker in a webhook URL', () => {
  it('comes back, from the whole URL and from the path that the request has', () => {
    fc.assert(
      fc.property(
        marker,
        fc.constantFrom('http://h', 'http://h/', 'https://h:8443/base', 'https://h/base/'),
        (sent, base) => {
          const url = markerUrl(base, sent);
          expect(markerOfUrl(url)).toEqual(sent);
          const { pathname, search } = new URL(url);
          expect(markerOfUrl(pathname + search)).toEqual(sent);
        },
      ),
    );
  });

  it('keeps what the public URL carries itself', () => {
    expect(markerUrl('https://h/in?tenant=7', { recordingId: 'r1', part: 1, attempt: 2 })).toBe(
      'https://h/in/webhooks/livekit?tenant=7&recording=r1&part=1&attempt=2',
    );
  });

  it.each([
    ['https://h/webhooks/livekit'],
    ['https://h/webhooks/livekit?recording=r1'],
    ['https://h/webhooks/livekit?recording=r1&part=1&attempt=0'],
    ['https://h/webhooks/livekit?recording=r1&part=1e3&attempt=1'],
    ['https://h/webhooks/livekit?recording=r1&part=%201&attempt=1'],
    ['https://h/webhooks/livekit?recording=r1&part=-1&attempt=1'],
    ['https://h/webhooks/livekit?recording=../r1&part=1&attempt=1'],
    ['https://h/webhooks/other?recording=r1&part=1&attempt=1'],
    ['http://['],
    [''],
  ])('is not seen in %j', (url) => {
    expect(markerOfUrl(url)).toBeUndefined();
  });
});

describe('a marker in a path', () => {
  it('comes back, whatever the room is called and whether or not there is an extension', () => {
    fc.assert(
      fc.property(
        marker,
        fc.string({ minLength: 1 }),
        fc.constantFrom(DEFAULT_PATH_TEMPLATE, 'talks/{room}.mp4', '{room}', 'a~b~1~2.mp4'),
        (sent, room, template) => {
          const path = renderPath(template, { ...sent, recording: sent.recordingId, room, atMs: 0 });
          expect(markerOfPath(markPath(path, sent))).toEqual(sent);
        },
      ),
    );
  });

  it('stands before the extension', () => {
    expect(markPath('a/talk.mp4', { recordingId: 'r1', part: 2, attempt: 3 })).toBe('a/talk~r1~2~3.mp4');
  });

  it.each(['talk.mp4', 'talk~r1~1.mp4', 'talk~r1~0~1.mp4', '~~1~1', 'talk~r1~1~1/other.mp4'])(
    'is not seen in %s',
    (path) => {
      expect(markerOfPath(path)).toBeUndefined();
    },
  );
});
