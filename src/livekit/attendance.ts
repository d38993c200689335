// Whose recording should stop because people have left: follows the open recordings that the fleet's pass lists, and tells each once
// too few people were in its room for as long as it said. Nothing is asked of LiveKit for recordings that do not say so. What was
// counted is lost with the process; then the time begins anew.
import type { StopWhen } from '../recording/request.ts';
import type { RoomNow, RoomWatch } from './room-watch.ts';

export interface Attended {
  id: string;
  room: string;
  stopWhen: StopWhen;
}

export interface Attendance {
  /** Those of a fleet that record now; the others of that fleet are followed no more. */
  follow(fleet: string, recordings: readonly Attended[]): void;
}

const SHORTEST_MS = 2_000;
const LONGEST_MS = 15_000;
/** Another process runs the passes of that fleet now, and follows them itself. */
const STALE_MS = 600_000;

export function createAttendance(
  rooms: RoomWatch,
  /** Never rejects. */
  tell: (id: string, sinceMs: number) => void,
  now: () => number = Date.now,
): Attendance {
  const followed = new Map<string, Set<string>>();
  const listedAtMs = new Map<string, number>();
  const keyOf = (id: string) => `left/${id}`;

  function follow(fleet: string, { id, room, stopWhen }: Attended): void {
    let fewSinceMs: number | undefined;
    const look = ({ participants, atMs }: RoomNow): boolean => {
      if (atMs - (listedAtMs.get(fleet) ?? 0) > STALE_MS) return true;
      const people = participants.filter(({ isPerson }) => isPerson).length;
      fewSinceMs = people > stopWhen.participantsAtMost ? undefined : (fewSinceMs ?? atMs);
      if (fewSinceMs === undefined || atMs - fewSinceMs < stopWhen.for) return false;
      tell(id, fewSinceMs);
      return true;
    };
    const everyMs = Math.min(Math.max(stopWhen.for / 5, SHORTEST_MS), LONGEST_MS);
    rooms.ask(keyOf(id), { room, everyMs, look });
  }

  return {
    follow(fleet, recordings) {
      const ids = new Set(recordings.map(({ id }) => id));
      for (const id of followed.get(fleet) ?? []) if (!ids.has(id)) rooms.drop(keyOf(id));
      followed.set(fleet, ids);
      listedAtMs.set(fleet, now());
      // One that was told and goes on is told again: the signal may have been lost.
      for (const one of recordings) if (!rooms.isAsked(keyOf(one.id))) follow(fleet, one);
    },
  };
}
