// Auto egress: LiveKit itself asks for a recording when a room is made. In a burst against no worker at all, and nobody's call fails.
import { AutoParticipantEgress, EncodedFileOutput, RoomCompositeEgressRequest, RoomEgress } from '@livekit/protocol';
import { expect, test } from 'vitest';
import { useStack } from '../support/stack.ts';
import { isLive } from '../support/stack-livekit.ts';

const e2e = useStack({ fleet: { maxWorkers: 1 }, capacity: { bootDelay: '10m' } });
const ROOMS = 20;

test('rooms made at once with egress of their own are recorded, each once', async () => {
  const { livekit, api, service } = e2e;
  const names = Array.from({ length: ROOMS }, (_, index) => `auto-${index}-${process.pid}`);
  const made = await Promise.all(
    names.map((name) => {
      const fileOutputs = [new EncodedFileOutput({ filepath: `${service.recordingsDir}/${name}.mp4` })];
      const room = new RoomCompositeEgressRequest({ roomName: name, fileOutputs });
      return livekit.rooms.createRoom({ name, emptyTimeout: 600, egress: new RoomEgress({ room }) });
    }),
  );
  expect(made.map(({ name }) => name)).toEqual(names);
  const egresses = (await livekit.list()).filter(isLive);
  expect(egresses.map(({ room }) => room).sort()).toEqual(names.toSorted());
  for (const { egressId, room } of egresses) {
    expect(await api.show(egressId)).toMatchObject({ id: egressId, request: { source: { type: 'room', room } } });
    await api.cancel(egressId);
  }
});

test('a room that asks for its participants is made, too', async () => {
  const name = `auto-participants-${process.pid}`;
  const participant = new AutoParticipantEgress({
    fileOutputs: [new EncodedFileOutput({ filepath: '{room_name}.mp4' })],
  });
  const made = await e2e.livekit.rooms.createRoom({ name, emptyTimeout: 600, egress: new RoomEgress({ participant }) });
  expect(made.name).toBe(name);
});
