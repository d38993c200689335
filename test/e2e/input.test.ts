// What the API refuses, and how it says so: bodies, tokens, signatures. Nothing of this reaches Temporal.
import { expect, test } from 'vitest';
import { useStack } from '../support/stack.ts';
import { accessToken, type Problem } from '../support/stack-api.ts';

const e2e = useStack();

const room = { type: 'room', room: 'a-room' };
const source = room;

const REFUSED_BODIES: [what: string, body: unknown, status: number, field?: string][] = [
  ['no JSON at all', '{"source":', 400],
  ['a JSON text', '"record"', 422],
  ['null', 'null', 422],
  ['a list', '[]', 422],
  ['nothing', {}, 422, 'source'],
  ['an unknown kind of source', { source: { type: 'cinema' } }, 422, 'source.type'],
  ['a room without a name', { source: { type: 'room' } }, 422, 'source.room'],
  ['an empty room name', { source: { type: 'room', room: '' } }, 422, 'source.room'],
  ['a room name that is too long', { source: { type: 'room', room: 'x'.repeat(257) } }, 422, 'source.room'],
  ['a room name with a control character', { source: { type: 'room', room: 'a\nb' } }, 422, 'source.room'],
  ['a room name that is a number', { source: { type: 'room', room: 7 } }, 422, 'source.room'],
  ['audio only and video only', { source: { ...room, audioOnly: true, videoOnly: true } }, 422, 'source.videoOnly'],
  ['tracks without a track', { source: { type: 'tracks', room: 'r' } }, 422, 'source'],
  ['a participant without an identity', { source: { type: 'participant', room: 'r' } }, 422, 'source.identity'],
  ['a web page that is a file', { source: { type: 'web', url: 'file:///etc/passwd' } }, 422, 'source.url'],
  ['an unknown field', { source, colour: 'red' }, 422, 'colour'],
  ['a path that leaves its folder', { source, outputs: [{ type: 'file', path: '../x' }] }, 422, 'outputs.0.path'],
  ['an absolute path', { source, outputs: [{ type: 'file', path: '/etc/x' }] }, 422, 'outputs.0.path'],
  ['a placeholder nobody knows', { source, outputs: [{ type: 'file', path: '{secret}' }] }, 422, 'outputs.0.path'],
  ['a storage nobody configured', { source, outputs: [{ type: 'file', storage: 'nas' }] }, 422, 'outputs.0.storage'],
  ['storage keys in the request', { source, outputs: [{ type: 'file', s3: { secret: 'k' } }] }, 422, 'outputs.0.s3'],
  ['two files', { source, outputs: [{ type: 'file' }, { type: 'file' }] }, 422, 'outputs.1.type'],
  ['an unknown kind of output', { source, outputs: [{ type: 'tape' }] }, 422, 'outputs.0.type'],
  ['a preset beside options', { source, encoding: { preset: 'H264_720P_30', width: 640 } }, 422, 'encoding'],
  ['an unknown preset', { source, encoding: { preset: '8K' } }, 422, 'encoding.preset'],
  ['a due time without a zone', { source, startAt: '2030-01-31T09:00:00' }, 422, 'startAt'],
  ['a duration that is a word', { source, maxDuration: 'long' }, 422, 'maxDuration'],
  ['a duration beyond a day', { source, maxDuration: '25h' }, 422, 'maxDuration'],
  ['no time to find a worker', { source, startWithin: '0s' }, 422, 'startWithin'],
  ['a priority of 0', { source, priority: 0 }, 422, 'priority'],
  ['a priority of 6', { source, priority: 6 }, 422, 'priority'],
  ['a label key with a space', { source, labels: { 'a b': 'c' } }, 422, 'labels.a b'],
  ['a label that is a number', { source, labels: { a: 1 } }, 422, 'labels.a'],
  ['a webhook that is no URL', { source, webhook: { url: 'mailto:a@b' } }, 422, 'webhook.url'],
];

test.each(REFUSED_BODIES)('a request with %s is refused, naming the field', async (_, body, status, field) => {
  const answer = await e2e.api.post<Problem>('/v1/recordings', body);
  expect(answer).toMatchObject({ status, body: { status, code: expect.any(String), detail: expect.any(String) } });
  expect(answer.headers.get('content-type')).toMatch('application/problem+json');
  if (field === undefined) return;
  expect(answer.body.errors?.map((one) => one.field)).toContain(field);
  for (const one of answer.body.errors ?? []) expect(one.remedy).not.toBe('');
});

