import { describe, expect, it } from 'vitest';
import { errors } from '../../../../src/api/errors.ts';
import { canonicalHash, newRecordingId, recordingIdForKey } from '../../../../src/api/recordings/ids.ts';
import { RECORDING_ID } from '../../../../src/recording/attempt.ts';
import type { RecordingView } from '../../../../src/recording/view.ts';
import { API_KEY, API_SECRET, problemOf, ROOM_BODY, startTestApi, type TestApi, tokenFor } from '../support.ts';

const view = async (response: Response) => (await response.json()) as RecordingView;

async function accepted(api: TestApi, body: object = ROOM_BODY): Promise<string> {
  return (await view(await api.post('/v1/recordings', body))).id;
}

describe('POST /v1/recordings', () => {
  it('answers 201 with the recording and where to find it, after one call to the store', async () => {
    const api = await startTestApi();
    const response = await api.post('/v1/recordings', { ...ROOM_BODY, startWithin: '5m', labels: { course: '7' } });
    expect(response.status).toBe(201);
    const recording = await view(response);
    expect(response.headers.get('location')).toBe(`/v1/recordings/${recording.id}`);
    expect(recording).toMatchObject({ stage: 'starting', fleet: 'default', parts: [] });
    expect(recording.request).toMatchObject({ startWithin: 300_000, maxDuration: 21_600_000, labels: { course: '7' } });
    expect(recording.startDeadlineMs - recording.requestedAtMs).toBe(300_000);
    expect(api.recordings.calls).toEqual(['start']);
  });

  it('answers scheduled for one that is due later', async () => {
    const api = await startTestApi();
    const startAt = new Date(Date.now() + 3_600_000).toISOString();
    const recording = await view(await api.post('/v1/recordings', { ...ROOM_BODY, startAt }));
    expect(recording).toMatchObject({ stage: 'scheduled', startDeadlineMs: Date.parse(startAt) + 900_000 });
  });

  it('answers the same recording for the same Idempotency-Key and body, in whatever order its fields are', async () => {
    const api = await startTestApi();
    const key = { 'Idempotency-Key': 'lesson-1' };
    const first = await api.post('/v1/recordings', { ...ROOM_BODY, maxDuration: '1h' }, key);
    const second = await api.post('/v1/recordings', { maxDuration: '1h', ...ROOM_BODY }, key);
    expect([first.status, second.status]).toEqual([201, 200]);
    const { id } = await view(first);
    expect(await view(second)).toMatchObject({ id });
    expect(second.headers.get('location')).toBe(`/v1/recordings/${id}`);
    const held = [first, second].map(({ headers }) => headers.get('idempotency-key-held'));
    expect(held).toEqual(Array(2).fill('until 3d after the recording has ended'));
  });

  it('refuses the same Idempotency-Key with another body', async () => {
    const api = await startTestApi();
    const key = { 'Idempotency-Key': 'lesson-1' };
    const { id } = await view(await api.post('/v1/recordings', ROOM_BODY, key));
    const response = await api.post('/v1/recordings', { source: { type: 'room', room: 'other' } }, key);
    expect(response.status).toBe(409);
    expect(await problemOf(response)).toMatchObject({ code: 'idempotency_conflict', recordingId: id });
  });

  it('gives an Idempotency-Key to the caller: another room, or another API key, takes it for something of its own', async () => {
    const other = { apiKey: 'app', apiSecret: 'the-secret-of-the-app-is-32-bytes-long' };
    const api = await startTestApi({ keys: [{ apiKey: API_KEY, apiSecret: API_SECRET }, other] });
    const ask = async (room: string, token: string) => {
      const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': 'lesson-42' };
      const body = JSON.stringify({ source: { type: 'room', room } });
      return api.request('/v1/recordings', { method: 'POST', token, headers, body });
    };
    const inRoom = (room: string) => tokenFor({ roomRecord: true, room });
    const statuses = [
      await ask('eve', await inRoom('eve')),
      await ask('bob', await inRoom('bob')),
      await ask('bob', await tokenFor()),
      await ask('ada', await tokenFor({ roomRecord: true }, other)),
      await ask('bob', await inRoom('bob')),
    ].map(({ status }) => status);
    expect(statuses).toEqual([201, 201, 201, 201, 200]);
  });

  it('takes every request without a key for a new one', async () => {
    const api = await startTestApi();
    expect(await accepted(api)).not.toBe(await accepted(api));
  });

  it.each(['', 'with space', 'x'.repeat(129), 'ü'])('refuses the Idempotency-Key "%s"', async (key) => {
    const api = await startTestApi();
    const response = await api.post('/v1/recordings', ROOM_BODY, { 'Idempotency-Key': encodeURI(key) });
    expect(response.status).toBe(400);
    expect((await problemOf(response)).errors?.[0]?.field).toBe('Idempotency-Key');
  });

  it('names the known storages when the request names another', async () => {
    const api = await startTestApi();
    const response = await api.post('/v1/recordings', { ...ROOM_BODY, outputs: [{ type: 'file', storage: 'mars' }] });
    expect(response.status).toBe(422);
    const problem = await problemOf(response);
    expect(problem.code).toBe('unknown_storage');
    expect(problem.errors?.[0]).toMatchObject({ field: 'outputs.0.storage', value: 'mars' });
    expect(problem.detail).toContain('local, archive');
  });

  it('says that the outcome is unknown when Temporal does not answer, and under which id to look', async () => {
    const api = await startTestApi();
    api.recordings.failure = errors.temporalUnavailable(new Error('14 UNAVAILABLE'), 'some-id');
    const response = await api.post('/v1/recordings', ROOM_BODY);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
    expect(await problemOf(response)).toMatchObject({ code: 'temporal_unavailable', recordingId: 'some-id' });
  });
});

