// Who might run an egress: each witness alone is enough, and one that cannot be asked stops everything.
import { EgressInfo, EgressStatus } from '@livekit/protocol';
import { describe, expect, it } from 'vitest';
import { type GhostWitnessParts, question } from '../../../src/livekit/ghost-witnesses.ts';
import { judgeRecord } from '../../../src/livekit/ghosts.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import type { RecordingView } from '../../../src/recording/view.ts';
import { RECORDING } from './bed.ts';

const record = new EgressInfo({
  egressId: RECORDING,
  roomName: 'lesson',
  status: EgressStatus.EGRESS_ACTIVE,
  startedAt: 1_000_000n,
});
const view: RecordingView = {
  id: RECORDING,
  stage: 'completed',
  fleet: 'default',
  request: recordingRequestSchema.parse({ source: { type: 'room', room: 'lesson' } }),
  requestedAtMs: 0,
  startDeadlineMs: 1,
  parts: [],
};

const nobody: GhostWitnessParts = {
  recordingOf: async () => ({ kind: 'none' }),
  workersRedis: { egresses: async () => new Set(['EG_somebodyelse']) },
  livekitRedis: { egresses: async () => new Set() },
  livekitClient: { dryRun: async () => undefined },
  listParticipants: async () => [{ identity: 'teacher' }],
};

async function judge(change: Partial<GhostWitnessParts>, asked = record) {
  const [questioned] = await question([asked], { ...nobody, ...change });
  const witnesses = questioned?.witnesses ?? [];
  return {
    verdict: judgeRecord(asked, witnesses, 10_000),
    shown: witnesses.filter(({ shows }) => shows).map(({ name, says }) => `${name}: ${says}`),
    recording: questioned?.recording?.stage,
  };
}

describe('a record that LiveKit calls active', () => {
  it('is nobody’s when every witness says so', async () => {
    expect(await judge({})).toEqual({ verdict: 'nobody', shown: [], recording: undefined });
  });

  it.each<[string, Partial<GhostWitnessParts>]>([
    ['workflow: its recording is open', { recordingOf: async () => ({ kind: 'open' }) }],
    [
      `workersRedis: a worker listens for ${RECORDING}_2`,
      { workersRedis: { egresses: async () => new Set([`${RECORDING}_2`]) } },
    ],
    [
      `livekitRedis: a worker listens for ${RECORDING}`,
      { livekitRedis: { egresses: async () => new Set([RECORDING]) } },
    ],
    [`room: ${RECORDING}_1 is in it`, { listParticipants: async () => [{ identity: `${RECORDING}_1` }] }],
    [
      'installations: another Reelkit would stop it',
      { livekitClient: { dryRun: async () => ({ serverId: 'SRV_rk1', affinity: 1 }) } },
    ],
    [
      'installations: a worker would stop it',
      { livekitClient: { dryRun: async () => ({ serverId: 'SRV_x', affinity: 1 }) } },
    ],
  ])('is left alone when one shows it: %s', async (shown, change) => {
    expect(await judge(change)).toMatchObject({ verdict: 'somebody', shown: [shown] });
  });

  it('is left alone when it changed a moment ago', async () => {
    const changed = record.clone();
    changed.updatedAt = 10_001_000_000n;
    expect(await judge({}, changed)).toMatchObject({ verdict: 'recent' });
  });

  it('of a recording that has ended is nobody’s, although this Reelkit itself would claim its stop', async () => {
    const asked: string[] = [];
    const livekitClient = { dryRun: async () => void asked.push('dry run') as undefined };
    const ended = await judge({ recordingOf: async () => ({ kind: 'ended', view }), livekitClient });
    expect(ended).toMatchObject({ verdict: 'nobody', recording: 'completed' });
    expect(asked).toEqual([]);
  });

  it('without a room has one witness less', async () => {
    const web = new EgressInfo({ egressId: RECORDING, status: EgressStatus.EGRESS_ACTIVE, startedAt: 1n });
    const listParticipants = () => Promise.reject(new Error('there is no room to ask for'));
    expect(await judge({ listParticipants }, web)).toMatchObject({ verdict: 'nobody' });
  });
});

it.each<[RegExp, Partial<GhostWitnessParts>]>([
  [/^Temporal cannot be asked: away/, { recordingOf: () => Promise.reject(new Error('away')) }],
  [/^the workers' Redis cannot be asked/, { workersRedis: { egresses: () => Promise.reject(new Error('away')) } }],
  [/^LiveKit's Redis cannot be asked/, { livekitRedis: { egresses: () => Promise.reject(new Error('away')) } }],
  [/^LiveKit's Redis cannot be asked/, { livekitClient: { dryRun: () => Promise.reject(new Error('away')) } }],
  [/^LiveKit cannot be asked/, { listParticipants: () => Promise.reject(new Error('away')) }],
])('nothing is proven without a witness: %s', async (message, change) => {
  await expect(judge(change)).rejects.toThrow(message);
});
