// Auto egress: LiveKit itself asks for a recording when a room is made, by CreateRoom or by the token of who comes first, and when
// somebody publishes. In bursts against no worker at all: nobody's call fails, and everything is recorded exactly once.
import {
  AutoParticipantEgress,
  AutoTrackEgress,
  EncodedFileOutput,
  RoomCompositeEgressRequest,
  RoomConfiguration,
  RoomEgress,
} from '@livekit/protocol';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Speaker, startSpeaker } from '../../src/dev/speakers.ts';
import { useStack } from '../support/stack.ts';
import { ACTIVE, isLive } from '../support/stack-livekit.ts';
import { waitFor } from '../support/stack-wait.ts';
import { receiveWebhooks } from '../support/webhooks.ts';

const webhooks = await receiveWebhooks();
const e2e = useStack({
  fleet: { maxWorkers: 2 },
  capacity: { coresPerWorker: 100, bootDelay: '3s' },
  egress: { cpu_cost: { max_pulse_clients: 1_000 } },
  stack: { webhookUrls: [webhooks.url] },
});
const speakers: Speaker[] = [];

beforeAll(() => webhooks.trust(e2e.stack.livekit));
beforeEach(() => e2e.untilFleetIsEmpty());
afterAll(async () => {
  await Promise.all(speakers.map((speaker) => speaker.stop()));
  await webhooks.close();
});

const named = (label: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${label}-${index}-${process.pid}`);

function recordingOf(room: string): RoomEgress {
  const fileOutputs = [new EncodedFileOutput({ filepath: `${e2e.service.recordingsDir}/${room}.mp4` })];
  return new RoomEgress({ room: new RoomCompositeEgressRequest({ roomName: room, fileOutputs }) });
}

/** A small picture now and then: what it costs is not what is looked at. */
async function speak(room: string, egress?: RoomEgress): Promise<Speaker> {
  const { stack } = e2e;
  const speaker = await startSpeaker({
    livekit: stack.livekit,
    room,
    identity: 'ada',
    toneHz: 440,
    width: 64,
    height: 36,
    fps: 2,
    logFile: `${stack.logDir}/speakers.log`,
    ...(egress ? { roomConfig: new RoomConfiguration({ egress }) } : {}),
  });
  speakers.push(speaker);
  return speaker;
}

const egressesIn = async (rooms: readonly string[]) =>
  (await e2e.livekit.list()).filter(({ room }) => rooms.includes(room));

/** One egress each, which records; then the rooms close, and each has one end. */
async function expectRecordedOnce(rooms: readonly string[], perRoom = 1) {
  const egresses = await waitFor(
    `${rooms.length * perRoom} egresses that record`,
    () => egressesIn(rooms),
    (seen) => seen.filter(({ status }) => status === ACTIVE).length >= rooms.length * perRoom,
  );
  expect(egresses.map(({ room }) => room).sort()).toEqual(rooms.flatMap((room) => Array(perRoom).fill(room)).sort());
  for (const { egressId } of egresses) expect(await e2e.api.show(egressId)).toMatchObject({ stage: 'recording' });

  await Promise.all(rooms.map((room) => e2e.livekit.closeRoom(room)));
  for (const { egressId } of egresses) {
    const { stage, reason, parts } = await e2e.api.untilEnded(egressId);
    expect({ stage, files: parts.map(({ files }) => files.length) }, `${egressId}: ${reason?.message}`).toEqual({
      stage: 'completed',
      files: [1],
    });
  }
  expect((await egressesIn(rooms)).map(({ egressId }) => egressId).sort()).toEqual(
    egresses.map(({ egressId }) => egressId).sort(),
  );
  for (const { egressId } of egresses) {
    const told = await waitFor(
      `the webhooks of ${egressId}`,
      async () => webhooks.of(egressId),
      (events) => events.at(-1)?.startsWith('egress_ended') ?? false,
    );
    expect(told).toEqual([
      'egress_started STARTING',
      'egress_updated ACTIVE',
      'egress_updated ENDING',
      'egress_ended COMPLETE',
    ]);
  }
  expect((await egressesIn(rooms)).filter(isLive)).toEqual([]);
  return egresses;
}

test('twenty rooms made at once with egress of their own are recorded, each once', async () => {
  const rooms = named('auto', 20);
  const made = await Promise.all(
    rooms.map((name) => e2e.livekit.rooms.createRoom({ name, emptyTimeout: 600, egress: recordingOf(name) })),
  );
  expect(made.map(({ name }) => name)).toEqual(rooms);
  // A room that is there already is not recorded again.
  await e2e.livekit.rooms.createRoom({ name: rooms[0] ?? '', egress: recordingOf(rooms[0] ?? '') });
  const egresses = await expectRecordedOnce(rooms);
  for (const { egressId, room } of egresses)
    expect(await e2e.api.show(egressId)).toMatchObject({ id: egressId, request: { source: { type: 'room', room } } });
});

test("rooms that open at once with their first participant's token are recorded, each once", async () => {
  const rooms = named('token', 5);
  await Promise.all(rooms.map((room) => speak(room, recordingOf(room))));
  await expectRecordedOnce(rooms);
});

test('whoever publishes is recorded once, and so is each of their tracks', async () => {
  const rooms = named('published', 2);
  const folder = e2e.service.recordingsDir;
  const egress = new RoomEgress({
    participant: new AutoParticipantEgress({
      fileOutputs: [new EncodedFileOutput({ filepath: `${folder}/{room_name}-{publisher_identity}.mp4` })],
    }),
    tracks: new AutoTrackEgress({ filepath: `${folder}/{room_name}-{track_id}` }),
  });
  for (const name of rooms) await e2e.livekit.rooms.createRoom({ name, emptyTimeout: 600, egress });
  const published = await Promise.all(rooms.map((room) => speak(room)));
  const egresses = await expectRecordedOnce(rooms, 3);
  const sources = await Promise.all(
    egresses.map(async ({ egressId }) => (await e2e.api.show(egressId)).request.source),
  );
  const wanted = published.flatMap(({ room, identity, audioTrackId, videoTrackId }) => [
    expect.objectContaining({ type: 'participant', room, identity }),
    ...[audioTrackId, videoTrackId].map((trackId) => ({ type: 'track', room, trackId })),
  ]);
  expect(sources).toHaveLength(wanted.length);
  expect(sources).toEqual(expect.arrayContaining(wanted));
});
