import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { RecordingView } from '../../../../src/recording/view.ts';
import { API_KEY, API_SECRET, problemOf, ROOM_BODY, SETTINGS, startTestApi, tokenFor } from '../support.ts';

const GRANT = { video: { roomRecord: true } };
const nowSeconds = () => Math.floor(Date.now() / 1_000);
const claims = () => ({ iss: API_KEY, sub: 'tester', nbf: nowSeconds(), exp: nowSeconds() + 60, ...GRANT });

const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token put together by hand: what no honest library makes. */
function forge(header: object, payload: object, hash = 'sha256', secret = API_SECRET): string {
  const signed = `${encoded(header)}.${encoded(payload)}`;
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
}
const hs256 = { alg: 'HS256', typ: 'JWT' };

const REFUSED: [name: string, token: () => string | Promise<string>, status: number, detail: RegExp][] = [
  ['a token without the roomRecord grant', () => tokenFor({ roomJoin: true, room: 'lesson' }), 403, /roomRecord/],
  ['a roomRecord grant of false', () => tokenFor({ roomRecord: false }), 403, /roomRecord/],
  [
    'a roomRecord grant that is text',
    () => forge(hs256, { ...claims(), video: { roomRecord: 'true' } }),
    403,
    /roomRecord/,
  ],
  ['an expired token', () => forge(hs256, { ...claims(), exp: nowSeconds() - 60 }), 401, /expired/],
  ['a token without expiry', () => forge(hs256, { ...claims(), exp: undefined }), 401, /expiry/],
  ['a token from the future', () => forge(hs256, { ...claims(), nbf: nowSeconds() + 60 }), 401, /not valid yet/],
  ['another API key', () => tokenFor(undefined, { apiKey: 'otherkey' }), 401, /API key/],
  [
    'another API secret',
    () => tokenFor(undefined, { apiSecret: 'another-secret-of-thirty-two-bytes!!' }),
    401,
    /secret/,
  ],
  ['alg none', () => `${forge({ alg: 'none' }, claims()).split('.').slice(0, 2).join('.')}.`, 401, /HS256/],
  ['alg none with a signature', () => forge({ alg: 'none' }, claims()), 401, /HS256/],
  ['another HMAC', () => forge({ alg: 'HS512', typ: 'JWT' }, claims(), 'sha512'), 401, /HS256/],
  ['no issuer', () => forge(hs256, { ...claims(), iss: undefined }), 401, /API key/],
  ['garbage', () => 'garbage', 401, /JSON Web Token/],
  ['a broken payload', () => forge(hs256, claims()).replace(/\.[^.]+\./, '.e30x.'), 401, /JSON Web Token/],
  [
    'a payload that was changed',
    () => forge(hs256, claims()).replace(/\.[^.]+\./, `.${encoded({ ...claims(), sub: 'x' })}.`),
    401,
    /secret/,
  ],
  ['a token of 9 kB', () => 'x'.repeat(9_000), 401, /Bearer/],
];

describe('further API keys', () => {
  const other = { apiKey: 'app', apiSecret: 'the-secret-of-the-app-is-32-bytes-long' };
  const keys = [{ apiKey: API_KEY, apiSecret: API_SECRET }, other];
  const rules = [{ match: { apiKey: 'app' }, fleet: 'small', tenant: 'school', priority: 1 }];
  const settings = { ...SETTINGS, rules };

  it('are accepted with their own secret alone', async () => {
    const api = await startTestApi({ keys });
    const list = async (apiSecret: string) =>
      (await api.request('/v1/recordings', { token: await tokenFor(undefined, { ...other, apiSecret }) })).status;
    expect(await list(other.apiSecret)).toBe(200);
    expect(await list(API_SECRET)).toBe(401);
  });

  it('have Idempotency-Keys and rules of their own', async () => {
    const api = await startTestApi({ keys, settings });
    const ask = async (pair: typeof other) => {
      const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': 'lesson-1' };
      const token = await tokenFor(undefined, pair);
      const response = await api.request('/v1/recordings', {
        method: 'POST',
        token,
        headers,
        body: JSON.stringify(ROOM_BODY),
      });
      return (await response.json()) as RecordingView;
    };
    const [mine, theirs] = [await ask({ apiKey: API_KEY, apiSecret: API_SECRET }), await ask(other)];
    expect(mine.id).not.toBe(theirs.id);
    expect(mine).toMatchObject({ fleet: 'default', request: { priority: 3 } });
    expect(mine.request).not.toHaveProperty('tenant');
    expect(theirs).toMatchObject({ fleet: 'small', request: { priority: 1, tenant: 'school' } });
  });
});

