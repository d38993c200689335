// LiveKit's record of a recording: one egress to LiveKit, whatever happened to the workers that ran it.
import { EgressInfo, EgressSourceType, EgressStatus, StreamInfo_Status } from '@livekit/protocol';
import { describe, expect, it } from 'vitest';
import { acceptedInfo, infoOf, reportOf } from '../../../src/livekit/record.ts';
import type { StartMessage } from '../../../src/livekit/request/index.ts';
import { EGRESS_STATUSES } from '../../../src/recording/egress.ts';
import type { RecordFacts } from '../../../src/recording/record-state.ts';
import { start } from './request/requests.ts';

const T0_MS = Date.UTC(2030, 0, 1);
const ns = (seconds: number) => BigInt(T0_MS + seconds * 1_000) * 1_000_000n;
const FILE = start('roomComposite', { roomName: 'demo', fileOutputs: [{ filepath: 'a.mp4' }] });
const SEGMENTS = start('roomComposite', {
  roomName: 'demo',
  segmentOutputs: [{ filenamePrefix: 's', playlistName: 's.m3u8' }],
});
const STREAM = start('roomComposite', { roomName: 'demo', streamOutputs: [{ urls: ['rtmp://h/app/streamkey'] }] });

/** What the worker of an attempt reported last, as the workflow keeps it. */
function report(attempt: number, more: ConstructorParameters<typeof EgressInfo>[0]): string {
  const egressId = attempt === 0 ? 'EG_abcdefghijkl' : `EG_abcdefghijkl_${attempt}`;
  const info = new EgressInfo({
    egressId,
    retryCount: attempt,
    status: EgressStatus.EGRESS_ACTIVE,
    updatedAt: ns(10),
    ...more,
  });
  return reportOf(EgressInfo.fromBinary(info.toBinary())).info ?? '';
}

function record(message: StartMessage, more: Partial<RecordFacts> = {}): EgressInfo {
  const info = infoOf({
    recordingId: message.egressId,
    wire: Buffer.from(message.toBinary()).toString('base64'),
    acceptedAtMs: T0_MS,
    state: { status: 'ACTIVE' },
    reports: [],
    retries: 0,
    unlisted: false,
    told: 'STARTING',
    ...more,
  });
  return EgressInfo.fromBinary(info.toBinary());
}

describe('the first answer', () => {
  it('is what a worker answers', () => {
    expect(acceptedInfo(FILE, T0_MS).toJson({ useProtoFieldName: true })).toEqual({
      egress_id: 'EG_abcdefghijkl',
      room_id: 'RM_1',
      room_name: 'demo',
      started_at: String(ns(0)),
      updated_at: String(ns(0)),
      room_composite: { room_name: 'demo', file_outputs: [{ filepath: 'a.mp4' }] },
      file_results: [{ filename: 'a.mp4' }],
      file: { filename: 'a.mp4' },
    });
  });

  it.each([
    ['a room', start('roomComposite', {}), 'WEB'],
    ['the sound of a room', start('roomComposite', { audioOnly: true }), 'SDK'],
    ['the sound of a layout', start('roomComposite', { audioOnly: true, layout: 'grid' }), 'WEB'],
    ['a page', start('web', {}), 'WEB'],
    ['a participant', start('participant', {}), 'SDK'],
    ['two tracks', start('trackComposite', {}), 'SDK'],
    ['a track', start('track', {}), 'SDK'],
    ['v2 of a room', start('egress', { source: { case: 'template', value: {} } }), 'WEB'],
    ['v2 of its sound', start('egress', { source: { case: 'template', value: { audioOnly: true } } }), 'SDK'],
    ['v2 of a page', start('egress', { source: { case: 'web', value: {} } }), 'WEB'],
    ['v2 of media', start('egress', { source: { case: 'media', value: {} } }), 'SDK'],
  ] as const)('says how %s is drawn', (_, message, source) => {
    expect(acceptedInfo(message, 0).sourceType).toBe(EgressSourceType[source]);
  });

  it('names the room of each generation of requests', () => {
    expect(acceptedInfo(start('egress', { roomName: 'a' }, { roomName: 'b' }), 0).roomName).toBe('a');
    expect(acceptedInfo(start('web', {}, { roomName: 'b' }), 0).roomName).toBe('b');
  });

  it.each([
    ['file', FILE],
    ['segments', SEGMENTS],
    ['stream', STREAM],
    [undefined, start('roomComposite', { imageOutputs: [{}] })],
    [undefined, start('roomComposite', { fileOutputs: [{}], imageOutputs: [{}] })],
  ])('has the deprecated single result %s where there is one kind of output', (kind, message) => {
    expect(acceptedInfo(message, 0).result.case).toBe(kind);
  });

  it('shows streams without keys, as the worker will send them; RTMP begins when it publishes', () => {
    const urls = ['rtmp://h/app/streamkey', 'mux://streamkey', 'twitch://streamkey'];
    const { streamResults } = acceptedInfo(start('web', { streamOutputs: [{ urls }] }), T0_MS);
    expect(streamResults.map(({ url, startedAt }) => [url, startedAt])).toEqual([
      ['rtmp://h/app/{str...key}', 0n],
      ['rtmps://global-live.mux.com:443/app/{str...key}', 0n],
      ['twitch://{str...key}', 0n],
    ]);
    const track = start('track', { trackId: 'T', output: { case: 'websocketUrl', value: 'wss://h/?k=v' } });
    expect(acceptedInfo(track, T0_MS).streamResults).toMatchObject([{ url: 'wss://h/?k={...}', startedAt: ns(0) }]);
  });

  it('names no file of a track that is copied: its codec will tell', () => {
    const track = start('track', { trackId: 'T', output: { case: 'file', value: { filepath: 'a.mp4' } } });
    expect(acceptedInfo(track, 0).fileResults).toMatchObject([{ filename: '' }]);
  });
});

