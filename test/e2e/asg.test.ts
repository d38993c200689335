// Recordings on instances of an Auto Scaling group, through HTTP and LiveKit's own SDK: a burst from no instance to files and back to none,
// and what happens in the middle of it: a full zone, a scale-in from outside, a machine that dies, Reelkit killed while it launches.
import { EncodedFileOutput } from 'livekit-server-sdk';
import { expect, test } from 'vitest';
import { useStack } from '../support/stack.ts';
import { recordedRooms } from '../support/stack-rooms.ts';
import { waitFor } from '../support/stack-wait.ts';

const e2e = useStack({ fleet: { maxWorkers: 8 }, account: { asg: { bootMs: 1_000, jitterMs: 500, lagMs: 300 } } });

const { record, untilRecording, complete, untilNextPart } = recordedRooms(e2e);

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
  const { account } = e2e;
  const { rooms, ids } = await record(1, 'dies');
  await untilRecording(ids);
  const [id = ''] = ids;
  await account.asg.crash(await workerOf(id));
  await untilNextPart(id);
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
