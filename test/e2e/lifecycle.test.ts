// The life of single recordings, asked for and followed over HTTP: cancel, extend, repeat, schedule, list, watch.
// The tests run side by side: each has rooms of its own, and the fleet is large enough for all.
import { EgressStatus, EncodedFileOutput } from 'livekit-server-sdk';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RecordingView } from '../../src/recording/view.ts';
import { useStack } from '../support/stack.ts';
import { accessToken, type Problem, readEvents } from '../support/stack-api.ts';
import { ABORTED, FAILED, isLive } from '../support/stack-livekit.ts';
import { holdsFor, waitFor } from '../support/stack-wait.ts';

const e2e = useStack({
  fleet: { minWorkers: 1, maxWorkers: 2, bootTimeout: '30s' },
  capacity: { coresPerWorker: 64 },
  config: { rules: [{ match: { room: 'ruled-*' }, maxDuration: '3s' }] },
  workerEnv: {
    STANDIN_FAULTS: JSON.stringify([
      { room: '^slow-stop', step: 'stop', action: 'hang' },
      { room: '^never-active', step: 'start', action: 'hang' },
    ]),
  },
});

const ofRoom = (room: string) => ({ source: { type: 'room' as const, room } });

async function recordRoom(label: string, more: object = {}): Promise<{ room: string; id: string }> {
  const room = await e2e.livekit.createRoom(label);
  const { id } = await e2e.api.record({ ...ofRoom(room), ...more });
  return { room, id };
}

beforeAll(async () => {
  await e2e.api.untilFleet('a worker is ready', ({ workers }) => workers.some(({ state }) => state === 'ready'));
});

describe.concurrent('cancel', () => {
  test('cancelling a scheduled recording ends it, and nothing is started', async () => {
    const { api, livekit } = e2e;
    const { id } = await recordRoom('scheduled', { startAt: new Date(Date.now() + 600_000).toISOString() });
    expect(await api.show(id)).toMatchObject({ stage: 'scheduled' });
    await api.cancel(id);
    expect(await api.untilEnded(id)).toMatchObject({ stage: 'cancelled', reason: { code: 'cancelled' }, parts: [] });
    expect(await livekit.egressesOf(id)).toEqual([]);
  });

  test('cancelling while it waits for its room ends it, and nothing is started', async () => {
    const { api, livekit } = e2e;
    const { id } = await api.record(ofRoom('a-room-that-never-opens'));
    await api.untilStage(id, 'waiting');
    expect(await api.show(id)).toMatchObject({ waiting: { for: 'room' } });
    await api.cancel(id);
    expect(await api.untilEnded(id)).toMatchObject({ stage: 'cancelled', reason: { code: 'cancelled' }, parts: [] });
    await livekit.untilStatus(id, ABORTED);
  });

  test('cancelling while the egress starts stops that egress', async () => {
    const { api, livekit } = e2e;
    const { id } = await recordRoom('never-active');
    await waitFor(
      'a worker to take it',
      () => api.show(id),
      ({ parts }) => parts[0]?.egressId !== undefined,
    );
    await api.cancel(id);
    expect(await api.untilEnded(id)).toMatchObject({ stage: 'cancelled', reason: { code: 'cancelled' } });
    await livekit.untilNotLive(id);
  });

  test('cancelling while it records finishes the file and keeps it', async () => {
    const { api, livekit } = e2e;
    const { id } = await recordRoom('cancel');
    await api.untilStage(id, 'recording');
    await api.cancel(id);
    const ended = await api.untilEnded(id);
    expect(ended).toMatchObject({ stage: 'cancelled', reason: { code: 'cancelled' }, parts: [{ number: 1 }] });
    expect(ended.parts[0]?.files).toHaveLength(1);
    await livekit.untilNotLive(id);
  });

  test('cancelling while it stops is no error, and once it has ended it is a 409', async () => {
    const { api } = e2e;
    const { id, room } = await recordRoom('slow-stop');
    await api.untilStage(id, 'recording');
    await api.cancel(id);
    expect(await api.untilStage(id, 'stopping')).toMatchObject({ parts: [{ number: 1 }] });
    expect(await api.post(`/v1/recordings/${id}/cancel`)).toMatchObject({ status: 200, body: { stage: 'stopping' } });
    expect(room).toMatch(/^slow-stop/);

    const other = await recordRoom('twice');
    await api.cancel(other.id);
    await api.untilEnded(other.id);
    const late = await api.post<Problem>(`/v1/recordings/${other.id}/cancel`);
    expect(late).toMatchObject({ status: 409, body: { code: 'recording_ended', recordingId: other.id } });
  });
});

