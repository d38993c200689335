// A crowd that wants to be recorded at once, through Reelkit or by the SDK as people call it today; and what became of it.
import { EncodedFileOutput } from 'livekit-server-sdk';
import { audioOf, type Bed, until } from './bed.ts';
import type { Row } from './rows.ts';

/** How long a blind retry loop goes on. */
const RETRY_LIMIT_MS = 60_000;
/** Who does not record by then is lost. */
const RECORDING_LIMIT_MS = 180_000;
const GROUP = 10;
/** Of LiveKit's EgressStatus. */
const ACTIVE = 1;

export interface CrowdResult {
  /** How many wanted to be recorded. */
  crowd: number;
  allMs: number;
  lost: number;
  doubled: number;
}

export interface RecordedCrowd {
  ids: string[];
  /** How long after the beginning each of those that record began to, by the worker's own time. */
  lastedMs: number[];
}

/** @param pollMs between looks at LiveKit's list; the workers' own times are what counts */
export async function crowdThroughReelkit(bed: Bed, rooms: string[], pollMs?: number): Promise<RecordedCrowd> {
  const beginMs = Date.now();
  const recordings = await Promise.all(rooms.map((room) => bed.record(audioOf(room))));
  await until(
    'all to record',
    () => activeRooms(bed),
    (active) => active.size >= rooms.length,
    RECORDING_LIMIT_MS,
    pollMs,
  ).catch(() => undefined);
  const ids = recordings.map(({ id }) => id);
  const begins = await inGroups(ids, (id) => beginOf(bed, id, beginMs + RECORDING_LIMIT_MS));
  return { ids, lastedMs: begins.flatMap((atMs) => (atMs === undefined ? [] : [atMs - beginMs])) };
}

async function beginOf(bed: Bed, id: string, endMs: number): Promise<number | undefined> {
  try {
    const { startedAtMs = 0, parts } = await until(
      'media',
      () => bed.show(id),
      (view) => view.startedAtMs !== undefined,
      endMs - Date.now(),
    );
    return Math.max(startedAtMs, parts[0]?.acceptedAtMs ?? 0);
  } catch {
    return undefined;
  }
}

/** Where LiveKit is asked by its SDK, with Reelkit behind or without. */
export type Asked = Pick<Bed, 'sdk' | 'filesDir'>;

/** What the crowd has started is not stopped. */
export async function crowdThroughSdk(
  bed: Asked,
  rooms: string[],
  { retry }: { retry: boolean },
): Promise<CrowdResult> {
  const before = new Set((await allEgresses(bed)).map(({ egressId }) => egressId));
  const beginMs = Date.now();
  await Promise.all(rooms.map((room) => startUntil(bed, room, retry ? beginMs + RETRY_LIMIT_MS : 0)));
  const allMs = Date.now() - beginMs;
  const egresses = (await allEgresses(bed)).filter(({ egressId }) => !before.has(egressId));
  return { crowd: rooms.length, allMs, ...countPerRoom(egresses, rooms) };
}

/** Tries at least once, and then until the time is over. */
async function startUntil(bed: Asked, room: string, endMs: number): Promise<void> {
  do {
    try {
      await startDirect(bed, room, 10);
      return;
    } catch {
      // What everybody writes: it failed, so try again.
    }
  } while (Date.now() < endMs);
}

export function startDirect(bed: Asked, room: string, timeoutSeconds: number) {
  const file = new EncodedFileOutput({ filepath: `${bed.filesDir}/direct/${room}-${Math.random()}.ogg` });
  return bed.sdk(timeoutSeconds).startRoomCompositeEgress(room, { file }, { audioOnly: true });
}

export async function stopAll(bed: Asked): Promise<void> {
  const sdk = bed.sdk(30);
  const active = await sdk.listEgress({ active: true });
  await Promise.allSettled(active.map(({ egressId }) => sdk.stopEgress(egressId)));
  await until(
    'no active egress',
    () => activeRooms(bed),
    (seen) => seen.size === 0,
  );
}

/** Reading the results must not become a load test of its own. */
export async function inGroups<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let done = 0; done < items.length; done += GROUP) {
    results.push(...(await Promise.all(items.slice(done, done + GROUP).map(work))));
  }
  return results;
}

export function everyOther<T>(items: readonly T[], first: 0 | 1): T[] {
  return items.filter((_, index) => index % 2 === first);
}

export const allEgresses = (bed: Asked) => bed.sdk(30).listEgress();

export async function activeRooms(bed: Asked): Promise<Set<string>> {
  return new Set(
    (await bed.sdk(30).listEgress({ active: true }))
      .filter(({ status }) => status === ACTIVE)
      .map(({ roomName }) => roomName),
  );
}

/** Rooms with more than one egress. */
export async function doubledIn(bed: Asked, rooms: string[]): Promise<number> {
  return countPerRoom(await allEgresses(bed), rooms).doubled;
}

function countPerRoom(egresses: { roomName: string }[], rooms: string[]): { lost: number; doubled: number } {
  const counts = new Map<string, number>();
  for (const { roomName } of egresses) counts.set(roomName, (counts.get(roomName) ?? 0) + 1);
  return {
    lost: rooms.filter((room) => !counts.has(room)).length,
    doubled: rooms.filter((room) => (counts.get(room) ?? 0) > 1).length,
  };
}

export function describe({ crowd, allMs, lost, doubled }: CrowdResult): string {
  return `${lost} lost, ${doubled} doubled of ${crowd} after ${Math.round(allMs / 100) / 10} s`;
}

/** The first, the middle and the last tell whether all were slow or one was. */
export function describeSpread(lasted: number[]): string {
  const sorted = lasted.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)];
  return `${at(0)} (first), ${at(0.5)} (half), ${at(0.95)} (95 %), ${at(1)} (all)`;
}

export function countRow(id: string, value: number, against: string, how: string): Row {
  return { id, value, unit: 'recordings', against, target: '0', holds: value === 0, how };
}
