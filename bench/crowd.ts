// A crowd that asks LiveKit at once, by its unmodified SDK, to be recorded; and what became of it. What stands behind LiveKit is not
// known here: Reelkit, or workers alone.
import { type EgressClient, type EgressInfo, EgressStatus, EncodedFileOutput } from 'livekit-server-sdk';
import { until } from './bed.ts';
import { describeSpread } from './figures.ts';
import { inGroups } from './groups.ts';
import type { Row } from './rows.ts';

export interface Place {
  /** The timeout is the SDK's own option. */
  sdk(timeoutSeconds?: number): EgressClient;
  filesDir: string;
}

export interface Crowd {
  rooms: string[];
  /** Of those that were answered. */
  ids: string[];
  answeredMs: number[];
  /** What the others were told, the same words once. */
  errors: string[];
  failed: number;
  /** How long after the beginning each of those that record began to, by the worker's own time in LiveKit's list. */
  lastedMs: number[];
  /** Rooms that no egress ever recorded. */
  lost: number;
  /** Rooms with more than one. */
  doubled: number;
}

/** How long a blind retry loop goes on. */
const RETRY_LIMIT_MS = 60_000;
/** Who does not record by then is lost. */
const RECORDING_LIMIT_MS = 120_000;

export interface CrowdOptions {
  /** Who is refused asks again, as people write it. */
  retry?: boolean;
  /** The SDK's own is 10 s. */
  timeoutSeconds?: number;
  /** Between looks at LiveKit's list. */
  pollMs?: number;
  /** Whoever was told an error may be recorded all the same: all rooms are waited for. */
  untilAll?: boolean;
  /** A room as Chrome draws it costs four cores. */
  video?: boolean;
}

/** What the crowd has started is not stopped. */
export async function recordCrowd(place: Place, rooms: string[], options: CrowdOptions = {}): Promise<Crowd> {
  const before = new Set((await allEgresses(place)).map(({ egressId }) => egressId));
  const asks = rooms.map((room) => createAsk(place, room, options));
  const beginMs = Date.now();
  const answers = await Promise.all(asks.map((ask) => answerTo(ask, beginMs, options.retry ? RETRY_LIMIT_MS : 0)));
  const recorded = async () =>
    (await allEgresses(place)).filter((info) => !before.has(info.egressId) && beganAtMs(info) > 0);
  const answered = answers.flatMap(({ egressId }) => egressId ?? []);
  const isDone = (infos: EgressInfo[]) =>
    answered.every((id) => infos.some(({ egressId }) => egressId === id)) &&
    (!options.untilAll || countPerRoom(infos, rooms).lost === 0);
  await until('all to record', recorded, isDone, RECORDING_LIMIT_MS, options.pollMs).catch(() => undefined);
  const infos = await recorded();
  return {
    rooms,
    ids: answered,
    answeredMs: answers.flatMap(({ egressId, tookMs }) => (egressId === undefined ? [] : tookMs)),
    errors: [...new Set(answers.flatMap(({ error }) => error ?? []))],
    failed: answers.filter(({ egressId }) => egressId === undefined).length,
    lastedMs: infos.map((info) => beganAtMs(info) - beginMs),
    ...countPerRoom(infos, rooms),
  };
}

interface Answer {
  tookMs: number;
  egressId?: string;
  error?: string;
}

/** Tries at least once, and then until the time is over. */
async function answerTo(ask: () => Promise<EgressInfo>, beginMs: number, retryLimitMs: number): Promise<Answer> {
  for (;;) {
    try {
      const { egressId } = await ask();
      return { tookMs: Date.now() - beginMs, egressId };
    } catch (error) {
      const tookMs = Date.now() - beginMs;
      if (tookMs >= retryLimitMs) return { tookMs, error: String(error) };
    }
  }
}

/** Sound alone costs one core. Nobody has to publish where no media is made. */
function createAsk(
  place: Place,
  room: string,
  { timeoutSeconds, video = false }: CrowdOptions = {},
): () => Promise<EgressInfo> {
  const sdk = place.sdk(timeoutSeconds);
  return () => {
    const file = new EncodedFileOutput({ filepath: `${place.filesDir}/${room}-${Date.now()}.ogg` });
    return sdk.startRoomCompositeEgress(room, { file }, { audioOnly: !video });
  };
}

export async function startOne(place: Place, room: string): Promise<string> {
  return (await createAsk(place, room)()).egressId;
}

export async function stopOne(place: Place, egressId: string): Promise<void> {
  await place.sdk(30).stopEgress(egressId);
  await until(
    `the end of ${egressId}`,
    () => place.sdk(30).listEgress({ egressId }),
    ([info]) => info !== undefined && info.status >= EgressStatus.EGRESS_COMPLETE,
  );
}

/** Those that LiveKit calls active, or some of them. */
export async function stopMany(place: Place, ids?: readonly string[]): Promise<void> {
  const sdk = place.sdk(30);
  const active = ids ?? (await sdk.listEgress({ active: true })).map(({ egressId }) => egressId);
  await inGroups([...active], (id) => sdk.stopEgress(id).catch(() => undefined));
  await until(
    'what was stopped to end',
    () => sdk.listEgress({ active: true }),
    (seen) => !seen.some(({ egressId }) => active.includes(egressId)),
  );
}

export function everyOther<T>(items: readonly T[], first: 0 | 1): T[] {
  return items.filter((_, index) => index % 2 === first);
}

export const allEgresses = (place: Place) => place.sdk(30).listEgress();

function countPerRoom(egresses: { roomName: string }[], rooms: string[]): { lost: number; doubled: number } {
  const counts = new Map<string, number>();
  for (const { roomName } of egresses) counts.set(roomName, (counts.get(roomName) ?? 0) + 1);
  return {
    lost: rooms.filter((room) => !counts.has(room)).length,
    doubled: rooms.filter((room) => (counts.get(room) ?? 0) > 1).length,
  };
}

export function describe({ rooms, failed, lost, doubled, errors }: Crowd): string {
  const told = errors.length > 0 ? ` (${errors.slice(0, 3).join('; ').slice(0, 200)})` : '';
  return `${failed} SDK errors${told}, ${lost} lost, ${doubled} doubled of ${rooms.length}`;
}

export function describeTimes({ answeredMs, lastedMs }: Crowd): string {
  return `answered after ${describeSpread(answeredMs)} ms, recording after ${describeSpread(lastedMs)} ms`;
}

export function countRow(id: string, value: number, against: string, how: string): Row {
  return { id, value, unit: 'recordings', against, target: '0', holds: value === 0, how };
}

/** Its file begins here, by the worker's clock; `startedAt` is when it was accepted. 0: no media has flowed yet. */
export function beganAtMs({ fileResults }: Pick<EgressInfo, 'fileResults'>): number {
  return toMs(fileResults[0]?.startedAt ?? 0n);
}

export function toMs(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000_000n);
}