describe('the record', () => {
  it.each(EGRESS_STATUSES)('has the status of the recording, not of a worker: %s', (status) => {
    const reports = [
      report(0, { status: EgressStatus.EGRESS_FAILED, endedAt: ns(5) }),
      report(1, { status: EgressStatus.EGRESS_STARTING }),
    ];
    expect(record(FILE, { state: { status }, reports, retries: 1 })).toMatchObject({
      egressId: 'EG_abcdefghijkl',
      status: EGRESS_STATUSES.indexOf(status),
      retryCount: 1,
      startedAt: ns(0),
      error: '',
    });
  });

  it('has the error of the recording, with its code', () => {
    const state = { status: 'FAILED', error: 'no capacity', errorCode: 503, details: 'End reason: Failure' } as const;
    const { error, errorCode, details } = record(FILE, { state });
    expect([error, errorCode, details]).toEqual(['no capacity', 503, 'End reason: Failure']);
  });

  it('learns the sid of its room from the first worker that is asked', () => {
    expect(record(FILE, { roomId: 'RM_2' }).roomId).toBe('RM_2');
    expect(record(FILE).roomId).toBe('RM_1');
  });

  it('shows the request without what Reelkit made of it', () => {
    const { request } = record(FILE, { retries: 2, reports: [report(2, {})] });
    expect(request).toMatchObject({ case: 'roomComposite', value: { fileOutputs: [{ filepath: 'a.mp4' }] } });
  });

  it('has files of earlier parts that are stored, and those of the last as they are', () => {
    const stored = { filename: 'a.mp4', location: 's3://a.mp4', size: 5n };
    const lost = { filename: 'a-1.mp4' };
    const open = { filename: 'a-2.mp4' };
    const reports = [
      report(0, { fileResults: [stored] }),
      report(1, { fileResults: [lost] }),
      report(2, { fileResults: [open] }),
    ];
    const info = record(FILE, { reports, retries: 2 });
    expect(info.fileResults.map(({ filename }) => filename)).toEqual(['a.mp4', 'a-2.mp4']);
    expect(info.result).toMatchObject({ case: 'file', value: { filename: 'a.mp4', size: 5n } });
  });

  it('has the file of a worker that knows only the deprecated result', () => {
    const old = { result: { case: 'file' as const, value: { filename: 'a.mp4', location: '/a.mp4' } } };
    expect(record(FILE, { reports: [report(0, old as object)] }).fileResults).toMatchObject([{ location: '/a.mp4' }]);
  });

  it('names the file that was asked for until a report does', () => {
    expect(record(FILE, { reports: [report(0, {})] }).fileResults).toMatchObject([{ filename: 'a.mp4' }]);
  });

  it('has the segments and images of every part: they were uploaded as they came', () => {
    const part = (n: number) => ({
      segmentResults: [{ playlistName: `s-${n}.m3u8` }],
      imageResults: [{ filenamePrefix: `i-${n}` }],
    });
    const info = record(SEGMENTS, { reports: [report(0, part(0)), report(1, part(1))], retries: 1 });
    expect(info.segmentResults.map(({ playlistName }) => playlistName)).toEqual(['s-0.m3u8', 's-1.m3u8']);
    expect(info.imageResults.map(({ filenamePrefix }) => filenamePrefix)).toEqual(['i-0', 'i-1']);
    expect(info.result.case).toBeUndefined();
  });

  it('says that a stream failed with its worker, and that the next one carries it', () => {
    const streams = {
      streamResults: [{ url: 'rtmp://h/app/{str...key}', status: StreamInfo_Status.ACTIVE, startedAt: ns(2) }],
    };
    const reports = [report(0, { ...streams, updatedAt: ns(9) }), report(1, streams)];
    const { streamResults } = record(STREAM, { reports, retries: 1 });
    expect(streamResults).toMatchObject([
      { url: 'rtmp://h/app/{str...key}', status: StreamInfo_Status.FAILED, endedAt: ns(9), duration: 7_000_000_000n },
      { url: 'rtmp://h/app/{str...key}', status: StreamInfo_Status.ACTIVE, endedAt: 0n },
    ]);
  });

  it.each([
    ['COMPLETE', 'FINISHED'],
    ['LIMIT_REACHED', 'FINISHED'],
    ['FAILED', 'FAILED'],
    ['ABORTED', 'FAILED'],
  ] as const)('that is %s streams nothing: %s', (status, expected) => {
    const { streamResults, result } = record(STREAM, { state: { status }, endedAtMs: T0_MS + 30_000 });
    const stream = { status: StreamInfo_Status[expected], endedAt: ns(30) };
    expect(streamResults).toMatchObject([stream]);
    expect(result).toMatchObject({ case: 'stream', value: { info: [stream] } });
  });

  it('ends when its last worker said so', () => {
    const reports = [report(0, { endedAt: ns(20), updatedAt: ns(20) })];
    const ended = { state: { status: 'COMPLETE' }, reports, endedAtMs: T0_MS + 21_000 } as const;
    expect(record(FILE, ended)).toMatchObject({ endedAt: ns(20), updatedAt: ns(20) });
    expect(record(FILE, { ...ended, state: { status: 'ACTIVE' } }).endedAt).toBe(0n);
  });

  it('ends later when it waited for another worker, or never had one', () => {
    const reports = [report(0, { endedAt: ns(20) })];
    const ended = { state: { status: 'FAILED' }, endedAtMs: T0_MS + 900_000 } as const;
    for (const heard of [reports, []])
      expect(record(FILE, { ...ended, reports: heard })).toMatchObject({ endedAt: ns(900), updatedAt: ns(900) });
  });

  it('names the first manifest, and backup storage once it was used', () => {
    const reports = [
      report(0, { manifestLocation: 'm0', backupStorageUsed: true }),
      report(1, { manifestLocation: 'm1' }),
    ];
    expect(record(FILE, { reports })).toMatchObject({ manifestLocation: 'm0', backupStorageUsed: true });
  });
});

