// Through LiveKit alone, with its unmodified SDK: an application that has never heard of Reelkit.
import { EgressStatus, EncodedFileOutput, EncodedFileType } from 'livekit-server-sdk';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useStack } from '../support/stack.ts';
import { waitFor } from '../support/stack-wait.ts';
import { receiveWebhooks } from '../support/webhooks.ts';

const webhooks = await receiveWebhooks();
const e2e = useStack({ fleet: { maxWorkers: 2 }, stack: { webhookUrls: [webhooks.url] } });

beforeAll(() => webhooks.trust(e2e.stack.livekit));
afterAll(() => webhooks.close());

const file = (name: string) =>
  new EncodedFileOutput({ fileType: EncodedFileType.MP4, filepath: `${e2e.service.recordingsDir}/${name}` });

async function startRoom(name: string): Promise<{ room: string; egressId: string }> {
  const room = await e2e.livekit.createRoom(name);
  const started = await e2e.livekit.egresses.startRoomCompositeEgress(room, { file: file(`${room}.mp4`) });
  expect(started).toMatchObject({ roomName: room, status: EgressStatus.EGRESS_STARTING });
  return { room, egressId: started.egressId };
}

const recordOf = async (egressId: string) => (await e2e.livekit.egresses.listEgress({ egressId }))[0];
const untilStatus = (egressId: string, status: EgressStatus) =>
  waitFor(
    `${egressId} to be ${EgressStatus[status]}`,
    () => recordOf(egressId),
    (info) => info?.status === status,
  );

describe('an egress that the SDK started with no worker anywhere', () => {
  test('is accepted at once, records, is stopped, and is one egress in the list and in the webhooks', async () => {
    const { egressId, room } = await startRoom('sdk');
    await untilStatus(egressId, EgressStatus.EGRESS_ACTIVE);
    expect(await e2e.api.show(egressId)).toMatchObject({ id: egressId, stage: 'recording' });
    expect(await e2e.livekit.egresses.stopEgress(egressId)).toMatchObject({ status: EgressStatus.EGRESS_ENDING });
    const ended = await untilStatus(egressId, EgressStatus.EGRESS_COMPLETE);
    expect(ended?.fileResults).toMatchObject([{ filename: `${e2e.service.recordingsDir}/${room}.mp4` }]);
    expect(await e2e.api.untilEnded(egressId)).toMatchObject({ stage: 'completed', reason: { code: 'stopped' } });
    await waitFor(
      'its webhooks',
      async () => webhooks.of(egressId),
      (events) => events.length >= 4,
    );
    expect(webhooks.of(egressId)).toEqual([
      'egress_started STARTING',
      'egress_updated ACTIVE',
      'egress_updated ENDING',
      'egress_ended COMPLETE',
    ]);
    expect(webhooks.badSignatures).toBe(0);
  });

  test("cannot be stopped once it has ended, in LiveKit's words", async () => {
    const { egressId, room } = await startRoom('ended');
    await untilStatus(egressId, EgressStatus.EGRESS_ACTIVE);
    await e2e.livekit.closeRoom(room);
    await untilStatus(egressId, EgressStatus.EGRESS_COMPLETE);
    await e2e.api.untilEnded(egressId);
    await expect(e2e.livekit.egresses.stopEgress(egressId)).rejects.toMatchObject({
      status: 412,
      message: expect.stringContaining('egress with status EGRESS_COMPLETE cannot be stopped'),
    });
  });

  test('is aborted when it is stopped while it waits', async () => {
    const rooms = await e2e.livekit.createRooms(3, 'full');
    const started = await Promise.all(
      rooms.map((room) => e2e.livekit.egresses.startRoomCompositeEgress(room, { file: file(`${room}.mp4`) })),
    );
    const waiting = await waitFor(
      'one of three to wait for two workers',
      () => Promise.all(started.map(({ egressId }) => e2e.api.show(egressId))),
      (views) => views.filter(({ stage }) => stage === 'recording').length === 2,
    );
    const last = waiting.find(({ stage }) => stage === 'waiting');
    expect(await e2e.livekit.egresses.stopEgress(last?.id ?? '')).toMatchObject({
      status: EgressStatus.EGRESS_ABORTED,
      errorCode: 412,
      error: 'Stop called before pipeline could start',
    });
    await waitFor(
      'its webhooks',
      async () => webhooks.of(last?.id ?? ''),
      (events) => events.length >= 2,
    );
    expect(webhooks.of(last?.id ?? '')).toEqual(['egress_started STARTING', 'egress_ended ABORTED']);
    for (const room of rooms) await e2e.livekit.closeRoom(room);
    for (const { egressId } of started) await e2e.api.untilEnded(egressId);
  });

  test("is refused at once, in the worker's words, when no worker would ever take it", async () => {
    const room = await e2e.livekit.createRoom('refused');
    await expect(
      e2e.livekit.egresses.startRoomCompositeEgress(
        room,
        { file: file('x.mp4') },
        { audioOnly: true, videoOnly: true },
      ),
    ).rejects.toMatchObject({
      status: 400,
      code: 'invalid_argument',
      message: expect.stringContaining('request has missing or invalid field: audio_only and video_only'),
    });
  });
});

test("an egress that Reelkit's own API began is in LiveKit's list and webhooks under the same id", async () => {
  const room = await e2e.livekit.createRoom('api');
  const { id } = await e2e.api.record({ source: { type: 'room', room } });
  await untilStatus(id, EgressStatus.EGRESS_ACTIVE);
  await e2e.livekit.egresses.stopEgress(id);
  await untilStatus(id, EgressStatus.EGRESS_COMPLETE);
  await waitFor(
    'its webhooks',
    async () => webhooks.of(id),
    (events) => events.length >= 4,
  );
  expect(webhooks.of(id)).toEqual([
    'egress_started STARTING',
    'egress_updated ACTIVE',
    'egress_updated ENDING',
    'egress_ended COMPLETE',
  ]);
  await e2e.untilFleetIsEmpty();
});
