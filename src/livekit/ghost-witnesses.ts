// Who might run an egress that LiveKit's list shows: everybody who would know is asked, and nothing is granted or changed.
import { type EgressInfo, StopEgressRequest } from '@livekit/protocol';
import type { RpcClient } from '../bus/client.ts';
import { isReelkitServer } from '../bus/ids.ts';
import { messageOf } from '../common/error-message.ts';
import { eachAtOnce } from '../common/some-at-once.ts';
import { parseAttemptEgressId } from '../recording/attempt.ts';
import type { RecordingView } from '../recording/view.ts';
import type { Witness } from './ghosts.ts';
import type { Presence } from './presence.ts';

/** What Temporal says of the recording of an egress. */
export type RecordingWitness =
  | { kind: 'open' }
  | { kind: 'ended'; view: RecordingView }
  /** Never, or longer ago than the namespace keeps it. */
  | { kind: 'none' };

export interface GhostWitnessParts {
  recordingOf(recordingId: string): Promise<RecordingWitness>;
  workersRedis: Pick<Presence, 'egresses'>;
  livekitRedis: Pick<Presence, 'egresses'>;
  /** On LiveKit's Redis. */
  livekitClient: Pick<RpcClient, 'dryRun'>;
  listParticipants(room: string): Promise<{ identity: string }[]>;
}

export interface Questioned {
  record: EgressInfo;
  witnesses: Witness[];
  /** What its recording ended with, where that is known. */
  recording?: RecordingView;
}

/** Names who cannot be asked: without one of them nothing is proven. */
export class WitnessUnavailable extends Error {
  constructor(who: string, cause: unknown) {
    super(`${who} cannot be asked: ${messageOf(cause)}`, { cause });
    this.name = 'WitnessUnavailable';
  }
}

/** A claim comes in a millisecond, from Reelkit once it has asked Temporal. */
const CLAIM_MS = 1_500;
const ASKED_AT_ONCE = 100;

/** @throws WitnessUnavailable */
export async function question(records: readonly EgressInfo[], parts: GhostWitnessParts): Promise<Questioned[]> {
  const [onWorkers, onLiveKits, inRooms] = await Promise.all([
    asked("the workers' Redis", parts.workersRedis.egresses()),
    asked("LiveKit's Redis", parts.livekitRedis.egresses()),
    asked('LiveKit', identitiesByRoom(records, parts.listParticipants)),
  ]);
  return eachAtOnce(ASKED_AT_ONCE, records, async (record) => {
    const { egressId, roomName } = record;
    const recording = await asked('Temporal', recordingOf(egressId, parts));
    const seen: Witness[] = [
      { name: 'workflow', ...workflowSays(recording) },
      { name: 'workersRedis', ...redisSays(egressId, onWorkers) },
      { name: 'livekitRedis', ...redisSays(egressId, onLiveKits) },
      { name: 'room', ...roomSays(egressId, roomName, inRooms.get(roomName)) },
    ];
    const isNobodys = recording.kind === 'none' && !seen.some(({ shows }) => shows);
    const others = isNobodys ? await asked("LiveKit's Redis", whoClaims(egressId, parts.livekitClient)) : undefined;
    const witnesses = others === undefined ? seen : [...seen, { name: 'installations' as const, ...others }];
    return { record, witnesses, ...(recording.kind === 'ended' ? { recording: recording.view } : {}) };
  });
}

type Says = Omit<Witness, 'name'>;

async function recordingOf(egressId: string, parts: GhostWitnessParts): Promise<RecordingWitness> {
  const attempt = parseAttemptEgressId(egressId);
  return attempt ? parts.recordingOf(attempt.recordingId) : { kind: 'none' };
}

function workflowSays(recording: RecordingWitness): Says {
  if (recording.kind === 'open') return { shows: true, says: 'its recording is open' };
  if (recording.kind === 'none') return { shows: false, says: 'no recording' };
  return { shows: false, says: `its recording is ${recording.view.stage}` };
}

function redisSays(egressId: string, living: ReadonlySet<string>): Says {
  const shown = [...living].find((one) => isOf(egressId, one));
  return shown === undefined
    ? { shows: false, says: 'nobody' }
    : { shows: true, says: `a worker listens for ${shown}` };
}

function roomSays(egressId: string, room: string, identities: readonly string[] | undefined): Says {
  if (room === '') return { shows: false, says: 'it has none' };
  const shown = identities?.find((identity) => isOf(egressId, identity));
  return shown === undefined ? { shows: false, says: 'not in it' } : { shows: true, says: `${shown} is in it` };
}

/** The egress itself, or another attempt of its recording. */
function isOf(egressId: string, other: string): boolean {
  const recordingId = parseAttemptEgressId(egressId)?.recordingId;
  return other === egressId || (recordingId !== undefined && parseAttemptEgressId(other)?.recordingId === recordingId);
}

/** Who would stop it: a worker, or a Reelkit of another installation that has its recording. No claim is granted, so nothing stops. */
async function whoClaims(egressId: string, client: Pick<RpcClient, 'dryRun'>): Promise<Says> {
  const claim = await client.dryRun({
    service: 'EgressHandler',
    method: 'StopEgress',
    topic: egressId,
    request: new StopEgressRequest({ egressId }).toBinary(),
    claimTimeoutMs: CLAIM_MS,
  });
  if (!claim) return { shows: false, says: 'nobody' };
  const who = isReelkitServer(claim.serverId) ? 'another Reelkit' : 'a worker';
  return { shows: true, says: `${who} would stop it` };
}

async function identitiesByRoom(
  records: readonly EgressInfo[],
  list: GhostWitnessParts['listParticipants'],
): Promise<Map<string, string[]>> {
  const rooms = [...new Set(records.map(({ roomName }) => roomName))].filter((room) => room !== '');
  return new Map(
    await eachAtOnce(
      ASKED_AT_ONCE,
      rooms,
      async (room): Promise<[string, string[]]> => [room, (await list(room)).map(({ identity }) => identity)],
    ),
  );
}

function asked<T>(who: string, answer: Promise<T>): Promise<T> {
  return answer.catch((error: unknown) => {
    throw new WitnessUnavailable(who, error);
  });
}