it('the record passes over what is no EgressInfo', () => {
  const whole = report(0, {
    status: EgressStatus.EGRESS_ACTIVE,
    fileResults: [{ filename: 'a.mp4', location: 'a.mp4' }],
  });
  const reports = ['of no worker', Buffer.from([0xff, 0xff]).toString('base64'), whole];
  expect(record(FILE, { reports }).fileResults).toMatchObject([{ location: 'a.mp4' }]);
});

describe('a report', () => {
  it('is kept small and plain', () => {
    const info = new EgressInfo({
      egressId: 'EG_abcdefghijkl',
      roomName: 'demo',
      status: EgressStatus.EGRESS_COMPLETE,
      startedAt: ns(0),
      updatedAt: ns(30),
      endedAt: ns(30),
      details: 'End reason: Source closed',
      fileResults: [{ filename: 'a.mp4', location: '/a.mp4', size: 7n, duration: 28_000_000_000n, startedAt: ns(2) }],
      request: FILE.request as EgressInfo['request'],
    });
    expect(reportOf(info)).toEqual({
      egressId: 'EG_abcdefghijkl',
      status: 'COMPLETE',
      room: 'demo',
      acceptedAtMs: T0_MS,
      startedAtMs: T0_MS + 2_000,
      updatedAtMs: T0_MS + 30_000,
      endedAtMs: T0_MS + 30_000,
      details: 'End reason: Source closed',
      files: [{ filename: 'a.mp4', location: '/a.mp4', sizeBytes: 7, durationMs: 28_000 }],
      info: expect.any(String),
    });
    expect(EgressInfo.fromBinary(Buffer.from(reportOf(info).info ?? '', 'base64')).request.case).toBeUndefined();
  });

  it('of a worker with too much to say is kept without its lists', () => {
    const segmentResults = Array.from({ length: 2_000 }, (_, n) => ({ playlistName: `${'x'.repeat(50)}${n}` }));
    const kept = reportOf(
      new EgressInfo({ egressId: 'EG_abcdefghijkl', status: EgressStatus.EGRESS_ENDING, segmentResults }),
    );
    expect(kept.info?.length).toBeLessThan(100);
    expect(kept.status).toBe('ENDING');
  });

  it('with a status newer than Reelkit is one of a start', () => {
    expect(reportOf(new EgressInfo({ status: 99 as EgressStatus })).status).toBe('STARTING');
  });

  it.each([
    [{ fileResults: [{}] }, undefined],
    [{ fileResults: [{}], backupStorageUsed: true }, 'all'],
    [{ fileResults: [{}], segmentResults: [{}], backupStorageUsed: true }, 'some'],
    [{ fileResults: [{}], imageResults: [{}], backupStorageUsed: true }, 'some'],
  ] as const)('of %j says what was put into backup storage: %s', (results, backup) => {
    expect(reportOf(EgressInfo.fromJson(new EgressInfo(results as object).toJson())).backup).toBe(backup);
  });

  it('names the manifest of the worker, where it wrote one', () => {
    const manifestLocation = 'https://b/EG_x.json';
    expect(reportOf(new EgressInfo({ manifestLocation })).manifestLocation).toBe(manifestLocation);
    expect(reportOf(new EgressInfo())).not.toHaveProperty('manifestLocation');
  });
});
