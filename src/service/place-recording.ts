// The first look for a worker, while a recording is being accepted: one that finds no room begins in the queue, asleep, so that a
// burst is accepted before anything of it is worked on. A hint: whoever dispatches looks again.

import type { WorkerChoice } from '../activities/choose-worker.ts';
import { defined } from '../common/defined.ts';
import { within } from '../common/within.ts';
import { roomOf } from '../recording/source.ts';
import type { RecordingInput } from '../workflows/messages.ts';

/** @returns the same, with the reason why it must wait. Never throws */
export type PlaceRecording = (input: RecordingInput) => Promise<RecordingInput>;

export interface PlaceParts {
  /** By the name of the fleet. */
  choices: ReadonlyMap<string, Pick<WorkerChoice, 'choose'>>;
  /** @returns undefined when there is no such room */
  roomSid: (room: string) => Promise<string | undefined>;
  wakeFleet: (fleet: string, why: string) => Promise<void>;
  limitMs?: number;
}

/** Who asks waits for the answer; a fleet that is slow to look at is looked at later. */
const LIMIT_MS = 250;

export function createPlaceRecording({ choices, roomSid, wakeFleet, limitMs = LIMIT_MS }: PlaceParts): PlaceRecording {
  async function inQueue(input: RecordingInput): Promise<RecordingInput | undefined> {
    const { id, fleet, costCores, request, origin } = input;
    const chosen = await choices.get(fleet)?.choose(id, costCores);
    if (!chosen || !('missing' in chosen)) return undefined;
    const room = roomOf(request.source);
    // LiveKit has just looked itself. Nobody waits for a worker in a room that is not there.
    const roomId = origin === 'api' && room !== undefined ? await roomSid(room) : input.roomId;
    if (origin === 'api' && room !== undefined && roomId === undefined) return undefined;
    return { ...input, noRoom: chosen.missing, ...defined({ roomId }) };
  }

  return async (input) => {
    if (input.request.startAt !== undefined) return input;
    const queued = await within(limitMs, inQueue(input)).catch(() => undefined);
    if (queued === undefined) return input;
    // Whoever waits is seen by the next pass in any case, and asks for one itself when it has waited for long.
    void wakeFleet(input.fleet, 'a recording waits').catch(() => undefined);
    return queued;
  };
}
