// A day of people: one reloads the page, one comes late, one forgets a tab, and a page says by itself that the lesson is over. Real
// participants, real media, and an application that knows LiveKit alone.
import { mkdir, writeFile } from 'node:fs/promises';
import { EgressStatus, EncodedFileOutput } from 'livekit-server-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Speaker, startSpeaker } from '../../src/dev/speakers.ts';
import { useStack } from '../support/stack.ts';
import { waitFor } from '../support/stack-wait.ts';

const faults = [
  // As a worker says after 30 s.
  { room: '^late-', step: 'start', action: 'fail', code: 404, message: 'participant ada not found', times: 1 },
  { room: '^page-', step: 'active', action: 'end', details: 'End reason: Source closed', after: '1s' },
];
const e2e = useStack({
  media: true,
  fleet: { maxWorkers: 1, watchInterval: '3s', costs: { roomComposite: 1, participant: 1 } },
  capacity: { coresPerWorker: 8 },
  workerEnv: { STANDIN_FAULTS: JSON.stringify(faults) },
  config: { rules: [{ match: { room: 'tab-*' }, stopWhen: { participantsAtMost: 1, for: '10s' } }] },
});
const speakers: Speaker[] = [];

beforeAll(() => mkdir(e2e.stack.logDir, { recursive: true }));
afterAll(() => Promise.all(speakers.map((speaker) => speaker.stop())));

async function joins(room: string, identity = 'ada'): Promise<Speaker> {
  const { livekit, logDir } = e2e.stack;
  const picture = { width: 64, height: 36, fps: 2 };
  const speaker = await startSpeaker({ livekit, room, identity, toneHz: 440, ...picture, logFile: `${logDir}/s.log` });
  speakers.push(speaker);
  return speaker;
}

const fileIn = (room: string) => ({
  file: new EncodedFileOutput({ filepath: `${e2e.service.recordingsDir}/${room}.mp4` }),
});

async function untilEnd(egressId: string) {
  const info = await waitFor(
    `the end of ${egressId} in LiveKit's list`,
    async () => (await e2e.livekit.egresses.listEgress({ egressId }))[0],
    (one) => one !== undefined && one.status > EgressStatus.EGRESS_ENDING,
  );
  return info;
}

const untilItWaitsForItsSource = (id: string) =>
  waitFor(
    'it to wait for its source',
    () => e2e.api.show(id),
    ({ waiting }) => waiting?.for === 'source',
  );

test.concurrent('whoever reloads the page is recorded on, and LiveKit lists one egress with both files', async () => {
  const room = await e2e.livekit.createRoom('reload');
  const ada = await joins(room);
  const { egressId } = await e2e.livekit.egresses.startParticipantEgress(room, 'ada', fileIn(room));
  await e2e.api.untilStage(egressId, 'recording');
  await ada.stop();
  await untilItWaitsForItsSource(egressId);
  await joins(room);
  await waitFor(
    'a next part that records',
    () => e2e.api.show(egressId),
    ({ stage, parts }) => stage === 'recording' && parts.length === 2,
  );
  await e2e.livekit.closeRoom(room);
  const ended = await untilEnd(egressId);
  expect([ended?.status, ended?.fileResults.length]).toEqual([EgressStatus.EGRESS_COMPLETE, 2]);
  expect(await e2e.livekit.egressesOf(egressId)).toHaveLength(1);
});

test.concurrent('whoever comes late is waited for without a worker, and recorded from then on', async () => {
  const room = await e2e.livekit.createRoom('late');
  const { egressId } = await e2e.livekit.egresses.startParticipantEgress(room, 'ada', fileIn(room));
  expect((await untilItWaitsForItsSource(egressId)).parts).toEqual([]);
  const [waiting] = await e2e.livekit.egresses.listEgress({ egressId });
  expect(waiting?.status).toBe(EgressStatus.EGRESS_STARTING);
  await joins(room);
  await e2e.api.untilStage(egressId, 'recording');
  await e2e.livekit.closeRoom(room);
  const ended = await untilEnd(egressId);
  expect([ended?.status, ended?.fileResults.length]).toEqual([EgressStatus.EGRESS_COMPLETE, 1]);
});

test.concurrent('a forgotten tab keeps no recording alive where a rule says so', async () => {
  const room = await e2e.livekit.createRoom('tab');
  const [ada] = await Promise.all([joins(room), joins(room, 'the forgotten tab')]);
  const { egressId } = await e2e.livekit.egresses.startRoomCompositeEgress(room, fileIn(room));
  await e2e.api.untilStage(egressId, 'recording');
  await ada.stop();
  expect(await untilEnd(egressId)).toMatchObject({
    status: EgressStatus.EGRESS_COMPLETE,
    details: 'End reason: StopEgress API',
  });
  expect(await e2e.api.untilEnded(egressId)).toMatchObject({
    stage: 'completed',
    reason: { code: 'participants_left' },
    parts: [{ files: [{}] }],
  });
});

test.concurrent('a room that nobody published in is no failure', async () => {
  const room = await e2e.livekit.createRoom('silent');
  const { egressId } = await e2e.livekit.egresses.startRoomCompositeEgress(room, fileIn(room));
  await waitFor(
    'a worker that took it',
    () => e2e.api.show(egressId),
    ({ parts }) => parts[0]?.acceptedAtMs !== undefined,
  );
  await e2e.livekit.closeRoom(room);
  expect(await untilEnd(egressId)).toMatchObject({ status: EgressStatus.EGRESS_ABORTED, errorCode: 412 });
  expect(await e2e.api.untilEnded(egressId)).toMatchObject({
    stage: 'expired',
    reason: { code: 'nothing_to_record' },
  });
});

test.concurrent('a file that storage refuses is told of in its words, also when the egress was stopped', async () => {
  const room = await e2e.livekit.createRoom('refused');
  await joins(room);
  // What should be a folder is a file.
  const blocked = `${e2e.service.recordingsDir}/${room}`;
  await writeFile(blocked, '');
  const { egressId } = await e2e.livekit.egresses.startParticipantEgress(room, 'ada', fileIn(`${room}/lesson`));
  await e2e.api.untilStage(egressId, 'recording');
  await e2e.livekit.egresses.stopEgress(egressId);
  const ended = await untilEnd(egressId);
  expect(ended).toMatchObject({ status: EgressStatus.EGRESS_FAILED, errorCode: 400 });
  expect(ended?.error).toContain('upload failed');
  const view = await e2e.api.untilEnded(egressId);
  expect(view).toMatchObject({ stage: 'failed', reason: { code: 'upload_failed' }, parts: [{}] });
  expect(view.reason?.message).toContain(ended?.error ?? '?');
});

test.concurrent("the end that a template of one's own decides is the end, while the room lives", async () => {
  const room = await e2e.livekit.createRoom('page');
  await joins(room);
  const customBaseUrl = 'https://example.com/template';
  const { egressId } = await e2e.livekit.egresses.startRoomCompositeEgress(room, fileIn(room), { customBaseUrl });
  expect((await untilEnd(egressId))?.status).toBe(EgressStatus.EGRESS_COMPLETE);
  expect(await e2e.api.untilEnded(egressId)).toMatchObject({ reason: { code: 'finished' }, parts: [{}] });
  expect((await e2e.livekit.rooms.listRooms([room])).length).toBe(1);
});
