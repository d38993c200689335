// LiveKit's EgressInfo as Reelkit keeps it.
import {
  EgressInfo,
  EgressStatus,
  EncodedFileOutput,
  FileInfo,
  FileOutput,
  Output,
  RoomCompositeEgressRequest,
  S3Upload,
  StartEgressRequest,
  TrackEgressRequest,
  WebhookConfig,
} from '@livekit/protocol';
import { describe, expect, it } from 'vitest';
import { snapshotOf } from '../../../src/livekit/snapshot.ts';
import { EGRESS_STATUSES } from '../../../src/recording/egress.ts';

const url = 'https://h/webhooks/livekit?recording=r1&part=2&attempt=3';
const marker = { recordingId: 'r1', part: 2, attempt: 3 };
const webhooks = [new WebhookConfig({ url: 'https://user/hook' }), new WebhookConfig({ url, signingKey: 'key' })];

describe('a snapshot', () => {
  it('tells apart when a worker took it and when its file began; has milliseconds, files with whole numbers, and no empty field', () => {
    const info = new EgressInfo({
      egressId: 'EG_1',
      roomName: 'demo',
      status: EgressStatus.EGRESS_COMPLETE,
      startedAt: 1_700_000_000_123_456_789n,
      endedAt: 1_700_000_060_000_000_000n,
      details: 'End reason: Source closed',
      fileResults: [
        new FileInfo({
          filename: 'a.mp4',
          startedAt: 1_700_000_004_000_000_000n,
          size: 5_000_000_000n,
          duration: 59_876_543_210n,
        }),
      ],
    });
    expect(snapshotOf(info)).toEqual({
      egressId: 'EG_1',
      status: 'COMPLETE',
      room: 'demo',
      acceptedAtMs: 1_700_000_000_123,
      startedAtMs: 1_700_000_004_000,
      endedAtMs: 1_700_000_060_000,
      details: 'End reason: Source closed',
      files: [{ filename: 'a.mp4', location: 'a.mp4', sizeBytes: 5_000_000_000, durationMs: 59_877 }],
    });
  });

  it('of an egress that has just been asked for holds next to nothing', () => {
    expect(snapshotOf(new EgressInfo({ egressId: 'EG_1' }))).toEqual({
      egressId: 'EG_1',
      status: 'STARTING',
      files: [],
    });
  });

  it('knows every status of LiveKit by its name', () => {
    for (const [name, value] of Object.entries(EgressStatus)) {
      if (typeof value === 'number') expect(`EGRESS_${EGRESS_STATUSES[value]}`).toBe(name);
    }
  });

  it('reads the one result of workers before 1.5', () => {
    const result = { case: 'file', value: new FileInfo({ filename: 'a.mp4', location: 's3://b/a.mp4' }) } as const;
    expect(snapshotOf(new EgressInfo({ result })).files).toMatchObject([{ location: 's3://b/a.mp4' }]);
  });

  it('leaves out a file that was never written', () => {
    expect(snapshotOf(new EgressInfo({ fileResults: [new FileInfo()] })).files).toEqual([]);
  });

  it.each([
    ['the first requests', { case: 'roomComposite', value: new RoomCompositeEgressRequest({ webhooks }) }],
    ['the second kind of requests', { case: 'egress', value: new StartEgressRequest({ webhooks }) }],
  ] as const)('finds the marker among the webhooks of %s', (_, request) => {
    expect(snapshotOf(new EgressInfo({ request })).marker).toEqual(marker);
  });

  it.each([
    [
      'file_outputs',
      {
        case: 'roomComposite',
        value: new RoomCompositeEgressRequest({ fileOutputs: [new EncodedFileOutput({ filepath: 'a~r1~2~3.mp4' })] }),
      },
    ],
    [
      'the old single output',
      {
        case: 'roomComposite',
        value: new RoomCompositeEgressRequest({
          output: { case: 'file', value: new EncodedFileOutput({ filepath: 'a~r1~2~3' }) },
        }),
      },
    ],
    [
      'a track',
      {
        case: 'track',
        value: new TrackEgressRequest({ output: { case: 'file', value: { filepath: 'a~r1~2~3.ogg' } } }),
      },
    ],
    [
      'the second kind of requests',
      {
        case: 'egress',
        value: new StartEgressRequest({
          outputs: [new Output({ config: { case: 'file', value: new FileOutput({ filepath: 'a~r1~2~3.mp4' }) } })],
        }),
      },
    ],
  ] as const)('finds the marker in the path of %s', (_, request) => {
    expect(snapshotOf(new EgressInfo({ request })).marker).toEqual(marker);
  });

  it('of somebody else has no marker', () => {
    const value = new RoomCompositeEgressRequest({ fileOutputs: [new EncodedFileOutput({ filepath: 'a.mp4' })] });
    expect(snapshotOf(new EgressInfo({ request: { case: 'roomComposite', value } })).marker).toBeUndefined();
    expect(snapshotOf(new EgressInfo()).marker).toBeUndefined();
  });

  it('carries no secret of the request', () => {
    const output = { case: 's3', value: new S3Upload({ secret: 'hunter2', accessKey: 'AKIA' }) } as const;
    const value = new RoomCompositeEgressRequest({ webhooks, fileOutputs: [new EncodedFileOutput({ output })] });
    expect(JSON.stringify(snapshotOf(new EgressInfo({ request: { case: 'roomComposite', value } })))).not.toMatch(
      /hunter2|AKIA/,
    );
  });
});