test('a body that is too large, or no JSON by its own words, is refused', async () => {
  const { api } = e2e;
  const large = await api.post<Problem>('/v1/recordings', { source, labels: { a: 'x'.repeat(200_000) } });
  expect(large).toMatchObject({ status: 413, body: { code: 'body_too_large' } });
  const text = await api.post<Problem>('/v1/recordings', 'x', { headers: { 'Content-Type': 'text/plain' } });
  expect(text).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
});

test('an Idempotency-Key, a query and a path that are not valid are refused, naming the parameter', async () => {
  const { api } = e2e;
  const key = await api.post<Problem>('/v1/recordings', { source }, { headers: { 'Idempotency-Key': 'a key' } });
  expect(key).toMatchObject({ status: 400, body: { errors: [{ field: 'Idempotency-Key' }] } });
  for (const [query, field] of [
    ['stage=done', 'stage'],
    ['limit=0', 'limit'],
    ['limit=many', 'limit'],
    ['label=x', 'label.0'],
    ['pageToken=abc', 'pageToken'],
    ['colour=red', 'colour'],
  ]) {
    const answer = await api.call<Problem>(`/v1/recordings?${query}`);
    expect(answer, query).toMatchObject({ status: 400, body: { code: 'invalid_parameter', errors: [{ field }] } });
  }
  expect(await api.call('/v1/recordings/EG_doesNotExist')).toMatchObject({
    status: 404,
    body: { code: 'recording_not_found' },
  });
  expect(await api.post('/v1/recordings/EG_doesNotExist/cancel')).toMatchObject({ status: 404 });
  expect(await api.post('/v1/recordings/EG_doesNotExist/extend', { by: '1m' })).toMatchObject({ status: 404 });
  expect(await api.call('/v1/recordings/EG_doesNotExist/events')).toMatchObject({ status: 404 });
  expect(await api.call('/v1/nothing')).toMatchObject({ status: 404, body: { code: 'not_found' } });
  expect(await api.call('/v1/recordings', { method: 'DELETE' })).toMatchObject({ status: 405 });
});

function unsigned(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.`;
}

test('only a LiveKit token that is valid, signed with our key, and carries roomRecord is let in', async () => {
  const { api, stack } = e2e;
  const keys = stack.livekit;
  const grant = { roomRecord: true };
  const claims = { iss: keys.apiKey, sub: 'x', exp: Math.floor(Date.now() / 1_000) + 600, video: grant };
  const tokens: [what: string, token: string | null, status: number][] = [
    ['no token', null, 401],
    ['no JSON Web Token', 'hello', 401],
    ['expired', await accessToken(keys, grant, -3_600), 401],
    ['signed with another secret', await accessToken({ ...keys, apiSecret: 'x'.repeat(48) }, grant), 401],
    ['issued by another key', await accessToken({ ...keys, apiKey: 'other' }, grant), 401],
    ['alg none', unsigned(claims), 401],
    ['without any grant', await accessToken(keys, {}), 403],
    ['with another grant', await accessToken(keys, { roomJoin: true, roomAdmin: true, room: 'a-room' }), 403],
    ['with the grant for another room', await accessToken(keys, { ...grant, room: 'another' }), 403],
  ];
  for (const [what, token, status] of tokens) {
    const answer = await api.post<Problem>('/v1/recordings', { source }, { token });
    expect(answer, what).toMatchObject({
      status,
      body: { status, code: status === 401 ? 'unauthenticated' : 'forbidden' },
    });
    if (status === 401) expect(answer.headers.get('www-authenticate'), what).toMatch(/^Bearer/);
    expect(JSON.stringify(answer.body), what).not.toContain(keys.apiSecret);
  }
  for (const path of [
    '/v1/recordings',
    '/v1/fleets',
    '/v1/fleets/default',
    '/v1/recordings/x',
    '/v1/recordings/x/events',
  ]) {
    expect(await api.call(path, { token: null }), path).toMatchObject({ status: 401 });
  }
  expect(await api.list()).toEqual({ recordings: [] });
});

test('a webhook without a signature, with a wrong one, or signed for another body is refused', async () => {
  const { api, livekit } = e2e;
  const body = JSON.stringify({ event: 'room_finished', room: { name: 'a-room' } });
  const send = (text: string, signature?: string) =>
    api.post('/webhooks/livekit', text, {
      token: null,
      headers: {
        'Content-Type': 'application/webhook+json',
        ...(signature === undefined ? {} : { Authorization: signature }),
      },
    });
  expect(await send(body)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  expect(await send(body, 'nonsense')).toMatchObject({ status: 401 });
  expect(await send(body, await livekit.signedWebhook(body, 'x'.repeat(48)))).toMatchObject({ status: 401 });
  expect(await send(`${body} `, await livekit.signedWebhook(body))).toMatchObject({ status: 401 });
  expect(await send(body, await livekit.signedWebhook(body))).toMatchObject({ status: 200 });
});
