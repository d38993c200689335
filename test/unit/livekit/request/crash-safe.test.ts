// Which requests have segments beside their file, where those lie, and who may know.
import { AudioCodec, EncodingOptionsPreset } from '@livekit/protocol';
import { describe, expect, it } from 'vitest';
import { forAttempt } from '../../../../src/livekit/request/attempt.ts';
import { keepFolderFor, refusalOf, withSegments } from '../../../../src/livekit/request/index.ts';
import { start, UPLOADS } from './requests.ts';

const s3 = { output: { case: 's3', value: { bucket: 'b', accessKey: 'AK', secret: 'S' } } };
const file = (filepath = 'lessons/a.mp4', more: object = s3) => ({ fileOutputs: [{ filepath, ...more }] });
const room = (more: object = file()) => start('roomComposite', { roomName: 'r', ...more });
const FOLDER = `lessons/.reelkit/${room().egressId}/`;
const folderOf = (message: ReturnType<typeof room>) => keepFolderFor(message, [], {});

describe('segments beside a file', () => {
  it('lie in a hidden folder next to it', () => {
    expect(folderOf(room())).toBe(FOLDER);
    expect(folderOf(room(file('a.mp4')))).toBe(FOLDER.replace('lessons/', ''));
    expect(folderOf(room(file('lessons/')))).toBe(FOLDER);
    expect(folderOf(room(file('lessons/{track_id}/a')))).toBe(FOLDER);
  });

  it.each([
    ['a participant', start('participant', { roomName: 'r', identity: 'a', ...file() })],
    ['a web page', start('web', { url: 'http://x', ...file() })],
    ['two tracks', start('trackComposite', { roomName: 'r', audioTrackId: 'a', videoTrackId: 'v', ...file() })],
    ['the single output of old SDKs', room({ output: { case: 'file', value: { filepath: 'lessons/a.mp4', ...s3 } } })],
    [
      'a template',
      start('egress', {
        roomName: 'r',
        source: { case: 'template', value: {} },
        outputs: [
          {
            config: { case: 'file', value: { filepath: 'lessons/a.mp4' } },
            storage: { provider: { case: 's3', value: { bucket: 'b', accessKey: 'AK', secret: 'S' } } },
          },
        ],
      }),
    ],
  ])('are written of %s, and no worker would refuse that', (_, message) => {
    const folder = folderOf(message) ?? '';
    expect(folder).toBe(`lessons/.reelkit/${message.egressId}/`);
    for (const attempt of [0, 2]) {
      const asked = forAttempt(withSegments(message, folder), { egressId: `EG_${attempt}`, attempt, token: '' });
      expect(refusalOf(asked)).toBeUndefined();
      expect(JSON.stringify(asked.toJson())).toContain(
        attempt === 0 ? `${folder}0/segment` : `${folder}{retry}/segment`,
      );
      // The same storage: the same keys twice.
      expect(JSON.stringify(asked.toJson()).split('"AK"')).toHaveLength(3);
    }
  });

  it.each([
    ['sound alone, which becomes OGG', room({ ...file('a'), audioOnly: true })],
    ['a copied track', start('track', { roomName: 'r', trackId: 'TR_a', output: { case: 'file', value: s3 } })],
    ['segments of its own', room({ ...file(), segmentOutputs: [{ filenamePrefix: 'a', playlistName: 'a.m3u8' }] })],
    ['no file', room({ streamOutputs: [{ protocol: 1, urls: ['rtmp://x/app/key'] }] })],
    ['Opus in MP4', room({ ...file(), options: { case: 'advanced', value: { audioCodec: AudioCodec.OPUS } } })],
    [
      'media as it comes',
      start('egress', {
        roomName: 'r',
        source: { case: 'media', value: { video: { case: 'videoTrackId', value: 'TR_v' } } },
        encoding: { case: 'preset', value: EncodingOptionsPreset.PASSTHROUGH },
        outputs: [{ config: { case: 'file', value: {} }, storage: UPLOADS.s3 }],
      }),
    ],
  ])('are not written of %s', (_, message) => {
    expect(folderOf(message)).toBeUndefined();
  });

  it.each([
    ["without keys, which is the worker's own", {}],
    ['with a role of the worker', { output: { case: 's3', value: { bucket: 'b', assumeRoleArn: 'arn' } } }],
    ['at Alibaba', { output: { case: 'aliOSS', value: { bucket: 'b', accessKey: 'AK', secret: 'S' } } }],
  ])('are not written to a storage %s: nobody could remove them', (_, output) => {
    expect(folderOf(room(file('lessons/a.mp4', output)))).toBeUndefined();
  });

  it('go to a disk that Reelkit sees, and to no other', () => {
    const local = room(file('/out/a.mp4', {}));
    const on = (shared: boolean) => keepFolderFor(local, ['disk'], { disk: { type: 'local', path: '/out', shared } });
    expect(on(true)).toBe(`/out/.reelkit/${local.egressId}/`);
    expect(on(false)).toBeUndefined();
  });
});
