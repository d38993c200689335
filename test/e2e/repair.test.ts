// Records in LiveKit that nobody runs, as a plain worker leaves them that was killed before Reelkit came, and as a restored Redis shows
// them: `reelkit repair` ends them, and no other.
import { join } from 'node:path';
import { EncodedFileOutput } from '@livekit/protocol';
import { execa } from 'execa';
import { EgressStatus } from 'livekit-server-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LookedRecord } from '../../src/api/schemas.ts';
import { createRpcClient } from '../../src/bus/client.ts';
import { createRedisTransport } from '../../src/bus/redis.ts';
import { repositoryRoot } from '../../src/dev/components/sources.ts';
import { type Speaker, startSpeaker } from '../../src/dev/speakers.ts';
import { createLiveKitRecords } from '../../src/livekit/records.ts';
import { startEgressWorker } from '../support/plain-worker.ts';
import { useStack } from '../support/stack.ts';
import { waitFor } from '../support/stack-wait.ts';
import { receiveWebhooks } from '../support/webhooks.ts';

const webhooks = await receiveWebhooks();
const e2e = useStack({ stack: { webhookUrls: [webhooks.url] } });
afterAll(() => webhooks.close());

const { EGRESS_STARTING, EGRESS_ACTIVE, EGRESS_COMPLETE, EGRESS_FAILED, EGRESS_ABORTED } = EgressStatus;
/** `hang-…` rooms: their egress stays STARTING. */
const FAULTS = JSON.stringify([{ room: '^hang-', step: 'start', action: 'hang' }]);

const recordOf = async (egressId: string) => (await e2e.livekit.egresses.listEgress({ egressId }))[0];
const untilStatus = (egressId: string, status: EgressStatus) =>
  waitFor(
    `${egressId} in status ${status}`,
    () => recordOf(egressId),
    (info) => info?.status === status,
    30_000,
  );

async function startPlain(label: string, status = EGRESS_ACTIVE) {
  const room = await e2e.livekit.createRoom(label);
  const file = new EncodedFileOutput({ filepath: `${e2e.service.recordingsDir}/${label}.mp4` });
  const { egressId } = await e2e.livekit.egresses.startRoomCompositeEgress(room, { file }, { audioOnly: true });
  await untilStatus(egressId, status);
  return { room, egressId };
}

function plainWorker() {
  return startEgressWorker({
    stack: e2e.stack,
    redis: e2e.stack.redis,
    egress: e2e.egressBin,
    env: { STANDIN_FAULTS: FAULTS },
  });
}

async function repair(...args: string[]) {
  const { stdout, exitCode } = await execa(
    join(repositoryRoot, 'bin/reelkit'),
    ['repair', '--older-than', '1s', ...args],
    { env: { ...e2e.stack.env, REELKIT_URL: e2e.service.url }, reject: false, stdin: 'ignore' },
  );
  return { stdout, exitCode };
}

async function look(): Promise<Record<string, LookedRecord>> {
  const { stdout } = await repair('--json');
  const { records } = JSON.parse(stdout) as { records: LookedRecord[] };
  return Object.fromEntries(records.map((record) => [record.egressId, record]));
}

const shown = (record: LookedRecord | undefined) =>
  record?.witnesses.filter(({ shows }) => shows).map(({ name }) => name);

let ghost: string;
let unstarted: string;
let seen: { room: string; egressId: string };
let living: string;
let ours: { room: string; id: string };
let recorder: Speaker;

beforeAll(async () => {
  webhooks.trust(e2e.stack.livekit);
  await e2e.service.stop();
  const killed = await plainWorker();
  ghost = (await startPlain('ghost')).egressId;
  unstarted = (await startPlain('hang', EGRESS_STARTING)).egressId;
  seen = await startPlain('seen');
  await killed.kill('SIGKILL');
  // As a recorder shows that has lost its Redis, and records on.
  const { livekit, logDir } = e2e.stack;
  const place = { livekit, room: seen.room, identity: seen.egressId, toneHz: 440, logFile: `${logDir}/recorder.log` };
  recorder = await startSpeaker(place);
  await plainWorker();
  living = (await startPlain('living')).egressId;
  await e2e.service.start();
  const room = await e2e.livekit.createRoom('ours');
  ours = { room, id: (await e2e.api.record({ source: { type: 'room', room } })).id };
  await e2e.api.untilStage(ours.id, 'recording');
});
afterAll(() => recorder?.stop());