describe.concurrent('extend', () => {
  const extend = (id: string, body: unknown) =>
    e2e.api.post<RecordingView & Problem>(`/v1/recordings/${id}/extend`, body);

  test('an extended recording ends at its new end and not before', async () => {
    const { api } = e2e;
    const { id } = await recordRoom('extend', { maxDuration: '10s' });
    const before = await api.untilStage(id, 'recording');
    const { status, body } = await extend(id, { by: '6s' });
    expect(status).toBe(200);
    expect((body.endDeadlineMs ?? 0) - (before.endDeadlineMs ?? 0)).toBe(6_000);
    const ended = await api.untilEnded(id);
    expect(ended).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
    const lastedMs = (ended.parts[0]?.endedAtMs ?? 0) - (ended.startedAtMs ?? 0);
    expect(lastedMs).toBeGreaterThanOrEqual(15_500);
    expect(await extend(id, { by: '1m' })).toMatchObject({ status: 409, body: { code: 'recording_ended' } });
  });

  test('until moves the end to a time, also to an earlier one', async () => {
    const { api } = e2e;
    const { id } = await recordRoom('until', { maxDuration: '1h' });
    await api.untilStage(id, 'recording');
    const until = Date.now() + 10_000;
    const { body } = await extend(id, { until: new Date(until).toISOString() });
    expect(body.endDeadlineMs).toBe(until);
    expect(await api.untilEnded(id)).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
  });

  test('an extension that is not valid is refused, and the end stays where it was', async () => {
    const { api } = e2e;
    const { id } = await recordRoom('bad-extension', { maxDuration: '1h' });
    const { endDeadlineMs } = await api.untilStage(id, 'recording');
    const bad: [unknown, string][] = [
      [{}, 'invalid_request'],
      [{ by: '1m', until: '2030-01-01T00:00:00Z' }, 'invalid_request'],
      [{ by: '-1m' }, 'invalid_request'],
      [{ by: '0s' }, 'invalid_request'],
      [{ until: 'tomorrow' }, 'invalid_request'],
      [{ until: '2020-01-01T00:00:00Z' }, 'invalid_extension'],
      [{ by: '24h' }, 'invalid_extension'],
    ];
    for (const [body, code] of bad) {
      expect(await extend(id, body), JSON.stringify(body)).toMatchObject({ status: 422, body: { code } });
    }
    expect((await api.show(id)).endDeadlineMs).toBe(endDeadlineMs);
    await api.cancel(id);
  });
});

