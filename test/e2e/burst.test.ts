// Many recordings at once against no worker at all: the whole need in one step, each recorded exactly once, in order, and back
// to nothing.
import { expect, test } from 'vitest';
import { useStack } from '../support/stack.ts';
import { ACTIVE } from '../support/stack-livekit.ts';
import { fleetHistory } from '../support/stack-temporal.ts';
import { holdsFor, waitFor } from '../support/stack-wait.ts';

const e2e = useStack({ fleet: { maxWorkers: 6 } });

test('six recordings requested at once against no worker are each recorded exactly once', async () => {
  const { api, livekit } = e2e;
  const rooms = await livekit.createRooms(6, 'burst');
  const accepted = await Promise.all(rooms.map((room) => api.record({ source: { type: 'room', room } })));
  await Promise.all(accepted.map(({ id }) => api.untilStage(id, 'recording')));

  const egresses = await livekit.list();
  expect(egresses.map(({ egressId }) => egressId).sort()).toEqual(accepted.map(({ id }) => id).sort());
  await Promise.all(accepted.map(({ id }) => livekit.untilStatus(id, ACTIVE)));
  await api.untilFleet('six busy workers', ({ workers }) => workers.filter(({ busy }) => busy).length === 6);

  await Promise.all(rooms.map((room) => livekit.closeRoom(room)));
  const ended = await Promise.all(accepted.map(({ id }) => api.untilEnded(id)));
  expect(ended.map(({ stage, reason }) => [stage, reason?.code])).toEqual(rooms.map(() => ['completed', 'finished']));
  expect(ended.every(({ parts }) => parts.length === 1 && parts[0]?.files.length === 1)).toBe(true);
  await e2e.untilFleetIsEmpty();
});

test('the whole need of the burst was asked for in one launch', async () => {
  const { decisions } = await e2e.api.fleet();
  const launches = decisions.filter(({ line }) => /launch/i.test(line));
  expect(launches.map(({ line }) => line)).toHaveLength(1);
  expect(launches[0]?.line).toMatch(/\b6\b/);
});

test('a fleet that has gone back to nothing writes no history and keeps no timer', async () => {
  const asleep = await waitFor(
    'the fleet to sleep without a timer',
    () => fleetHistory(e2e.temporal),
    ({ pendingTimers, pendingActivities, pendingWorkflowTasks }) =>
      pendingTimers + pendingActivities + pendingWorkflowTasks === 0,
  );
  await holdsFor(
    'no new event in the history of the fleet',
    10_000,
    () => fleetHistory(e2e.temporal),
    ({ events }) => events === asleep.events,
  );
});

test('with one worker, waiting recordings start by priority, then first come, and a newcomer overtakes nobody', async () => {
  await e2e.restartService({ fleet: { maxWorkers: 1 } });
  const { api, livekit } = e2e;
  const request = async (priority: number) =>
    api.record({ source: { type: 'room', room: await livekit.createRoom('queue') }, priority, maxDuration: '1s' });
  const blocker = await api.record({ source: { type: 'room', room: await livekit.createRoom('queue') } });
  await api.untilStage(blocker.id, 'recording');

  const second = await request(3);
  const third = await request(3);
  const urgent = await request(1);
  await Promise.all([second, third, urgent].map(({ id }) => api.untilStage(id, 'waiting')));
  await api.cancel(blocker.id);
  const newcomer = await request(3);
  await api.untilEnded(urgent.id);
  const last = await request(3);

  const expected = [urgent, second, third, newcomer, last].map(({ id }) => id);
  const ended = await Promise.all(expected.map((id) => api.untilEnded(id, 90_000)));
  expect(ended.map(({ stage }) => stage)).toEqual(expected.map(() => 'completed'));
  const startedAt = (index: number) => ended[index]?.parts[0]?.startedAtMs ?? 0;
  expect(expected.toSorted((a, b) => startedAt(expected.indexOf(a)) - startedAt(expected.indexOf(b)))).toEqual(
    expected,
  );
  for (const id of expected) expect(await livekit.egressesOf(id)).toHaveLength(1);
});