test('shows who runs what, and what nobody runs, and changes nothing without being asked', async () => {
  const records = await waitFor(
    'both ghosts to be old enough',
    look,
    (all) => all[ghost]?.verdict === 'nobody' && all[unstarted]?.verdict === 'nobody',
    30_000,
  );
  expect(records[ghost]).toMatchObject({ verdict: 'nobody', end: { status: 'EGRESS_FAILED' } });
  expect(records[ghost]?.witnesses).toHaveLength(5);
  expect(records[unstarted]).toMatchObject({ verdict: 'nobody', end: { status: 'EGRESS_ABORTED' } });
  expect(shown(records[living])).toEqual(['livekitRedis']);
  expect(shown(records[seen.egressId])).toEqual(['room']);
  expect(shown(records[ours.id])).toEqual(['workflow', 'workersRedis']);
  const { stdout, exitCode } = await repair();
  expect(exitCode).toBe(0);
  expect(stdout).toContain('Nothing was changed');
  expect(stdout).toMatch(new RegExp(`${ghost} +EGRESS_ACTIVE .*nobody's: would be EGRESS_FAILED`));
  expect(stdout).toMatch(new RegExp(`${living} .*left alone: LiveKit's Redis: a worker listens for ${living}`));
  expect(await recordOf(ghost)).toMatchObject({ status: EGRESS_ACTIVE });
});

test('ends in LiveKit what nobody runs, so that applications hear of it, and leaves the others alone', async () => {
  const { stdout, exitCode } = await repair('--yes');
  expect(exitCode).toBe(0);
  expect(stdout).toContain(`${ghost}  ended as EGRESS_FAILED`);
  expect(await recordOf(ghost)).toMatchObject({
    status: EGRESS_FAILED,
    errorCode: 500,
    error: 'nobody runs this egress any more; ended by reelkit repair',
  });
  expect(await recordOf(unstarted)).toMatchObject({ status: EGRESS_ABORTED, errorCode: 412 });
  await waitFor(
    'egress_ended of both',
    async () => [webhooks.of(ghost).at(-1), webhooks.of(unstarted).at(-1)],
    (last) => last.join() === 'egress_ended FAILED,egress_ended ABORTED',
    30_000,
  );
  expect(webhooks.badSignatures).toBe(0);
  for (const one of [living, seen.egressId, ours.id])
    expect(await recordOf(one)).toMatchObject({ status: EGRESS_ACTIVE });
});

test('one that a room showed is ended once the room shows it no more', async () => {
  await recorder.stop();
  await waitFor('nobody runs it', look, (all) => all[seen.egressId]?.verdict === 'nobody', 60_000);
  await repair('--yes');
  expect(await recordOf(seen.egressId)).toMatchObject({ status: EGRESS_FAILED });
});

test('a record that a restored Redis shows as it was ends as its recording ended, with its file', async () => {
  const running = await recordOf(ours.id);
  await e2e.livekit.closeRoom(ours.room);
  expect((await e2e.api.untilEnded(ours.id)).stage).toBe('completed');
  await untilStatus(ours.id, EGRESS_COMPLETE);
  if (!running) throw new Error('it was in the list');
  const bus = await createRedisTransport(e2e.stack.redis, { name: 'livekit' });
  const client = await createRpcClient(bus);
  await createLiveKitRecords(client).update(running);
  await untilStatus(ours.id, EGRESS_ACTIVE);
  await client.close();
  await bus.close();

  await waitFor('nobody runs it', look, (all) => all[ours.id]?.verdict === 'nobody', 30_000);
  await repair('--yes');
  expect(await recordOf(ours.id)).toMatchObject({
    status: EGRESS_COMPLETE,
    fileResults: [{ location: expect.stringMatching(/mp4$/) }],
  });
});
