// Redis, LiveKit and Temporal go away in the middle of a recording and come back: it ends right, and nothing is lost.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { useStack } from '../support/stack.ts';
import type { Problem } from '../support/stack-api.ts';
import { ACTIVE } from '../support/stack-livekit.ts';
import { waitFor } from '../support/stack-wait.ts';

const e2e = useStack();

async function recordingRoom() {
  const room = await e2e.livekit.createRoom('outage');
  const { id } = await e2e.api.record({ source: { type: 'room', room } });
  await e2e.api.untilStage(id, 'recording');
  return { room, id };
}

async function endsRight(id: string, room: string) {
  const { api, livekit } = e2e;
  await livekit.untilStatus(id, ACTIVE);
  await api.untilStage(id, 'recording');
  // A server that has just come back may answer late, and then have done it.
  const close = () =>
    livekit.closeRoom(room).catch((error: Error) => {
      if (!/not.?found|does not exist/i.test(error.message)) throw error;
    });
  await waitFor('the room to be closed', close, () => true);
  const ended = await api.untilEnded(id, 90_000);
  expect(ended).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
  expect(ended.parts).toHaveLength(1);
  expect(await livekit.egressesOf(id)).toHaveLength(1);
}

test("a restart of LiveKit's Redis leaves a recording alone", async () => {
  const { id, room } = await recordingRoom();
  await e2e.stack.kill('redis');
  await sleep(2_000);
  await e2e.stack.restart('redis');
  await sleep(5_000);
  await endsRight(id, room);
});

test("a restart of the workers' Redis leaves a recording alone", async () => {
  const { id, room } = await recordingRoom();
  await e2e.stack.kill('workersRedis');
  await sleep(2_000);
  await e2e.stack.restart('workersRedis');
  await endsRight(id, room);
});

test('a restart of LiveKit leaves a recording alone', async () => {
  const { id, room } = await recordingRoom();
  await e2e.stack.kill('livekit');
  await sleep(3_000);
  await e2e.stack.restart('livekit');
  await sleep(5_000);
  // As participants do who come back: the room moves from the server that is gone to the one that is there.
  await e2e.livekit.rooms.createRoom({ name: room, emptyTimeout: 3_600, departureTimeout: 3_600 });
  await endsRight(id, room);
});

test('without Temporal requests get a 503 that says so, and what was accepted before is not lost', async () => {
  const { api, livekit } = e2e;
  const { id, room } = await recordingRoom();
  const waiting = await api.record({ source: { type: 'room', room: 'opens-after-the-outage' } });
  await api.untilStage(waiting.id, 'waiting');
  await e2e.stack.kill('temporal');
  const downSince = performance.now();

  const source = { type: 'room' as const, room };
  const refused = await api.post<Problem>('/v1/recordings', { source }, { headers: { 'Idempotency-Key': 'outage' } });
  expect(refused).toMatchObject({
    status: 503,
    body: { code: 'temporal_unavailable', recordingId: expect.any(String) },
  });
  expect(refused.headers.get('content-type')).toMatch('application/problem+json');
  expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
  const readiness = await waitFor(
    'readyz to name Temporal',
    () => api.call<{ checks: Record<string, { ok: boolean; detail: string }> }>('/readyz', { token: null }),
    ({ status }) => status === 503,
  );
  expect(readiness.body.checks.temporal).toMatchObject({ ok: false, detail: expect.stringMatching(/Temporal/) });
  expect(readiness.body.checks.livekit).toMatchObject({ ok: true });
  expect(await api.call('/healthz', { token: null })).toMatchObject({ status: 200 });
  await sleep(Math.max(0, 10_000 - (performance.now() - downSince)));
  await e2e.stack.restart('temporal');

  await waitFor(
    'readyz',
    () => api.call('/readyz', { token: null }),
    ({ status }) => status === 200,
  );
  await livekit.rooms.createRoom({ name: 'opens-after-the-outage', emptyTimeout: 600 });
  await api.untilStage(waiting.id, 'recording', 120_000);
  await api.cancel(waiting.id);
  await endsRight(id, room);
});
