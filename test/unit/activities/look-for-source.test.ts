// Whether the source of a recording is in its room, and who tells the recording when that changes.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLookForSource } from '../../../src/activities/look-for-source.ts';
import { createRoomWatch } from '../../../src/livekit/room-watch.ts';
import type { RecordingSource } from '../../../src/recording/request.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const ann = { type: 'participant', room: 'lesson', identity: 'ann', screenShare: false } as const;
const tracks = { type: 'tracks', room: 'lesson', audioTrackId: 'TR_a', videoTrackId: 'TR_v' } as const;

function world(source: RecordingSource) {
  const lesson = { sid: 'RM_1' as string | undefined, people: [] as { identity: string; trackIds: string[] }[] };
  const told: string[] = [];
  const livekit = {
    looks: 0,
    roomSid: async () => lesson.sid,
    async listParticipants() {
      livekit.looks += 1;
      return lesson.people.map((one) => ({ ...one, metadata: '', sends: [], isPerson: true }));
    },
  };
  const look = createLookForSource({
    livekit,
    rooms: createRoomWatch({ livekit, log: { warn() {} } }),
    tell: (_, why) => void told.push(why),
  });
  const request = recordingRequestSchema.parse({ source });
  const ask = (roomId?: string) =>
    look({ recordingId: 'EG_1', request, forMs: 60_000, ...(roomId === undefined ? {} : { roomId }) });
  return { lesson, told, ask, livekit };
}

describe('a source', () => {
  it('that is there is looked for once', async () => {
    const { lesson, ask, livekit } = world(ann);
    lesson.people = [{ identity: 'ann', trackIds: [] }];
    expect(await ask('RM_1')).toEqual({ room: 'alive', source: 'here' });
    await vi.advanceTimersByTimeAsync(120_000);
    expect(livekit.looks).toBe(1);
  });

  it('that comes is told of within two seconds, once', async () => {
    const { lesson, told, ask } = world(ann);
    lesson.people = [{ identity: 'bob', trackIds: [] }];
    expect(await ask('RM_1')).toEqual({ room: 'alive', source: 'away' });
    await vi.advanceTimersByTimeAsync(20_000);
    expect(told).toEqual([]);
    lesson.people = [{ identity: 'ann', trackIds: [] }];
    await vi.advanceTimersByTimeAsync(2_100);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(told).toEqual(['its source is in the room']);
  });

  it('in two tracks is there with both', async () => {
    const { lesson, told, ask } = world(tracks);
    lesson.people = [{ identity: 'ann', trackIds: ['TR_a'] }];
    expect((await ask()).source).toBe('away');
    lesson.people = [{ identity: 'ann', trackIds: ['TR_a', 'TR_v'] }];
    await vi.advanceTimersByTimeAsync(2_100);
    expect(told).toHaveLength(1);
  });

  it('is not awaited in another room that has the name now', async () => {
    const { lesson, told, ask } = world(ann);
    lesson.people = [{ identity: 'ann', trackIds: [] }];
    expect(await ask('RM_0')).toEqual({ room: 'gone', source: 'away' });
    lesson.people = [];
    expect(await ask('RM_1')).toEqual({ room: 'alive', source: 'away' });
    lesson.sid = undefined;
    await vi.advanceTimersByTimeAsync(2_100);
    expect(told).toEqual(['its room is gone']);
  });

  it('is looked for only as long as was asked', async () => {
    const { ask, livekit } = world(ann);
    await ask('RM_1');
    await vi.advanceTimersByTimeAsync(62_000);
    const { looks } = livekit;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(livekit.looks).toBe(looks);
  });
});
