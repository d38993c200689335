// UpdateStream before a worker has the request: the worker's answers, all of the change or nothing.
import { describe, expect, it } from 'vitest';
import { type StartMessage, streamUrlsChanged } from '../../../../src/livekit/request/index.ts';
import { effectiveOutputs } from '../../../../src/livekit/request/outputs.ts';
import { start } from './requests.ts';

const A = 'rtmp://h/app/streamkey';
const B = 'rtmps://h/app/otherkey1';
const streaming = (urls: string[], more: object = {}) =>
  start('roomComposite', { roomName: 'r', streamOutputs: [{ urls }], ...more });
const urlsOf = (message: StartMessage) => effectiveOutputs(message.request).streams[0]?.urls;

describe('a change of streams', () => {
  it.each([
    [[B], [], [A, B]],
    [[A], [], [A]],
    [[B], [A], [B]],
    [['mux://k'], ['rtmps://global-live.mux.com:443/app/k'], [A]],
    [['twitch://k', 'rtmp://fra.contribute.live-video.net/app/k'], [], [A, 'twitch://k']],
    [[], [], [A]],
  ])('that adds %j and removes %j leaves %j', (add, remove, urls) => {
    const message = streaming([A]);
    const result = streamUrlsChanged(message, add, remove);
    expect(result).toMatchObject({ kind: 'changed', isEmpty: false });
    expect(result.kind === 'changed' && urlsOf(result.message)).toEqual(urls);
    expect(urlsOf(message)).toEqual([A]);
  });

  it('says when it leaves no output at all', () => {
    expect(streamUrlsChanged(streaming([A]), [], [A])).toMatchObject({ isEmpty: true });
    expect(streamUrlsChanged(streaming([A], { fileOutputs: [{}] }), [], [A])).toMatchObject({ isEmpty: false });
  });

  it('reaches the deprecated output, and v2', () => {
    const old = start('web', { output: { case: 'stream', value: { urls: [A] } } });
    const v2 = start('egress', { outputs: [{ config: { case: 'stream', value: { urls: [A] } } }] });
    for (const message of [old, v2]) {
      const result = streamUrlsChanged(message, [B], []);
      expect(result.kind === 'changed' && urlsOf(result.message)).toEqual([A, B]);
    }
  });

  it.each([
    [
      'a file',
      start('roomComposite', { fileOutputs: [{}] }),
      [B],
      [],
      'invalid_argument',
      'UpdateStream called on non-streaming egress',
    ],
    [
      'a WebSocket',
      start('track', { output: { case: 'websocketUrl', value: 'wss://h' } }),
      [B],
      [],
      'invalid_argument',
      'UpdateStream called on non-streaming egress',
    ],
    [
      'SRT beside RTMP',
      streaming([A]),
      ['srt://h?passphrase=hunter2'],
      [],
      'invalid_argument',
      'invalid url srt://h?passphrase={...}: invalid scheme',
    ],
    [
      'RTMP without a key',
      streaming([A]),
      ['rtmp://h'],
      [],
      'invalid_argument',
      'invalid url rtmp://h: rtmp urls must be of format rtmp(s)://{host}(/{path})/{app}/{stream_key}( live=1)',
    ],
    ['a stream that is not there', streaming([A]), [], [B], 'not_found', 'stream rtmps://h/app/{oth...ey1} not found'],
    [
      'two mistakes',
      streaming([A]),
      ['ws://h'],
      [B],
      'invalid_argument',
      'invalid url ws://h: invalid scheme\nstream rtmps://h/app/{oth...ey1} not found',
    ],
    [
      'too much',
      streaming([A]),
      [`rtmp://h/app/${'k'.repeat(300_000)}`],
      [],
      'invalid_argument',
      'with these streams the request is larger than 262144 bytes; remove some first',
    ],
  ])('is refused: %s', (_, message, add, remove, code, text) => {
    expect(streamUrlsChanged(message, add, remove)).toEqual({ kind: 'refused', code, message: text });
  });
});
