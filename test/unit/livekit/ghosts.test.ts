// Records that nobody keeps up to date any more are ended with what is known, and nothing else is touched.
import { EgressInfo, EgressStatus, FileInfo, StreamInfo, StreamInfo_Status } from '@livekit/protocol';
import { describe, expect, it } from 'vitest';
import { endedRecord, endGhost } from '../../../src/livekit/ghosts.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import type { RecordingView } from '../../../src/recording/view.ts';
import { RECORDING } from './bed.ts';

const { EGRESS_STARTING, EGRESS_ACTIVE, EGRESS_ENDING, EGRESS_COMPLETE, EGRESS_FAILED, EGRESS_ABORTED } = EgressStatus;
const last = new EgressInfo({
  egressId: `${RECORDING}_1`,
  status: EGRESS_COMPLETE,
  roomName: 'lesson',
  endedAt: 5n,
  updatedAt: 6n,
  fileResults: [new FileInfo({ filename: 'a.mp4' })],
});

async function end(record: EgressInfo | null, info = last) {
  const told: EgressInfo[] = [];
  const records = { create: async () => {}, update: async (update: EgressInfo) => void told.push(update) };
  const wasTold = await endGhost({ recordOf: async () => record, records }, RECORDING, info);
  expect(wasTold).toBe(told.length > 0);
  return told[0];
}

describe('a record that LiveKit still calls active', () => {
  const record = new EgressInfo({ egressId: RECORDING, status: EGRESS_ACTIVE, roomName: 'lesson', startedAt: 1n });

  it('takes the end and the files of the last attempt, and keeps its own id and beginning', async () => {
    expect(await end(record)).toMatchObject({
      egressId: RECORDING,
      status: EGRESS_COMPLETE,
      startedAt: 1n,
      endedAt: 5n,
      fileResults: [{ filename: 'a.mp4' }],
    });
    expect(record.status).toBe(EGRESS_ACTIVE);
  });

  it('is left as it is while its attempt still records', async () => {
    const running = new EgressInfo({ egressId: RECORDING, status: EGRESS_ACTIVE });
    expect(await end(record, running)).toBeUndefined();
  });
});

describe('nothing is told', () => {
  it('of a record that has ended, or that LiveKit does not have', async () => {
    expect(await end(new EgressInfo({ egressId: RECORDING, status: EGRESS_ABORTED }))).toBeUndefined();
    expect(await end(null)).toBeUndefined();
  });
});

describe('a record that nobody runs', () => {
  const recorded = (status: EgressStatus) =>
    new EgressInfo({
      egressId: RECORDING,
      status,
      startedAt: 1n,
      streamResults: [new StreamInfo({ url: 'rtmp://a/b/{c...d}', status: StreamInfo_Status.ACTIVE })],
    });

  it.each([
    [EGRESS_STARTING, EGRESS_ABORTED, 412],
    [EGRESS_ACTIVE, EGRESS_FAILED, 500],
    [EGRESS_ENDING, EGRESS_FAILED, 500],
  ])('in status %i ends as %i, with a reason, and streams no more', (status, end, errorCode) => {
    expect(endedRecord(recorded(status), 5_000)).toMatchObject({
      egressId: RECORDING,
      status: end,
      errorCode,
      error: 'nobody runs this egress any more; ended by reelkit repair',
      startedAt: 1n,
      endedAt: 5_000_000_000n,
      updatedAt: 5_000_000_000n,
      streamResults: [{ status: StreamInfo_Status.FAILED }],
    });
  });

  it('ends as its recording ended, with its files, where that is known', () => {
    const file = { filename: 'a.mp4', location: '/r/a.mp4', storage: 'local', sizeBytes: 9, durationMs: 2 };
    const recording: RecordingView = {
      id: RECORDING,
      stage: 'completed',
      fleet: 'default',
      request: recordingRequestSchema.parse({ source: { type: 'room', room: 'lesson' } }),
      requestedAtMs: 0,
      startDeadlineMs: 1,
      endedAtMs: 3_000,
      parts: [
        { number: 1, attempts: 1, files: [file], end: { status: 'COMPLETE', details: 'End reason: Source closed' } },
      ],
    };
    const ended = endedRecord(new EgressInfo({ egressId: RECORDING, status: EGRESS_ACTIVE }), 5_000, recording);
    expect(ended).toMatchObject({
      status: EGRESS_COMPLETE,
      error: '',
      details: 'End reason: Source closed',
      endedAt: 3_000_000_000n,
      fileResults: [{ filename: 'a.mp4', location: '/r/a.mp4', size: 9n, duration: 2_000_000n }],
      result: { case: 'file' },
    });
  });
});
