// Records that nobody keeps up to date any more are ended with what is known, and nothing else is touched.
import { EgressInfo, EgressStatus, FileInfo } from '@livekit/protocol';
import { describe, expect, it } from 'vitest';
import { endGhost } from '../../../src/livekit/ghosts.ts';
import { RECORDING } from './bed.ts';

const { EGRESS_ACTIVE, EGRESS_COMPLETE, EGRESS_ABORTED } = EgressStatus;
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
