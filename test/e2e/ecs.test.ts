// Recordings on ECS, through HTTP and LiveKit's own SDK: a burst from no task to files and back to none, and what happens in the middle of
// it: no capacity, throttling, a Spot notice, a machine that dies, Reelkit killed while it launches.
import { EncodedFileOutput } from 'livekit-server-sdk';
import { describe, expect, test } from 'vitest';
import { useStack } from '../support/stack.ts';
import { recordedRooms } from '../support/stack-rooms.ts';
import { waitFor } from '../support/stack-wait.ts';

const SPOT_FIRST = [{ capacityProvider: 'FARGATE_SPOT' }, { capacityProvider: 'FARGATE' }];
const e2e = useStack({
  fleet: { maxWorkers: 8 },
  account: { ecs: { bootMs: 1_000, jitterMs: 500, lagMs: 300, noticeMs: 60_000, strategies: SPOT_FIRST } },
});

const { record, untilRecording, complete, untilNextPart } = recordedRooms(e2e);

const ranOn = () => e2e.account.ecs.tasks().map(({ provider }) => provider);

describe('recordings on Fargate', () => {
  test("a burst of LiveKit's SDK against no task at all becomes files, each recorded once, and no task is left", async () => {
    const { livekit, service, account } = e2e;
    const rooms = await livekit.createRooms(6, 'burst');
    const file = () => new EncodedFileOutput({ filepath: `${service.recordingsDir}/{room_name}-{time}.mp4` });
    const started = await Promise.all(
      rooms.map((room) => livekit.egresses.startRoomCompositeEgress(room, { file: file() })),
    );
    const ids = started.map(({ egressId }) => egressId);
    await untilRecording(ids);
    expect(account.ecs.tasks()).toHaveLength(6);
    const ended = await complete(rooms, ids);
    expect(ended.map(({ parts }) => parts.map(({ files }) => files.length))).toEqual(ids.map(() => [1]));
    await e2e.untilFleetIsEmpty();
    expect(account.ecs.tasks().map(({ stopCode }) => stopCode)).toEqual(ids.map(() => 'UserInitiated'));
  });

  test('a fleet that has gone back to nothing asks AWS nothing', async () => {
    const { account } = e2e;
    await waitFor(
      'no call to AWS for ten seconds',
      async () => Date.now() - (account.aws.calls.at(-1)?.atMs ?? 0),
      (sinceMs) => sinceMs > 10_000,
      60_000,
    );
  });

  test('without Spot capacity they run on demand, and whoever waits is told why when there is none at all', async () => {
    const { account, api } = e2e;
    const before = account.ecs.tasks().length;
    account.ecs.withoutCapacity.add('FARGATE_SPOT').add('FARGATE');
    const { rooms, ids } = await record(2, 'no-spot');
    await waitFor('the reason in the decisions of the fleet', api.fleet, ({ decisions }) =>
      decisions.some(({ line }) => line.includes('Capacity is unavailable')),
    );
    account.ecs.withoutCapacity.delete('FARGATE');
    await untilRecording(ids);
    expect(ranOn().slice(before)).toEqual(['FARGATE', 'FARGATE']);
    account.ecs.withoutCapacity.clear();
    await complete(rooms, ids);
  });

  test('a Spot notice moves the recording to another task before its own has ended', async () => {
    const { account, api } = e2e;
    const { rooms, ids } = await record(1, 'spot');
    await untilRecording(ids);
    const [id = ''] = ids;
    const { parts } = await api.show(id);
    const task = parts[0]?.worker?.id ?? '';
    account.ecs.notice(task, 'SpotInterruption');
    const told = await waitFor(
      'the recording to know when its worker ends',
      () => api.show(id),
      (view) => view.parts[0]?.workerEndsAtMs !== undefined,
    );
    expect(told.stage).toBe('recording');
    const moved = await waitFor(
      'it to be handed over',
      () => api.show(id),
      (view) => view.parts.length === 2 && view.parts[0]?.end !== undefined,
    );
    expect(moved.parts[1]?.worker?.id).not.toBe(task);
    expect(moved.parts[1]?.startedAtMs).toBeLessThan(moved.parts[0]?.endedAtMs ?? 0);
    await account.ecs.crash(task);
    const [ended] = await complete(rooms, ids);
    expect(ended?.parts.map(({ end }) => end?.status)).toEqual(['COMPLETE', 'COMPLETE']);
  });

  test('a machine that dies without a word costs a part, not the recording', async () => {
    const { account, api } = e2e;
    const { rooms, ids } = await record(1, 'dies');
    await untilRecording(ids);
    const [id = ''] = ids;
    await account.ecs.crash((await api.show(id)).parts[0]?.worker?.id ?? '');
    await untilNextPart(id);
    await complete(rooms, ids);
  });

  test('while AWS throttles every call recordings wait, and each is recorded once when it does no more', async () => {
    const { account } = e2e;
    await e2e.untilFleetIsEmpty();
    const before = account.ecs.tasks().length;
    const relent = account.aws.strike('throttle');
    const { rooms, ids } = await record(3, 'throttled');
    await Promise.all(ids.map((id) => e2e.api.untilStage(id, 'waiting')));
    const refused = account.aws.calls.length;
    await waitFor(
      'it to try again',
      async () => account.aws.calls.length,
      (calls) => calls > refused + 3,
    );
    relent();
    await untilRecording(ids);
    expect(account.ecs.tasks().length - before).toBe(3);
    await complete(rooms, ids);
  });

  test('Reelkit killed while it launches launches nothing twice', async () => {
    const { account, service, api } = e2e;
    await e2e.untilFleetIsEmpty();
    const before = account.ecs.tasks().length;
    account.aws.delay(400);
    const { rooms, ids } = await record(4, 'killed');
    await waitFor(
      'the first task',
      async () => account.ecs.tasks().length,
      (tasks) => tasks > before,
    );
    await service.kill('SIGKILL');
    account.aws.delay(0);
    await service.start();
    await untilRecording(ids);
    const { workers } = await api.fleet();
    expect(workers.filter(({ busy }) => busy)).toHaveLength(4);
    expect(account.ecs.tasks().length - before).toBe(4);
    await complete(rooms, ids);
    await e2e.untilFleetIsEmpty();
  });
});
