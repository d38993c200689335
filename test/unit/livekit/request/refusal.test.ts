// What every worker would refuse is refused at once, in the worker's words; what only a worker can judge is left to it.
import { EncodingOptionsPreset } from '@livekit/protocol';
import { describe, expect, it } from 'vitest';
import { refusalOf } from '../../../../src/livekit/request/index.ts';
import { start } from './requests.ts';

const field = (name: string) => `request has missing or invalid field: ${name}`;
const RTMP_FORM = 'rtmp urls must be of format rtmp(s)://{host}(/{path})/{app}/{stream_key}( live=1)';
const file = { fileOutputs: [{ filepath: 'a.mp4' }] };
const rtmp = (...urls: string[]) => ({ protocol: 1, urls });
const room = (more: object) => start('roomComposite', { roomName: 'r', ...more });
const v2 = (more: object) => start('egress', { roomName: 'r', source: TEMPLATE, ...more });
const out = (kind: string, value: object = {}) => ({ config: { case: kind, value } });
const advanced = (value: object) => ({ options: { case: 'advanced', value } });
const TEMPLATE = { case: 'template', value: {} };
const copied = (media: object, outputs: object[] = [out('file')]) =>
  v2({
    source: { case: 'media', value: media },
    encoding: { case: 'preset', value: EncodingOptionsPreset.PASSTHROUGH },
    outputs,
  });
const video = { video: { case: 'videoTrackId', value: 'TR_v' } };
const route = (match: object) => ({ audio: { routes: [{ match }] } });

