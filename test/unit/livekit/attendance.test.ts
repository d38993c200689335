// Who is told that its participants have left, and what LiveKit is asked for it, on a clock of the test's own.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAttendance } from '../../../src/livekit/attendance.ts';
import { createRoomWatch } from '../../../src/livekit/room-watch.ts';
import type { Participant } from '../../../src/recording/source.ts';

const person = (identity: string): Participant => ({ identity, trackIds: [], isPerson: true });
const agent: Participant = { identity: 'agent', trackIds: [], isPerson: false };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function world() {
  const rooms: Record<string, Participant[]> = {};
  const asked: string[] = [];
  const told: string[] = [];
  const livekit = { isAway: false };
  const watch = createRoomWatch({
    livekit: {
      roomSid: async (room) => (rooms[room] ? 'RM_1' : undefined),
      async listParticipants(room) {
        asked.push(room);
        if (livekit.isAway) throw new Error('LiveKit is away');
        return rooms[room] ?? [];
      },
    },
    log: { warn() {} },
  });
  const attendance = createAttendance(watch, (id) => void told.push(id));
  return { rooms, asked, told, attendance, livekit, watch };
}

const wish = (participantsAtMost = 0) => ({ participantsAtMost, for: 60_000 });
const attended = (id: string, room = 'lesson', stopWhen = wish()) => ({ id, room, stopWhen });
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('participants who left', () => {
  it('are told of once they were away for as long as was said', async () => {
    const { rooms, told, attendance } = world();
    rooms.lesson = [person('ann'), agent];
    attendance.follow('default', [attended('EG_1')]);
    await pass(300_000);
    expect(told).toEqual([]);
    rooms.lesson = [agent];
    await pass(50_000);
    expect(told).toEqual([]);
    await pass(30_000);
    expect(told).toEqual(['EG_1']);
  });

  it('and came back in time have not left', async () => {
    const { rooms, told, attendance } = world();
    rooms.lesson = [];
    attendance.follow('default', [attended('EG_1')]);
    await pass(50_000);
    rooms.lesson = [person('ann')];
    await pass(20_000);
    rooms.lesson = [];
    await pass(50_000);
    expect(told).toEqual([]);
  });

  it('but for a forgotten tab count as left where one may stay', async () => {
    const { rooms, told, attendance } = world();
    rooms.lesson = [person('the forgotten tab'), agent];
    attendance.follow('default', [attended('EG_1', 'lesson', wish(1)), attended('EG_2')]);
    await pass(80_000);
    expect(told).toEqual(['EG_1']);
  });

  it('are not believed to have left while LiveKit cannot be asked', async () => {
    const { rooms, told, attendance, livekit } = world();
    rooms.lesson = [person('ann')];
    attendance.follow('default', [attended('EG_1')]);
    await pass(20_000);
    livekit.isAway = true;
    await pass(300_000);
    livekit.isAway = false;
    await pass(300_000);
    expect(told).toEqual([]);
  });
});

describe('LiveKit', () => {
  it('is asked nothing when nobody says so, nor for a recording that has ended', async () => {
    const { rooms, asked, attendance } = world();
    attendance.follow('default', []);
    await pass(60_000);
    expect(asked).toEqual([]);
    rooms.lesson = [person('ann')];
    attendance.follow('default', [attended('EG_1')]);
    await pass(60_000);
    attendance.follow('other', []);
    await pass(30_000);
    const before = asked.length;
    expect(before).toBeGreaterThan(3);
    attendance.follow('default', []);
    await pass(60_000);
    expect(asked).toHaveLength(before);
  });

  it('is asked no more by a process that runs no passes of that fleet any more', async () => {
    const { rooms, asked, attendance, watch } = world();
    rooms.lesson = [person('ann')];
    attendance.follow('default', [attended('EG_1')]);
    await pass(590_000);
    attendance.follow('default', [attended('EG_1')]);
    await pass(590_000);
    expect(watch.isAsked('left/EG_1')).toBe(true);
    await pass(30_000);
    const before = asked.length;
    await pass(60_000);
    expect([watch.isAsked('left/EG_1'), asked.length - before]).toEqual([false, 0]);
  });

  it('is asked once for a room of many recordings, and about 20 rooms a second', async () => {
    const { rooms, asked, attendance } = world();
    rooms.lesson = [person('ann')];
    attendance.follow(
      'default',
      Array.from({ length: 50 }, (_, index) => attended(`EG_${index}`)),
    );
    await pass(10_000);
    expect(asked).toEqual(['lesson']);
    const many = Array.from({ length: 200 }, (_, index) => attended(`EG_${index}`, `room-${index}`));
    attendance.follow('default', []);
    attendance.follow('default', many);
    asked.length = 0;
    await pass(5_100);
    expect(asked).toHaveLength(100);
    await pass(5_100);
    expect(new Set(asked).size).toBe(200);
  });
});
