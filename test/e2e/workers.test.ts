// Workers die, and workflows are ended from outside: what the fleet's pass finds and stops.
import { expect, test } from 'vitest';
import { useStack } from '../support/stack.ts';
import { ACTIVE, COMPLETE } from '../support/stack-livekit.ts';
import { terminateRecording } from '../support/stack-temporal.ts';
import { waitFor } from '../support/stack-wait.ts';

/** One worker is always free for somebody else. */
const e2e = useStack({ fleet: { maxWorkers: 6, headroomCores: 1 } });

/** Its worker's death counts once LiveKit's own time for starting is over. */
const LOSS_LIMIT_MS = 90_000;

async function record() {
  const room = await e2e.livekit.createRoom('worker');
  const { id } = await e2e.api.record({ source: { type: 'room', room } });
  return { room, id };
}

async function recordingEgress(id: string): Promise<string> {
  const { parts } = await e2e.api.untilStage(id, 'recording', 90_000);
  return parts[0]?.egressId ?? '';
}

test.concurrent('a recording whose worker is killed goes on with a next part on another worker', async () => {
  const { api, livekit } = e2e;
  const { id, room } = await record();
  const first = await recordingEgress(id);
  const killed = await e2e.killWorkerOf(first);
  const view = await waitFor(
    'a second part that records',
    () => api.show(id),
    ({ stage, parts }) => stage === 'recording' && parts[1]?.startedAtMs !== undefined,
    LOSS_LIMIT_MS,
  );
  expect(view.parts).toMatchObject([{ egressId: first, end: { status: 'LOST' } }, { number: 2 }]);
  const second = view.parts[1]?.egressId ?? '';
  const fleet = await api.untilFleet('the second part', ({ workers }) =>
    workers.some(({ egressIds }) => egressIds.includes(second)),
  );
  expect(fleet.workers.find(({ egressIds }) => egressIds.includes(second))?.id).not.toBe(killed);

  await livekit.closeRoom(room);
  const ended = await api.untilEnded(id);
  expect(ended).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
  expect(ended.parts.map(({ files }) => files.length)).toEqual([0, 1]);
  await livekit.untilStatus(id, COMPLETE);
});

test.concurrent('a recording whose worker is killed and whose room is gone fails with worker_lost', async () => {
  const { api, livekit } = e2e;
  const { id, room } = await record();
  await e2e.killWorkerOf(await recordingEgress(id));
  await livekit.closeRoom(room);
  expect(await api.untilEnded(id, LOSS_LIMIT_MS)).toMatchObject({
    stage: 'failed',
    reason: { code: 'worker_lost' },
    parts: [{ number: 1, end: { status: 'LOST' }, files: [] }],
  });
});

test.concurrent('the egress of a recording that was terminated in Temporal is stopped, and no other', async () => {
  const { api, livekit, temporal } = e2e;
  const { id } = await record();
  const other = await record();
  await Promise.all([recordingEgress(id), recordingEgress(other.id)]);
  await terminateRecording(temporal, id);
  await livekit.untilNotLive(id);
  // Its worker finishes the file, which no workflow hears any more.
  const view = await waitFor(
    'its file is known',
    () => api.show(id),
    ({ parts }) => parts[0]?.end !== undefined,
  );
  expect(view).toMatchObject({
    stage: 'failed',
    reason: { code: 'terminated' },
    parts: [{ number: 1, egressId: id, files: [{}], end: { status: 'COMPLETE' } }],
  });
  await livekit.untilStatus(other.id, ACTIVE);
  await livekit.closeRoom(other.room);
  expect(await api.untilEnded(other.id)).toMatchObject({ stage: 'completed' });
});
