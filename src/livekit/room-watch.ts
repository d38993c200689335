// Looks again and again at the rooms that somebody in this process waits for: one look a room for all of them, at a bounded rate,
// and none when nobody asks. What a look means is for whoever asked.
import { defined } from '../common/defined.ts';
import type { Participant } from '../recording/source.ts';

export interface RoomNow {
  /** Absent: there is no room of that name. */
  sid?: string;
  participants: readonly Participant[];
  atMs: number;
}

export interface RoomQuestion {
  room: string;
  everyMs: number;
  /** @returns whether it is answered, so that nobody need look any more */
  look(now: RoomNow): boolean;
}

export interface RoomWatch {
  /** One question a key; a second one takes the place of the first. */
  ask(key: string, question: RoomQuestion): void;
  isAsked(key: string): boolean;
  drop(key: string): void;
}

export interface RoomWatchParts {
  livekit: {
    roomSid(room: string): Promise<string | undefined>;
    listParticipants(room: string): Promise<readonly Participant[]>;
  };
  now?: () => number;
  log: { warn(fields: object, message: string): void };
}

const TICK_MS = 1_000;
/** The most that LiveKit is asked for in one tick; of more, those that are due for longest come first. */
const ROOMS_A_TICK = 20;
/** Each is a recording that is open; more than this, the newest are not watched. */
const MAX_QUESTIONS = 10_000;

export function createRoomWatch({ livekit, now = Date.now, log }: RoomWatchParts): RoomWatch {
  const questions = new Map<string, RoomQuestion & { dueMs: number }>();
  let isRunning = false;

  async function run(): Promise<void> {
    while (questions.size > 0) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS).unref());
      await Promise.all(dueRooms().map(lookAt));
    }
    isRunning = false;
  }

  function dueRooms(): string[] {
    const due = [...questions.values()].filter(({ dueMs }) => dueMs <= now()).sort((a, b) => a.dueMs - b.dueMs);
    return [...new Set(due.map(({ room }) => room))].slice(0, ROOMS_A_TICK);
  }

  async function lookAt(room: string): Promise<void> {
    const seen = await Promise.all([livekit.roomSid(room), livekit.listParticipants(room)]).catch((error: unknown) => {
      log.warn({ room, error: String(error) }, 'LiveKit could not be asked who is in the room');
    });
    const atMs = now();
    for (const [key, question] of questions) {
      if (question.room !== room) continue;
      question.dueMs = atMs + question.everyMs;
      if (!seen) continue;
      const [sid, participants] = seen;
      if (question.look({ atMs, participants, ...defined({ sid }) })) questions.delete(key);
    }
  }

  return {
    ask(key, question) {
      if (questions.size >= MAX_QUESTIONS && !questions.has(key)) return;
      questions.set(key, { ...question, dueMs: now() });
      if (isRunning) return;
      isRunning = true;
      void run();
    },
    isAsked: (key) => questions.has(key),
    drop: (key) => void questions.delete(key),
  };
}