describe('access tokens', () => {
  it.each(REFUSED)('refuses %s', async (_, token, status, detail) => {
    const api = await startTestApi();
    const response = await api.request('/v1/recordings', { token: await token() });
    expect(response.status).toBe(status);
    const problem = await problemOf(response);
    expect(problem.detail).toMatch(detail);
    expect(problem.detail).not.toContain(API_SECRET);
    if (status === 401) expect(response.headers.get('www-authenticate')).toBe('Bearer realm="reelkit"');
    expect(api.recordings.calls).toEqual([]);
  });

  it.each([
    ['no Authorization header', {}],
    ['basic authentication', { Authorization: 'Basic ZGV2a2V5OnNlY3JldA==' }],
    ['an empty bearer', { Authorization: 'Bearer ' }],
  ])('refuses %s', async (_, headers) => {
    const api = await startTestApi();
    const response = await api.request('/v1/recordings', { token: null, headers });
    expect(response.status).toBe(401);
    expect(await problemOf(response)).toMatchObject({ code: 'unauthenticated' });
  });

  it('accepts a token of the configured key with the grant', async () => {
    const api = await startTestApi();
    expect((await api.request('/v1/recordings')).status).toBe(200);
  });

  it.each(['/v1/recordings', '/v1/recordings/x', '/v1/recordings/x/events', '/v1/fleets', '/v1/fleets/default'])(
    'asks for a token at GET %s',
    async (path) => {
      const api = await startTestApi();
      expect((await api.request(path, { token: null })).status).toBe(401);
    },
  );

  it.each(['/v1/recordings', '/v1/recordings/x/cancel', '/v1/recordings/x/extend', '/webhooks/livekit'])(
    'asks for a token or signature at POST %s before it reads what was sent',
    async (path) => {
      const api = await startTestApi();
      expect((await api.request(path, { token: null, method: 'POST', body: '{' })).status).toBe(401);
    },
  );

  it.each(['/healthz', '/metrics', '/openapi.json', '/docs'])('asks for none at GET %s', async (path) => {
    const api = await startTestApi();
    expect((await api.request(path, { token: null })).status).toBe(200);
  });
});

describe('a token for one room', () => {
  const lessonOnly = () => tokenFor({ roomRecord: true, room: 'lesson' });

  it('records its own room and no other', async () => {
    const api = await startTestApi();
    const send = async (body: object) =>
      api.request('/v1/recordings', {
        method: 'POST',
        token: await lessonOnly(),
        body: JSON.stringify(body),
        headers: { 'Content-Type': 'application/json' },
      });
    expect((await send(ROOM_BODY)).status).toBe(201);
    expect((await send({ source: { type: 'room', room: 'other' } })).status).toBe(403);
    expect((await send({ source: { type: 'web', url: 'https://example.com' } })).status).toBe(403);
  });

  it('lists its own room only', async () => {
    const api = await startTestApi();
    await api.post('/v1/recordings', ROOM_BODY);
    await api.post('/v1/recordings', { source: { type: 'room', room: 'other' } });
    const listed = await api.request('/v1/recordings', { token: await lessonOnly() });
    expect(((await listed.json()) as { recordings: unknown[] }).recordings).toHaveLength(1);
    expect((await api.request('/v1/recordings?room=other', { token: await lessonOnly() })).status).toBe(403);
  });

  it('finds recordings of other rooms nowhere', async () => {
    const api = await startTestApi();
    const other = await api.post('/v1/recordings', { source: { type: 'room', room: 'other' } });
    const { id } = (await other.json()) as { id: string };
    const token = await lessonOnly();
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/events'],
      ['POST', '/cancel'],
    ] as const) {
      expect((await api.request(`/v1/recordings/${id}${path}`, { method, token })).status).toBe(404);
    }
    expect(api.recordings.views.get(id)?.stage).toBe('starting');
  });

  it('does not see the fleet', async () => {
    const api = await startTestApi();
    expect((await api.request('/v1/fleets', { token: await lessonOnly() })).status).toBe(403);
  });
});
