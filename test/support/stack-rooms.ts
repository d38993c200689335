// Rooms that are recorded through Reelkit's API, several at once, for end-to-end tests of fleets.
import { expect } from 'vitest';
import type { RecordingView } from '../../src/recording/view.ts';
import type { TestStack } from './stack.ts';
import { waitFor } from './stack-wait.ts';

/** Boot of a machine and a worker, and the start, on two cores. */
const START_MS = 90_000;

export function recordedRooms(e2e: TestStack) {
  const close = (rooms: string[]) => Promise.all(rooms.map((room) => e2e.livekit.closeRoom(room)));

  async function expectCompleted(ids: string[]): Promise<RecordingView[]> {
    const ended = await Promise.all(ids.map((id) => e2e.api.untilEnded(id, START_MS)));
    expect(ended.map(({ stage, reason }) => [stage, reason?.code])).toEqual(ids.map(() => ['completed', 'finished']));
    for (const id of ids) expect(await e2e.livekit.egressesOf(id)).toHaveLength(1);
    return ended;
  }

  return {
    async record(count: number, label: string) {
      const rooms = await e2e.livekit.createRooms(count, label);
      const accepted = await Promise.all(rooms.map((room) => e2e.api.record({ source: { type: 'room', room } })));
      return { rooms, ids: accepted.map(({ id }) => id) };
    },
    untilRecording: (ids: string[], limitMs = START_MS) =>
      Promise.all(ids.map((id) => e2e.api.untilStage(id, 'recording', limitMs))),
    close,
    expectCompleted,
    /** Its rooms end, and with them the recordings. */
    complete: async (rooms: string[], ids: string[]) => close(rooms).then(() => expectCompleted(ids)),
    /** After a part whose worker was lost. */
    untilNextPart: (id: string) =>
      waitFor(
        'its next part',
        () => e2e.api.show(id),
        (view) => view.stage === 'recording' && view.parts.length === 2,
        START_MS,
      ),
  };
}