describe.concurrent('the same request again', () => {
  test('the same key and body name the same recording, another body is a conflict', async () => {
    const { api, livekit } = e2e;
    const room = await livekit.createRoom('again');
    const key = `key-${room}`;
    const first = await api.record(ofRoom(room), key);
    await api.untilStage(first.id, 'recording');
    const again = await api.request(ofRoom(room), key);
    expect(again).toMatchObject({ status: 200, body: { id: first.id, stage: 'recording' } });
    const other = await api.request({ ...ofRoom(room), priority: 1 }, key);
    expect(other).toMatchObject({ status: 409, body: { code: 'idempotency_conflict', recordingId: first.id } });
    await api.cancel(first.id);
    await api.untilEnded(first.id);
    expect(await api.request(ofRoom(room), key)).toMatchObject({ status: 200, body: { stage: 'cancelled' } });
    expect(await livekit.egressesOf(first.id)).toHaveLength(1);
  });

  test('the same key ten times at once makes one recording', async () => {
    const { api, livekit } = e2e;
    const room = await livekit.createRoom('at-once');
    const answers = await Promise.all(Array.from({ length: 10 }, () => api.request(ofRoom(room), `key-${room}`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(9).fill(200), 201]);
    const [id = '', ...others] = new Set(answers.map(({ body }) => body.id));
    expect(others).toEqual([]);
    await api.untilStage(id, 'recording');
    expect((await livekit.list()).filter((egress) => egress.room === room)).toHaveLength(1);
    await api.cancel(id);
  });
});

describe.concurrent('the room', () => {
  test('a room that closes while it is recorded completes the recording, with its file', async () => {
    const { api, livekit } = e2e;
    const { id, room } = await recordRoom('closes');
    await api.untilStage(id, 'recording');
    await livekit.closeRoom(room);
    const ended = await api.untilEnded(id);
    expect(ended).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
    const [part] = ended.parts;
    expect(part?.files[0]).toMatchObject({ storage: 'local', sizeBytes: expect.any(Number) });
    expect(part).toMatchObject({ manifestLocation: expect.stringContaining(`${id}.json`) });
    expect(part).not.toHaveProperty('warnings');
  });

  test('a room_finished webhook for a room that lives changes nothing', async () => {
    const { api, livekit } = e2e;
    const { id, room } = await recordRoom('lives');
    await api.untilStage(id, 'recording');
    const body = JSON.stringify({ event: 'room_finished', id: 'EV_x', room: { name: room, sid: 'RM_x' } });
    const Authorization = await livekit.signedWebhook(body);
    const headers = { Authorization, 'Content-Type': 'application/webhook+json' };
    expect(await api.post('/webhooks/livekit', body, { token: null, headers })).toMatchObject({ status: 200 });
    await holdsFor(
      'recording',
      5_000,
      () => api.show(id),
      ({ stage }) => stage === 'recording',
    );
    expect((await livekit.egressesOf(id)).filter(isLive)).toHaveLength(1);
    await livekit.closeRoom(room);
    await api.untilEnded(id);
  });

  test('a room that opens late is recorded then', async () => {
    const { api, livekit } = e2e;
    const name = `late-${process.pid}`;
    const { id } = await api.record(ofRoom(name));
    await api.untilStage(id, 'waiting');
    await livekit.rooms.createRoom({ name, emptyTimeout: 600 });
    await api.untilStage(id, 'recording');
    await livekit.closeRoom(name);
    expect(await api.untilEnded(id)).toMatchObject({ stage: 'completed' });
  });

  test('a room that never opens within startWithin expires the recording', async () => {
    const { api, livekit } = e2e;
    const { id } = await api.record({ ...ofRoom('never-opens'), startWithin: '3s' });
    expect(await api.untilEnded(id)).toMatchObject({ stage: 'expired', reason: { code: 'room_never_appeared' } });
    await livekit.untilStatus(id, FAILED);
  });
});

describe.concurrent('time', () => {
  test('a scheduled recording starts at its time, and not before', async () => {
    const { api } = e2e;
    const dueMs = Date.now() + 15_000;
    const { id } = await recordRoom('due', { startAt: new Date(dueMs).toISOString(), maxDuration: '2s' });
    expect(await api.show(id)).toMatchObject({ stage: 'scheduled' });
    const ended = await api.untilEnded(id);
    expect(ended).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
    expect(ended.startedAtMs).toBeGreaterThanOrEqual(dueMs);
    expect(ended.startedAtMs).toBeLessThan(dueMs + 60_000);
  });

  test('maxDuration ends a recording on time', async () => {
    const { api } = e2e;
    const { id } = await recordRoom('short', { maxDuration: '3s' });
    const ended = await api.untilEnded(id);
    expect(ended).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
    const lastedMs = (ended.parts[0]?.endedAtMs ?? 0) - (ended.startedAtMs ?? 0);
    expect(lastedMs).toBeGreaterThanOrEqual(2_500);
    expect(lastedMs).toBeLessThan(60_000);
  });

  test("a rule's maxDuration ends one that LiveKit's SDK began, which cannot ask for any", async () => {
    const { api, livekit, service } = e2e;
    const room = await livekit.createRoom('ruled');
    const file = new EncodedFileOutput({ filepath: `${service.recordingsDir}/${room}.mp4` });
    const { egressId } = await livekit.egresses.startRoomCompositeEgress(room, { file });
    expect(await api.untilEnded(egressId)).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
    const [info] = await waitFor(
      'its end in the list',
      () => livekit.egresses.listEgress({ egressId }),
      ([seen]) => seen?.status === EgressStatus.EGRESS_COMPLETE,
    );
    const [result, ...more] = info?.fileResults ?? [];
    expect([result?.filename, more]).toEqual([`${service.recordingsDir}/${room}.mp4`, []]);
    const lastedMs = Number((result?.endedAt ?? 0n) - (result?.startedAt ?? 0n)) / 1e6;
    expect(lastedMs).toBeGreaterThanOrEqual(2_500);
    expect(lastedMs).toBeLessThan(60_000);
  });
});

describe.concurrent('looking on', () => {
  test('the event stream tells every stage in order, and ends with the recording', async () => {
    const { api } = e2e;
    const due = new Date(Date.now() + 10_000).toISOString();
    const { id } = await recordRoom('events', { startAt: due, maxDuration: '10s' });
    const response = await api.send(`/v1/recordings/${id}/events`, {}, AbortSignal.timeout(60_000));
    expect(response.headers.get('content-type')).toMatch('text/event-stream');
    const events = await readEvents(response);
    const stages = events.map(({ view }) => view.stage).filter((stage, index, all) => stage !== all[index - 1]);
    const order = ['scheduled', 'starting', 'waiting', 'recording', 'stopping', 'completed'];
    expect(stages[0]).toBe('scheduled');
    expect(stages).toContain('recording');
    expect(stages.at(-1)).toBe('completed');
    expect(stages.toSorted((a, b) => order.indexOf(a) - order.indexOf(b))).toEqual(stages);

    const again = await api.call(`/v1/recordings/${id}/events`, {
      headers: { 'Last-Event-ID': events.at(-1)?.id ?? '' },
    });
    expect(again.status).toBe(204);
  });

  test('the list filters by stage, room and label, and pages through all', async () => {
    const { api, livekit } = e2e;
    const room = await livekit.createRoom('list');
    const startAt = new Date(Date.now() + 600_000).toISOString();
    const labels = { course: 'a=b', quote: 'it\'s "7" \\ 8' };
    const made = await Promise.all([
      ...Array.from({ length: 4 }, () => api.record({ ...ofRoom(room), startAt })),
      api.record({ ...ofRoom(room), startAt, labels }),
    ]);
    const ids = made.map(({ id }) => id).sort();
    const inRoom = `room=${room}&stage=scheduled`;
    await waitFor(
      'five in the list',
      () => api.list(`?${inRoom}`),
      ({ recordings }) => recordings.length === 5,
    );

    const found: string[] = [];
    for (let token = ''; ; ) {
      const page = await api.list(`?${inRoom}&limit=2${token && `&pageToken=${token}`}`);
      expect(page.recordings.length).toBeLessThanOrEqual(2);
      found.push(...page.recordings.map(({ id }) => id));
      if (page.nextPageToken === undefined) break;
      token = page.nextPageToken;
    }
    expect(found.sort()).toEqual(ids);

    const byLabel = new URLSearchParams({ room });
    for (const [key, value] of Object.entries(labels)) byLabel.append('label', `${key}=${value}`);
    expect((await api.list(`?${byLabel}`)).recordings).toMatchObject([{ id: made[4]?.id, labels, stage: 'scheduled' }]);
    expect((await api.list(`?room=${room}&label=course%3Dc`)).recordings).toEqual([]);
    expect((await api.list(`?room=${room}&stage=recording`)).recordings).toEqual([]);

    await Promise.all(made.map(({ id }) => api.cancel(id)));
    const cancelled = `?room=${room}&stage=cancelled`;
    const ended = await waitFor(
      'five cancelled, and LiveKit knows',
      () => api.list(cancelled),
      ({ recordings }) => recordings.length === 5 && recordings.every(({ endedAtMs }) => endedAtMs !== undefined),
    );
    expect(ended.recordings.map(({ id }) => id).sort()).toEqual(ids);
  });

  test('a token for one room sees and touches the recordings of that room only', async () => {
    const { api, stack } = e2e;
    const mine = await recordRoom('mine');
    const foreign = await recordRoom('foreign');
    const token = await accessToken(stack.livekit, { roomRecord: true, room: mine.room });
    expect(await api.call(`/v1/recordings/${mine.id}`, { token })).toMatchObject({ status: 200 });
    expect(await api.call(`/v1/recordings/${foreign.id}`, { token })).toMatchObject({ status: 404 });
    expect(await api.post(`/v1/recordings/${foreign.id}/cancel`, undefined, { token })).toMatchObject({ status: 404 });
    expect(await api.call('/v1/fleets', { token })).toMatchObject({ status: 403 });
    await waitFor(
      'its own recording in the list',
      () => api.call<{ recordings: { id: string }[] }>('/v1/recordings', { token }),
      ({ body }) => body.recordings.length === 1 && body.recordings[0]?.id === mine.id,
    );
    await Promise.all([mine, foreign].map(({ id }) => api.cancel(id)));
  });
});

test('the fleet, the metrics and readiness tell what is there', async () => {
  const { api } = e2e;
  const { id } = await recordRoom('seen');
  const { parts } = await api.untilStage(id, 'recording');
  const egressId = parts[0]?.egressId ?? '';
  const fleet = await api.untilFleet(
    'its egress, its cores and its stage',
    ({ workers, demandCores, capacityCores, recordings, problems }) =>
      workers.some(({ egressIds }) => egressIds.includes(egressId)) &&
      demandCores >= 4 &&
      capacityCores >= 64 &&
      (recordings.recording ?? 0) >= 1 &&
      problems.length === 0,
  );
  expect(fleet).toMatchObject({ name: 'default', provider: 'process', minWorkers: 1, maxWorkers: 2 });

  const metrics = await api.metrics();
  for (const name of [
    'reelkit_recordings{fleet="default",stage="recording"}',
    'reelkit_recording_start_seconds_count',
    'reelkit_start_outcomes_total{fleet="default",outcome="started"}',
    'reelkit_workers{fleet="default",state="busy"}',
    'reelkit_cores{fleet="default",kind="demand"}',
    'reelkit_cores{fleet="default",kind="capacity"}',
    'reelkit_fleet_pass_seconds_count',
    'reelkit_http_request_seconds_count',
    'temporal_workflow_completed',
  ]) {
    expect(metrics, name).toContain(name);
  }
  expect(await api.call('/readyz', { token: null })).toMatchObject({ status: 200, body: { status: 'ready' } });
  expect(await api.call('/healthz', { token: null })).toMatchObject({ status: 200 });
  expect(await api.call('/openapi.json', { token: null })).toMatchObject({ status: 200 });
  await api.cancel(id);
});