describe('bad requests name the field, the value and the remedy', () => {
  const ROWS: [name: string, body: unknown, field: string, text: RegExp][] = [
    ['no source', {}, 'source', /./],
    ['an unknown kind of source', { source: { type: 'moon' } }, 'source.type', /./],
    ['an empty room', { source: { type: 'room', room: '' } }, 'source.room', /at least 1/],
    ['a room of 257 characters', { source: { type: 'room', room: 'x'.repeat(257) } }, 'source.room', /at most 256/],
    ['a room with a line break', { source: { type: 'room', room: 'a\nb' } }, 'source.room', /control/],
    ['a number as the room', { source: { type: 'room', room: 7 } }, 'source.room', /string/],
    ['an unknown field', { ...ROOM_BODY, speed: 2 }, 'speed', /not a known field/],
    [
      'a misspelt field inside',
      { source: { type: 'room', room: 'a', layuot: 'grid' } },
      'source.layuot',
      /not a known/,
    ],
    ['a path that leaves the storage', withPath('../x'), 'outputs.0.path', /\.\./],
    ['a path that leaves it later', withPath('a/../../x'), 'outputs.0.path', /\.\./],
    ['an absolute path', withPath('/etc/passwd'), 'outputs.0.path', /absolute/],
    ['a Windows path', withPath('C:\\x'), 'outputs.0.path', /absolute/],
    ['a file of a kind that cannot be had', withPath('x.mp3'), 'outputs.0.path', /sound only.*use \.mp4/],
    [
      'playlists that are one only when their names are filled in',
      {
        ...ROOM_BODY,
        outputs: [{ type: 'segments', playlist: '{room}-{recording}', livePlaylist: 'lesson-{recording}' }],
      },
      'outputs',
      /every worker refuses: .*live_playlist_name cannot be identical/,
    ],
    ['an unknown placeholder', withPath('{user}'), 'outputs.0.path', /\{user\}/],
    ['a path of 513 characters', withPath('x'.repeat(513)), 'outputs.0.path', /512/],
    ['two files', { ...ROOM_BODY, outputs: [{ type: 'file' }, { type: 'file' }] }, 'outputs.1.type', /only one/],
    ['a stream to nowhere', { ...ROOM_BODY, outputs: [{ type: 'stream' }] }, 'outputs.0.urls', /array/],
    ['an unknown output', { ...ROOM_BODY, outputs: [{ type: 'tape' }] }, 'outputs.0.type', /none of the known kinds/],
    [
      'storage keys in the request',
      { ...ROOM_BODY, outputs: [{ type: 'file', secret: 's' }] },
      'outputs.0.secret',
      /known/,
    ],
    ['an unreadable duration', { ...ROOM_BODY, maxDuration: 'long' }, 'maxDuration', /"90s"/],
    ['a duration of two days', { ...ROOM_BODY, maxDuration: '2d' }, 'maxDuration', /between/],
    ['a time without zone', { ...ROOM_BODY, startAt: '2030-01-01T10:00:00' }, 'startAt', /zone/],
    ['a start in the year 9999', { ...ROOM_BODY, startAt: '9999-01-01T00:00:00Z' }, 'startAt', /366d ahead/],
    ['priority 6', { ...ROOM_BODY, priority: 6 }, 'priority', /at most 5/],
    ['priority 1.5', { ...ROOM_BODY, priority: 1.5 }, 'priority', /int/],
    ['21 labels', { ...ROOM_BODY, labels: manyLabels(21) }, 'labels', /20 labels/],
    [
      'labels of more than 1900 bytes',
      { ...ROOM_BODY, labels: { a: 'x'.repeat(255), ...longLabels(8) } },
      'labels',
      /bytes/,
    ],
    [
      'labels of quotes that are stored as three bytes each',
      { ...ROOM_BODY, labels: Object.fromEntries(['a', 'b', 'c'].map((key) => [key, '"'.repeat(255)])) },
      'labels',
      /1900 bytes as/,
    ],
    ['a label with a control character', { ...ROOM_BODY, labels: { a: 'b\u0000c' } }, 'labels.a', /control characters/],
    ['a label with half a character', { ...ROOM_BODY, labels: { a: '\ud800' } }, 'labels.a', /halves of characters/],
    [
      'a room with half a character',
      { source: { type: 'room', room: 'a\udc00' } },
      'source.room',
      /halves of characters/,
    ],
    ['a label key with a space', { ...ROOM_BODY, labels: { 'a b': 'c' } }, 'labels.a b', /letters/],
    ['a webhook that is no URL', { ...ROOM_BODY, webhook: { url: 'ftp://x' } }, 'webhook.url', /http/],
    ['an unknown preset', { ...ROOM_BODY, encoding: { preset: '8K' } }, 'encoding.preset', /H264_720P_30/],
    [
      'audio only and video only',
      { source: { type: 'room', room: 'a', audioOnly: true, videoOnly: true } },
      'source.videoOnly',
      /exclude/,
    ],
    ['a list', [], 'body', /object/],
    ['null', null, 'body', /object/],
    ['a prototype', JSON.parse('{"source":{"type":"room","room":"a"},"__proto__":{"x":1}}'), '__proto__', /known/],
  ];

  it.each(ROWS)('%s', async (_, body, field, text) => {
    const api = await startTestApi();
    const response = await api.post('/v1/recordings', body);
    expect(response.status).toBe(422);
    expect(response.headers.get('content-type')).toMatch('application/problem+json');
    const problem = await problemOf(response);
    expect(problem).toMatchObject({ code: 'invalid_request', type: '/docs#error-invalid_request', status: 422 });
    const [first] = problem.errors ?? [];
    expect(first?.field).toBe(field);
    expect(`${first?.message} ${first?.remedy}`).toMatch(text);
    expect(first?.remedy).not.toBe('');
    expect(api.recordings.calls).toEqual([]);
  });

  it('shows the value, shortened, and hides URLs, which may hold credentials', async () => {
    const api = await startTestApi();
    const room = await problemOf(await api.post('/v1/recordings', { source: { type: 'room', room: 'x'.repeat(300) } }));
    expect(room.errors?.[0]?.value).toBe(`${'x'.repeat(100)}…`);
    const webhook = { url: 'ftp://user:hunter2@host/?key=hunter2' };
    const url = await api.post('/v1/recordings', { ...ROOM_BODY, webhook });
    expect(await url.text()).not.toContain('hunter2');
    expect(api.logged()).not.toContain('hunter2');
  });
});