describe('a request that every worker would refuse', () => {
  it.each([
    // sources
    ['a participant of no room', start('participant', { identity: 'a', ...file }), field('token or api key/secret')],
    ['no request at all', start(undefined), field('request')],
    ['a web page without http', start('web', { url: 'ftp://x', ...file }), field('web url')],
    ['a template without http', room({ customBaseUrl: 'x', ...file }), field('template base url')],
    [
      'neither sound nor picture',
      room({ audioOnly: true, videoOnly: true, ...file }),
      field('audio_only and video_only'),
    ],
    ['nobody', start('participant', { roomName: 'r', ...file }), field('identity')],
    ['no tracks', start('trackComposite', { roomName: 'r', ...file }), field('audio_track_id or video_track_id')],
    ['no track', start('track', { roomName: 'r' }), field('track_id')],
    ['a track that goes nowhere', start('track', { trackId: 'TR_a' }), field('output')],
    ['v2 without a source', v2({ source: { case: undefined }, outputs: [out('file')] }), field('source')],
    ['media of nothing', v2({ source: { case: 'media', value: {} }, outputs: [out('file')] }), field('audio or video')],
    // encoding
    ['a picture too narrow', room({ ...file, ...advanced({ width: 14 }) }), field('width')],
    ['an odd height', room({ ...file, ...advanced({ height: 721 }) }), field('height')],
    ['a depth of its own', room({ ...file, ...advanced({ depth: 10 }) }), field('depth')],
    ['PASSTHROUGH of a room', room({ ...file, options: { case: 'preset', value: 8 } }), field('preset')],
    // outputs
    ['nothing to write', room({}), field('output')],
    ['v2 with nothing to write', v2({}), field('output')],
    ['v2 with an output of no kind', v2({ outputs: [{}] }), field('output config')],
    ['two files', room({ fileOutputs: [{}, {}] }), field('multiple file outputs')],
    ['two lists of streams', room({ streamOutputs: [rtmp(), rtmp()] }), field('multiple stream outputs')],
    ['two HLS outputs', room({ segmentOutputs: [{}, {}] }), field('multiple segmented file outputs')],
    ['v2 with two files', v2({ outputs: [out('file'), out('file')] }), field('multiple file outputs')],
    ['images of sound', room({ audioOnly: true, imageOutputs: [{}] }), field('audio_only images')],
    [
      'v2 images of sound',
      v2({ source: { case: 'template', value: { audioOnly: true } }, outputs: [out('images')] }),
      field('audio_only images'),
    ],
    [
      'a live playlist elsewhere',
      room({ segmentOutputs: [{ playlistName: 'a/list', livePlaylistName: 'b/live' }] }),
      field('live_playlist_name must be in same directory as playlist_name'),
    ],
    [
      'one playlist for both',
      room({ segmentOutputs: [{ playlistName: 'a/list.m3u8', livePlaylistName: 'a/list' }] }),
      field('live_playlist_name cannot be identical to playlist_name'),
    ],
    // streams
    ['a stream to nowhere', room({ streamOutputs: [rtmp()] }), field('stream url')],
    ['a stream of no protocol', room({ streamOutputs: [{ urls: [] }] }), field('stream protocol')],
    [
      'an unknown protocol',
      room({ streamOutputs: [{ urls: ['ftp://h/a/key'] }] }),
      'invalid url ftp://{...}: invalid protocol',
    ],
    [
      'RTMP without a key',
      room({ streamOutputs: [rtmp('rtmp://h/app')] }),
      `invalid url rtmp://h/{a...p}: ${RTMP_FORM}`,
    ],
    [
      'words after the key',
      room({ streamOutputs: [rtmp('rtmp://h/app/key pass=secret')] }),
      `invalid url rtmp://h/app/{key...ret}: ${RTMP_FORM}`,
    ],
    [
      'SRT among RTMP',
      room({ streamOutputs: [rtmp('rtmp://h/app/stream', 'srt://h:9?passphrase=hunter2')] }),
      'invalid url srt://h:9?passphrase={...}: invalid scheme',
    ],
    [
      'RTMP said to be SRT',
      room({ streamOutputs: [{ protocol: 2, urls: ['rtmp://h/app/streamkey'] }] }),
      'invalid url rtmp://h/app/{str...key}: invalid scheme',
    ],
    [
      'a WebSocket in v1',
      room({ streamOutputs: [{ protocol: 3, urls: ['wss://h/?token=hunter2'] }] }),
      'invalid url wss://h/?token={...}: invalid scheme',
    ],
    [
      'a track to RTMP',
      start('track', { trackId: 'TR_a', output: { case: 'websocketUrl', value: 'rtmp://h/app/streamkey' } }),
      'invalid url rtmp://h/app/{str...key}: invalid scheme',
    ],
    // codecs
    ['a picture in OGG', room({ fileOutputs: [{ fileType: 2 }] }), 'no supported codec is compatible with all outputs'],
    [
      'MP3 in MP4',
      room({ fileOutputs: [{ fileType: 1 }], ...advanced({ audioCodec: 3 }) }),
      'format video/mp4 incompatible with codec audio/mpeg',
    ],
    [
      'Opus in HLS',
      room({ segmentOutputs: [{}], ...advanced({ audioCodec: 1 }) }),
      'format application/x-mpegurl incompatible with codec audio/opus',
    ],
    [
      'OGG beside RTMP',
      room({ audioOnly: true, fileOutputs: [{ fileType: 2 }], streamOutputs: [rtmp('rtmp://h/app/key')] }),
      'format audio/ogg incompatible with codec audio/aac',
    ],
    [
      'MP3 with a picture',
      room({ ...file, ...advanced({ audioCodec: 3 }) }),
      'no supported file output type is compatible with the selected codecs',
    ],
    // PASSTHROUGH
    [
      'a copy of a room',
      v2({ encoding: { case: 'preset', value: 8 }, outputs: [out('file')] }),
      field('passthrough source'),
    ],
    [
      'a copy of a participant',
      copied({ video: { case: 'participantVideo', value: { identity: 'i' } } }),
      field('passthrough participant_video'),
    ],
    ['a copy of everything heard', copied({ audio: { captureAll: true } }), field('passthrough capture_all')],
    ['a copy of two sounds', copied({ audio: { routes: [{}, {}] } }), field('passthrough audio routes')],
    [
      'a copy of a voice',
      copied(route({ case: 'participantIdentity', value: 'i' })),
      field('passthrough audio route match'),
    ],
    [
      'a copy of sound and picture',
      copied({ ...video, ...route({ case: 'trackId', value: 'TR_a' }) }),
      field('passthrough track_id'),
    ],
    ['a copy in two files', copied(video, [out('file'), out('images')]), field('passthrough outputs')],
    ['a copy as HLS', copied(video, [out('segments')]), field('passthrough output')],
    ['a copy as MP4', copied(video, [out('file', { fileType: 1 })]), field('passthrough file_type')],
  ])('%s', (_, message, text) => {
    expect(refusalOf(message)).toEqual({ code: 'invalid_argument', message: text });
  });

  it('is one that no history could carry', () => {
    const message = room({ fileOutputs: [{ filepath: 'a'.repeat(300_000) }] });
    expect(refusalOf(message)?.message).toMatch(/^the request has 3000\d\d bytes, 262144 at most; /);
  });
});
