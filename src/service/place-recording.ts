// The first look for a worker, while a recording is being accepted: one that finds no room begins in the queue, asleep, so that a
// burst is accepted before anything of it is worked on. A hint: whoever dispatches looks again.
import type { WorkerChoice } from '../activities/choose-worker.ts';
import { roomOf } from '../recording/source.ts';
import type { RecordingInput } from '../workflows/messages.ts';

/** @returns the same, with the reason why it must wait. Never throws */
export type PlaceRecording = (input: RecordingInput) => Promise<RecordingInput>;

export interface PlaceParts {
  /** By the name of the fleet. */
  choices: ReadonlyMap<string, Pick<WorkerChoice, 'choose'>>;
  roomExists: (room: string) => Promise<boolean>;
  wakeFleet: (fleet: string, why: string) => Promise<void>;
  limitMs?: number;
}

/** Who asks waits for the answer; a fleet that is slow to look at is looked at later. */
const LIMIT_MS = 250;

export function createPlaceRecording({
  choices,
  roomExists,
  wakeFleet,
  limitMs = LIMIT_MS,
}: PlaceParts): PlaceRecording {
  async function whyNoRoom({ id, fleet, costCores, request, origin }: RecordingInput): Promise<string | undefined> {
    const chosen = await choices.get(fleet)?.choose(id, costCores);
    if (!chosen || !('missing' in chosen)) return undefined;
    const room = roomOf(request.source);
    // LiveKit has just looked itself. Nobody waits for a worker in a room that is not there.
    if (origin === 'api' && room !== undefined && !(await roomExists(room))) return undefined;
    return chosen.missing;
  }

  return async (input) => {
    if (input.request.startAt !== undefined) return input;
    const noRoom = await within(limitMs, whyNoRoom(input)).catch(() => undefined);
    if (noRoom === undefined) return input;
    // Whoever waits is seen by the next pass in any case, and asks for one itself when it has waited for long.
    void wakeFleet(input.fleet, 'a recording waits').catch(() => undefined);
    return { ...input, noRoom };
  };
}

function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}
