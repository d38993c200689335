// Recordings on instances of an Auto Scaling group, through HTTP and LiveKit's own SDK: a burst from no instance to files and back to none,
// and what happens in the middle of it: a full zone, a scale-in from outside, a machine that dies, Reelkit killed while it launches.
import { EncodedFileOutput } from 'livekit-server-sdk';
import { expect, test } from 'vitest';
import type { RecordingView } from '../../src/recording/view.ts';
import { useStack } from '../support/stack.ts';
import { waitFor } from '../support/stack-wait.ts';

const e2e = useStack({ fleet: { maxWorkers: 8 }, account: { asg: { bootMs: 1_000, jitterMs: 500, lagMs: 300 } } });

async function record(count: number, label: string) {
  const rooms = await e2e.livekit.createRooms(count, label);
  const accepted = await Promise.all(rooms.map((room) => e2e.api.record({ source: { type: 'room', room } })));
  return { rooms, ids: accepted.map(({ id }) => id) };
}

const untilRecording = (ids: string[]) => Promise.all(ids.map((id) => e2e.api.untilStage(id, 'recording', 90_000)));

async function complete(rooms: string[], ids: string[]): Promise<RecordingView[]> {
  await Promise.all(rooms.map((room) => e2e.livekit.closeRoom(room)));
  const ended = await Promise.all(ids.map((id) => e2e.api.untilEnded(id, 90_000)));
  expect(ended.map(({ stage, reason }) => [stage, reason?.code])).toEqual(ids.map(() => ['completed', 'finished']));
  for (const id of ids) expect(await e2e.livekit.egressesOf(id)).toHaveLength(1);
  return ended;
}

const workerOf = async (id: string) => (await e2e.api.show(id)).parts.at(-1)?.worker?.id ?? '';

test("a burst of LiveKit's SDK against no instance at all becomes files, with one zone full, and no instance is left", async () => {
  const { livekit, service, account } = e2e;
  account.asg.fullZones.add('eu-central-1b');
  const rooms = await livekit.createRooms(5, 'burst');
  const file = () => new EncodedFileOutput({ filepath: `${service.recordingsDir}/{room_name}-{time}.mp4` });
  const started = await Promise.all(
    rooms.map((room) => livekit.egresses.startRoomCompositeEgress(room, { file: file() })),
  );
  const ids = started.map(({ egressId }) => egressId);
  await untilRecording(ids);
  expect(account.asg.instances()).toHaveLength(5);
  expect(account.asg.instances().filter(({ zone }) => zone === 'eu-central-1b')).toEqual([]);
  const ended = await complete(rooms, ids);
  expect(ended.map(({ parts }) => parts.map(({ files }) => files.length))).toEqual(ids.map(() => [1]));
  await e2e.untilFleetIsEmpty();
  expect(account.asg.instances().map(({ why }) => why)).toEqual(ids.map(() => 'User initiated'));
});

test('an instance that somebody else ends finishes what it records, and takes nothing new', async () => {
  const { account } = e2e;
  const { rooms, ids } = await record(1, 'scale-in');
  await untilRecording(ids);
  const [id = ''] = ids;
  const leaving = await workerOf(id);
  account.asg.endFromOutside(leaving, 'a person lowered the desired capacity');
  const other = await record(1, 'newcomer');
  await untilRecording(other.ids);
  expect(await workerOf(other.ids[0] ?? '')).not.toBe(leaving);
  const [ended] = await complete(rooms, ids);
  expect(ended?.parts).toHaveLength(1);
  await complete(other.rooms, other.ids);
});

test('a machine that dies without a word costs a part, not the recording', async () => {
  const { account, api } = e2e;
  const { rooms, ids } = await record(1, 'dies');
  await untilRecording(ids);
  const [id = ''] = ids;
  await account.asg.crash(await workerOf(id));
  await waitFor(
    'its next part',
    () => api.show(id),
    (view) => view.stage === 'recording' && view.parts.length === 2,
    90_000,
  );
  await complete(rooms, ids);
});

test('Reelkit killed while it launches launches nothing twice', async () => {
  const { account, service } = e2e;
  await e2e.untilFleetIsEmpty();
  const before = account.asg.instances().length;
  account.aws.delay(400);
  const { rooms, ids } = await record(4, 'killed');
  await waitFor(
    'the first instance',
    async () => account.asg.instances().length,
    (count) => count > before,
  );
  await service.kill('SIGKILL');
  account.aws.delay(0);
  await service.start();
  await untilRecording(ids);
  expect(account.asg.instances().length - before).toBe(4);
  await complete(rooms, ids);
  await e2e.untilFleetIsEmpty();
});
