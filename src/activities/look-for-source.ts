// Is the source of a recording in its room? When it is away, this process goes on looking and tells the recording once it comes.
import type { LiveKitClient } from '../livekit/client.ts';
import type { RoomWatch } from '../livekit/room-watch.ts';
import { isTheRoom } from '../recording/room.ts';
import { isInRoom, type Participant, roomOf } from '../recording/source.ts';
import type { RecordingActivities } from './contract.ts';

export interface LookForSourceParts {
  livekit: Pick<LiveKitClient, 'roomSid' | 'listParticipants'>;
  rooms: RoomWatch;
  /** Makes the recording look itself. Never rejects. */
  tell: (recordingId: string, why: string) => void;
}

/** Who comes back is recorded from here on. */
const EVERY_MS = 1_000;

export function createLookForSource({
  livekit,
  rooms,
  tell,
}: LookForSourceParts): RecordingActivities['lookForSource'] {
  return async ({ recordingId, request: { source }, roomId, forMs }) => {
    const room = roomOf(source);
    if (room === undefined) return { room: 'alive', source: 'here' };
    const judge = (sid: string | undefined, participants: readonly Participant[]) => {
      const isOpen = isTheRoom(roomId, sid);
      const isHere = isOpen && isInRoom(source, participants);
      return { room: isOpen ? 'alive' : 'gone', source: isHere ? 'here' : 'away' } as const;
    };
    const seen = judge(...(await Promise.all([livekit.roomSid(room), livekit.listParticipants(room)])));
    if (seen.room === 'alive' && seen.source === 'away') {
      const untilMs = Date.now() + forMs;
      rooms.ask(`source/${recordingId}`, {
        room,
        everyMs: EVERY_MS,
        look({ sid, participants, atMs }) {
          const now = judge(sid, participants);
          if (now.room === 'gone') tell(recordingId, 'its room is gone');
          else if (now.source === 'here') tell(recordingId, 'its source is in the room');
          return now.room === 'gone' || now.source === 'here' || atMs >= untilMs;
        },
      });
    }
    return seen;
  };
}