function withPath(path: string): object {
  return { ...ROOM_BODY, outputs: [{ type: 'file', path }] };
}
function manyLabels(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));
}
function longLabels(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'x'.repeat(240)]));
}

describe('GET /v1/recordings', () => {
  it('answers one page with the filters handed on', async () => {
    const api = await startTestApi();
    await accepted(api);
    const page = await (
      await api.request('/v1/recordings?stage=starting&room=lesson&label=a=b&label=c=d&limit=1')
    ).json();
    expect(page).toMatchObject({ recordings: [{ stage: 'starting' }] });
  });

  it.each([
    ['stage=flying', 'stage'],
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=many', 'limit'],
    ['label=noequals', 'label.0'],
    ['colour=red', 'colour'],
    [`room=${'x'.repeat(257)}`, 'room'],
  ])('refuses ?%s', async (query, field) => {
    const api = await startTestApi();
    const response = await api.request(`/v1/recordings?${query}`);
    expect(response.status).toBe(400);
    expect((await problemOf(response)).errors?.[0]?.field).toBe(field);
  });
});

describe('one recording', () => {
  it('answers its view', async () => {
    const api = await startTestApi();
    const id = await accepted(api);
    expect(await view(await api.request(`/v1/recordings/${id}`))).toMatchObject({ id, stage: 'starting' });
  });

  it.each(['unknown', 'NOT-AN-ID', 'x'.repeat(200), '..%2fhealthz'])('answers 404 for %s', async (id) => {
    const api = await startTestApi();
    expect((await api.request(`/v1/recordings/${id}`)).status).toBe(404);
  });

  it('is cancelled without a body; cancelled again is a conflict', async () => {
    const api = await startTestApi();
    const id = await accepted(api);
    const cancel = () => api.request(`/v1/recordings/${id}/cancel`, { method: 'POST' });
    expect(await view(await cancel())).toMatchObject({ stage: 'cancelled' });
    const again = await cancel();
    expect(again.status).toBe(409);
    expect(await problemOf(again)).toMatchObject({ code: 'recording_ended', recordingId: id });
  });

  it('is paused by whoever may cancel it, and resumed; ended it is a conflict', async () => {
    const api = await startTestApi();
    const id = await accepted(api);
    const ask = (what: string) => api.request(`/v1/recordings/${id}/${what}`, { method: 'POST' });
    expect((await view(await ask('pause'))).pauses).toEqual([{ sinceMs: expect.any(Number), by: expect.any(String) }]);
    expect((await view(await ask('resume'))).pauses).toMatchObject([{ untilMs: expect.any(Number) }]);
    api.recordings.change(id, { stage: 'scheduled' });
    expect(await problemOf(await ask('pause'))).toMatchObject({ status: 409, code: 'not_pausable' });
    api.recordings.change(id, { stage: 'completed' });
    for (const what of ['pause', 'resume'])
      expect(await problemOf(await ask(what))).toMatchObject({ status: 409, code: 'recording_ended' });
  });

  it('is extended by a duration or until a time', async () => {
    const api = await startTestApi();
    const id = await accepted(api);
    expect((await api.post(`/v1/recordings/${id}/extend`, { by: '30m' })).status).toBe(200);
    expect((await api.post(`/v1/recordings/${id}/extend`, { until: '2030-01-01T10:00:00Z' })).status).toBe(200);
    expect(api.recordings.extensions).toEqual([{ byMs: 1_800_000 }, { untilMs: Date.UTC(2030, 0, 1, 10) }]);
  });

  it.each([
    {},
    { by: '30m', until: '2030-01-01T10:00:00Z' },
    { by: '25h' },
    { by: '0s' },
    { by: 5 },
    { until: 'soon' },
  ])('is not extended by %j', async (body) => {
    const api = await startTestApi();
    const id = await accepted(api);
    const response = await api.post(`/v1/recordings/${id}/extend`, body);
    expect(response.status).toBe(422);
    expect((await problemOf(response)).errors?.length).toBeGreaterThan(0);
    expect(api.recordings.extensions).toEqual([]);
  });

  it('cannot be extended once it has ended', async () => {
    const api = await startTestApi();
    const id = await accepted(api);
    api.recordings.change(id, { stage: 'completed' });
    expect((await api.post(`/v1/recordings/${id}/extend`, { by: '30m' })).status).toBe(409);
  });
});

