// While a recording waits for capacity: cancel, the end of its room, a false report of that end, its deadline. One worker, and it is
// taken.
import { EgressStatus, EncodedFileOutput } from 'livekit-server-sdk';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { useStack } from '../support/stack.ts';
import { isLive } from '../support/stack-livekit.ts';
import { holdsFor, waitFor } from '../support/stack-wait.ts';

const e2e = useStack({
  fleet: { maxWorkers: 1 },
  config: { rules: [{ match: { room: 'hurried-*' }, startWithin: '20s' }] },
});

let blockerRoom = '';

beforeAll(async () => {
  blockerRoom = await e2e.livekit.createRoom('blocker');
  const { id } = await e2e.api.record({ source: { type: 'room', room: blockerRoom } });
  await e2e.api.untilStage(id, 'recording');
});

afterAll(async () => {
  expect((await e2e.livekit.list()).filter(isLive).map(({ room }) => room)).toEqual([blockerRoom]);
});

async function waitingRecording(more: object = {}) {
  const room = await e2e.livekit.createRoom('waits');
  const { id } = await e2e.api.record({ source: { type: 'room', room }, ...more });
  const { waiting } = await e2e.api.untilStage(id, 'waiting');
  expect(waiting).toMatchObject({ for: 'capacity', detail: expect.stringMatching(/core|wait|ready/) });
  return { room, id };
}

/** As an application that knows LiveKit alone begins it. */
async function waitingEgress(label: string) {
  const room = await e2e.livekit.createRoom(label);
  const file = new EncodedFileOutput({ filepath: `${e2e.service.recordingsDir}/${room}.mp4` });
  const { egressId } = await e2e.livekit.egresses.startRoomCompositeEgress(room, { file });
  await e2e.api.untilStage(egressId, 'waiting');
  return { room, egressId };
}

const untilEnd = (egressId: string) =>
  waitFor(
    `the end of ${egressId} in LiveKit's list`,
    async () => (await e2e.livekit.egresses.listEgress({ egressId }))[0],
    (info) => info !== undefined && info.status > EgressStatus.EGRESS_ENDING,
  );

test.concurrent('it is shown its place in the queue; cancelling it ends it at once, and nothing is started', async () => {
  const { id } = await waitingRecording();
  await waitFor(
    'its place in the queue',
    () => e2e.api.show(id),
    ({ waiting }) => (waiting?.position ?? 0) >= 1,
  );
  await e2e.api.cancel(id);
  expect(await e2e.api.untilEnded(id)).toMatchObject({
    stage: 'cancelled',
    reason: { code: 'cancelled' },
    parts: [],
  });
});

test.concurrent('the end of its room expires it, and nothing is started', async () => {
  const { id, room } = await waitingRecording();
  await e2e.livekit.closeRoom(room);
  expect(await e2e.api.untilEnded(id)).toMatchObject({
    stage: 'expired',
    reason: { code: 'room_ended' },
    parts: [],
  });
});

test.concurrent("the end of its room aborts one that LiveKit's SDK began, with nothing recorded", async () => {
  const { egressId, room } = await waitingEgress('waits');
  await e2e.livekit.closeRoom(room);
  expect(await untilEnd(egressId)).toMatchObject({
    status: EgressStatus.EGRESS_ABORTED,
    errorCode: 412,
    details: 'End reason: Source closed',
  });
  expect(await e2e.api.untilEnded(egressId)).toMatchObject({ reason: { code: 'room_ended' }, parts: [] });
});

test.concurrent('a room that is opened again under its name for others is not recorded', async () => {
  const { livekit, api } = e2e;
  const { egressId, room } = await waitingEgress('waits');
  await livekit.rooms.deleteRoom(room);
  await livekit.rooms.createRoom({ name: room, emptyTimeout: 600 });
  expect(await untilEnd(egressId)).toMatchObject({ status: EgressStatus.EGRESS_ABORTED, errorCode: 412 });
  expect(await api.untilEnded(egressId)).toMatchObject({ reason: { code: 'room_ended' }, parts: [] });
});

test.concurrent('a room_finished webhook for a room that lives changes nothing', async () => {
  const { api, livekit } = e2e;
  const { id, room } = await waitingRecording();
  const body = JSON.stringify({ event: 'room_finished', id: 'EV_x', room: { name: room, sid: 'RM_x' } });
  const Authorization = await livekit.signedWebhook(body);
  const headers = { Authorization, 'Content-Type': 'application/webhook+json' };
  expect(await api.post('/webhooks/livekit', body, { token: null, headers })).toMatchObject({ status: 200 });
  await holdsFor(
    'waiting',
    5_000,
    () => api.show(id),
    ({ stage }) => stage === 'waiting',
  );
  await api.cancel(id);
  await api.untilEnded(id);
});

test.concurrent('no capacity within startWithin expires it, and says what it waited for', async () => {
  const { id } = await waitingRecording({ startWithin: '20s' });
  expect(await e2e.api.untilEnded(id)).toMatchObject({
    stage: 'expired',
    reason: { code: 'start_deadline', message: expect.stringMatching(/capacity/) },
    parts: [],
  });
});

test.concurrent("a rule's startWithin fails one that LiveKit's SDK began, and LiveKit's list says why", async () => {
  const { egressId } = await waitingEgress('hurried');
  expect(await untilEnd(egressId)).toMatchObject({
    status: EgressStatus.EGRESS_FAILED,
    errorCode: 503,
    error: expect.stringMatching(/capacity/),
  });
  expect(await e2e.api.untilEnded(egressId)).toMatchObject({ reason: { code: 'start_deadline' }, parts: [] });
});
