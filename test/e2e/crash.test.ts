// The service is killed at every stage of a recording and started again: the same recording, one egress, the right end.
import { afterEach, expect, test } from 'vitest';
import { useStack } from '../support/stack.ts';
import { ACTIVE, COMPLETE } from '../support/stack-livekit.ts';

// Booting and starting take seconds here, so that there is time to be killed in.
const e2e = useStack({
  fleet: { maxWorkers: 4, costs: { audioRoomComposite: 1 } },
  capacity: { bootDelay: '3s' },
  workerEnv: { STANDIN_LAUNCH_DELAY: '3s' },
});

afterEach(() => e2e.service.start());

const audioOf = (room: string) => ({ source: { type: 'room' as const, room, audioOnly: true } });

async function record() {
  const room = await e2e.livekit.createRoom('crash');
  const { id } = await e2e.api.record(audioOf(room));
  return { room, id };
}

async function finish(id: string, room: string) {
  await e2e.livekit.closeRoom(room);
  const ended = await e2e.api.untilEnded(id);
  expect(ended).toMatchObject({ stage: 'completed', reason: { code: 'finished' }, parts: [{ number: 1 }] });
  expect(ended.parts).toHaveLength(1);
  expect(ended.parts[0]?.files).toHaveLength(1);
  await e2e.livekit.untilStatus(id, COMPLETE);
}

test('killed while a recording waits for a worker, it is started once by the next service', async () => {
  const { id, room } = await record();
  await e2e.api.untilStage(id, 'waiting');
  await e2e.service.kill('SIGKILL');
  await e2e.service.start();
  await e2e.api.untilStage(id, 'recording', 90_000);
  await finish(id, room);
});

test('killed while a worker starts, the recorder goes on: the attempt is believed, and one file is made', async () => {
  const { api, livekit, service } = e2e;
  const warm = await record();
  await api.untilStage(warm.id, 'recording', 90_000);
  const { id, room } = await record();
  // The worker was granted it and is still launching: it answers only 3 s later.
  await api.untilFleet('a worker that launches it', ({ workers }) =>
    workers.some(({ egressIds }) => egressIds.includes(id)),
  );
  expect(await api.show(id)).toMatchObject({ stage: expect.stringMatching(/^(starting|waiting)$/) });
  await service.kill('SIGKILL');
  await service.start();
  const { parts } = await api.untilStage(id, 'recording', 90_000);
  expect(parts).toMatchObject([{ number: 1, egressId: id, attempts: 1 }]);
  await api.untilFleet('this attempt alone', ({ workers }) => {
    const shown = workers.flatMap(({ egressIds }) => egressIds.filter((one) => one.startsWith(id)));
    return shown.length === 1 && shown[0] === id;
  });
  await livekit.untilStatus(id, ACTIVE);
  await finish(id, room);
  await finish(warm.id, warm.room);
});

test('killed while it records, the recording goes on, and its end is noticed although nobody was there', async () => {
  const { api, livekit, service } = e2e;
  const { id, room } = await record();
  await api.untilStage(id, 'recording', 90_000);
  await service.kill('SIGKILL');
  await livekit.closeRoom(room);
  await service.start();
  const ended = await api.untilEnded(id);
  expect(ended).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
  expect(ended.parts[0]?.files).toHaveLength(1);
});

test('SIGTERM in the middle of a burst loses nothing and doubles nothing', async () => {
  const { api, livekit, service } = e2e;
  const rooms = await livekit.createRooms(10, 'term');
  const keyOf = (room: string) => `key-${room}`;
  const answers = rooms.map((room) =>
    api.request(audioOf(room), keyOf(room)).then(
      ({ status }) => status,
      () => 0,
    ),
  );
  await Promise.any(answers);
  const pid = service.pid() ?? 0;
  await service.stop();
  expect(() => process.kill(pid, 0)).toThrow();
  const first = await Promise.all(answers);
  expect(first).toContain(201);
  await service.start();
  // Whoever got no answer asks again with the same key, as the API says.
  const again = await Promise.all(rooms.map((room) => api.request(audioOf(room), keyOf(room))));
  first.forEach((status, index) => {
    if (status === 201) expect(again[index]?.status).toBe(200);
  });
  const ids = again.map(({ body }) => body.id);
  await Promise.all(ids.map((id) => api.untilStage(id, 'recording', 120_000)));
  const egresses = await livekit.list();
  for (const id of ids) expect(egresses.filter(({ egressId }) => egressId === id)).toHaveLength(1);
  await Promise.all(rooms.map((room) => livekit.closeRoom(room)));
  for (const id of ids) expect(await api.untilEnded(id)).toMatchObject({ stage: 'completed' });
  await e2e.untilFleetIsEmpty();
});