describe('recording ids', () => {
  it('are egress ids as LiveKit makes them, in its alphabet, and no two are alike', () => {
    const ids = Array.from({ length: 50 }, () => newRecordingId());
    for (const id of ids) expect(id).toMatch(/^EG_[2-9A-HJ-NP-Za-km-z]{20}$/);
    expect(new Set(ids).size).toBe(50);
    expect(recordingIdForKey({ apiKey: 'a' }, 'k')).toMatch(RECORDING_ID);
  });

  it('follow from API key and Idempotency-Key together', () => {
    expect(recordingIdForKey({ apiKey: 'a' }, 'k')).toBe(recordingIdForKey({ apiKey: 'a' }, 'k'));
    expect(recordingIdForKey({ apiKey: 'a' }, 'k')).not.toBe(recordingIdForKey({ apiKey: 'b' }, 'k'));
    expect(recordingIdForKey({ apiKey: 'a' }, 'k')).not.toBe(recordingIdForKey({ apiKey: 'a', onlyRoom: 'r' }, 'k'));
    expect(recordingIdForKey({ apiKey: 'a' }, 'b\nc')).not.toBe(recordingIdForKey({ apiKey: 'a\nb' }, 'c-'));
  });

  it('hash requests alike whatever the order of their fields', () => {
    expect(canonicalHash({ a: 1, b: { c: [1, { d: 2, e: 3 }] } })).toBe(
      canonicalHash({ b: { c: [1, { e: 3, d: 2 }] }, a: 1 }),
    );
    expect(canonicalHash({ a: [1, 2] })).not.toBe(canonicalHash({ a: [2, 1] }));
  });
});
