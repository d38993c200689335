import { createConnection } from 'node:net';
import { AccessToken } from 'livekit-server-sdk';
import { describe, expect, it } from 'vitest';
import type { RecordingView } from '../../../src/recording/view.ts';
import { API_KEY, API_SECRET, problemOf, ROOM_BODY, startTestApi, type TestApi, tokenFor } from './support.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };

const acceptedId = async (api: TestApi) =>
  ((await (await api.post('/v1/recordings', ROOM_BODY)).json()) as RecordingView).id;

async function tokenOf(identity: string): Promise<string> {
  const token = new AccessToken(API_KEY, API_SECRET, { identity, ttl: 60 });
  token.addGrant({ roomRecord: true });
  return token.toJwt();
}

describe('what the API refuses before it looks at the meaning', () => {
  it('a body over 64 KiB', async () => {
    const api = await startTestApi();
    const response = await api.post('/v1/recordings', { ...ROOM_BODY, path: 'x'.repeat(65_536) });
    expect(response.status).toBe(413);
    expect(await problemOf(response)).toMatchObject({
      code: 'body_too_large',
      detail: expect.stringContaining('64 KiB'),
    });
  });

  it.each([
    ['plain text', { 'Content-Type': 'text/plain' }],
    ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }],
    ['an unknown charset', { 'Content-Type': 'application/json; charset=latin9' }],
    ['an unknown encoding', { ...JSON_TYPE, 'Content-Encoding': 'zip' }],
  ])('%s', async (_, headers) => {
    const api = await startTestApi();
    const response = await api.post('/v1/recordings', ROOM_BODY, headers);
    expect(response.status).toBe(415);
    expect((await problemOf(response)).code).toBe('unsupported_media_type');
  });

  it.each(['{', '', 'undefined', '{"source":'])('the body "%s", which is no JSON', async (body) => {
    const api = await startTestApi();
    const response = await api.request('/v1/recordings', { method: 'POST', body, headers: JSON_TYPE });
    expect([400, 415, 422]).toContain(response.status);
    expect(['malformed_json', 'unsupported_media_type', 'invalid_request']).toContain((await problemOf(response)).code);
  });

  it('JSON nested 30,000 levels deep', async () => {
    const api = await startTestApi();
    const body = '['.repeat(30_000) + ']'.repeat(30_000);
    const response = await api.request('/v1/recordings', { method: 'POST', body, headers: JSON_TYPE });
    expect(response.status).toBe(422);
  });

  it.each(['/', '/v1', '/v2/recordings', '/v1/recordings/a/b/c', '/admin'])(
    'GET %s, or leads elsewhere',
    async (path) => {
      const api = await startTestApi();
      const response = await api.request(path);
      if (path === '/') expect([response.status, response.headers.get('location')]).toEqual([302, '/docs']);
      else expect(await problemOf(response)).toMatchObject({ status: 404, code: 'not_found' });
    },
  );

  it.each([
    ['DELETE', '/v1/recordings', 'POST, GET'],
    ['PUT', '/v1/recordings/x', 'GET'],
    ['GET', '/v1/recordings/x/cancel', 'POST'],
    ['GET', '/webhooks/livekit', 'POST'],
    ['POST', '/healthz', 'GET'],
  ])('%s %s with the methods that are allowed', async (method, path, allowed) => {
    const api = await startTestApi();
    const response = await api.request(path, { method });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe(allowed);
    expect((await problemOf(response)).code).toBe('method_not_allowed');
  });

  it('a path with a broken percent-encoding', async () => {
    const api = await startTestApi();
    const response = await api.request('/v1/recordings/%zz');
    expect(response.status).toBe(400);
    expect((await problemOf(response)).code).toBe('invalid_parameter');
  });

  it('more requests a minute than configured, with the time to wait; reading goes on', async () => {
    const api = await startTestApi({ requestsPerMinute: 2 });
    const statuses = [];
    for (let round = 0; round < 3; round += 1) statuses.push((await api.post('/v1/recordings', ROOM_BODY)).status);
    expect(statuses).toEqual([201, 201, 429]);
    const refused = await api.post('/v1/recordings', ROOM_BODY);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await problemOf(refused)).toMatchObject({ code: 'too_many_requests', status: 429 });
    expect((await api.request('/v1/recordings')).status).toBe(200);
  });

  it('more reads a minute than configured; who looks too often can still cancel', async () => {
    const api = await startTestApi({ requestsPerMinute: 2 });
    const id = await acceptedId(api);
    const read = async () => (await api.request(`/v1/recordings/${id}`)).status;
    expect([await read(), await read(), await read()]).toEqual([200, 200, 429]);
    expect((await api.post(`/v1/recordings/${id}/cancel`)).status).toBe(200);
  });

  it('of one caller, whom nobody else pays for: not another identity, another room, or garbage from its address', async () => {
    const api = await startTestApi({ requestsPerMinute: 1 });
    const ask = async (token: string | null, room = 'lesson') => {
      const body = JSON.stringify({ source: { type: 'room', room } });
      return (await api.request('/v1/recordings', { method: 'POST', token, headers: JSON_TYPE, body })).status;
    };
    for (let round = 0; round < 3; round += 1) expect(await ask(null)).toBe(401);
    const ada = await tokenOf('ada');
    expect([await ask(ada), await ask(ada)]).toEqual([201, 429]);
    expect(await ask(await tokenOf('bob'))).toBe(201);
    expect(await ask(await tokenFor({ roomRecord: true, room: 'attic' }), 'attic')).toBe(201);
  });
});

describe('requests of nobody', () => {
  const garbage = (api: TestApi, headers = {}, path = '/v1/recordings') =>
    api.request(path, { method: 'POST', token: 'garbage', body: '{}', headers: { ...JSON_TYPE, ...headers } });
  const statuses = async (ask: () => Promise<Response>, times: number) => {
    const seen = new Set<number>();
    for (let round = 0; round < times; round += 1) seen.add((await ask()).status);
    return [...seen];
  };

  it('are counted by their address, and a valid token from there passes all the same', async () => {
    const api = await startTestApi();
    expect(await statuses(() => garbage(api), 61)).toEqual([401, 429]);
    const refused = await garbage(api);
    expect(await problemOf(refused)).toMatchObject({ code: 'too_many_requests' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await api.post('/v1/recordings', ROOM_BODY)).status).toBe(201);
  });

  it('count together with webhooks that LiveKit did not sign', async () => {
    const api = await startTestApi();
    await statuses(() => garbage(api, {}, '/webhooks/livekit'), 60);
    expect((await garbage(api)).status).toBe(429);
  });

  it('are counted for whom a proxy says they come from, if that one is trusted', async () => {
    const trusting = await startTestApi({ trustProxy: 1 });
    const from = (api: TestApi, address: string) => garbage(api, { 'X-Forwarded-For': address });
    await statuses(() => from(trusting, '203.0.113.1'), 60);
    expect((await from(trusting, '203.0.113.1')).status).toBe(429);
    expect((await from(trusting, '203.0.113.2')).status).toBe(401);
    const careful = await startTestApi();
    await statuses(() => from(careful, '203.0.113.1'), 60);
    expect((await from(careful, '203.0.113.2')).status).toBe(429);
  });
});

describe('what the API does not mind', () => {
  it('a client that stops in the middle of its body, without harm to the next', async () => {
    const api = await startTestApi();
    const socket = createConnection(Number(new URL(api.url).port), '127.0.0.1');
    socket.write('POST /v1/recordings HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"source":');
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    expect((await api.request('/healthz')).status).toBe(200);
  });
});

describe('what never leaves the process', () => {
  it('the cause of a failure: the client reads a stable code, the log holds the rest', async () => {
    const api = await startTestApi();
    api.recordings.failure = new Error('the inner workings');
    const response = await api.request('/v1/recordings');
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ code: 'internal_error' });
    expect(text).not.toContain('inner workings');
    expect(api.logged()).toContain('inner workings');
  });

  it('tokens, secrets and bodies: they are in no line of the log', async () => {
    const api = await startTestApi();
    await api.post('/v1/recordings', { ...ROOM_BODY, webhook: { url: 'https://example.com/hunter2?key=hunter2' } });
    await api.post('/v1/recordings?token=hunter2', { broken: 'hunter2' });
    await api.request('/v1/recordings', { token: 'hunter2' });
    expect(api.logged()).toContain('/v1/recordings');
    expect(api.logged()).not.toContain('hunter2');
    expect(api.logged()).not.toContain('Bearer');
    expect(api.logged()).not.toContain(API_SECRET);
  });

  it('the name of the framework', async () => {
    const api = await startTestApi();
    expect((await api.request('/healthz')).headers.get('x-powered-by')).toBeNull();
  });
});

describe('while the process shuts down', () => {
  it('answers go out, and tell the client to come back on another connection', async () => {
    const api = await startTestApi();
    api.stop.abort();
    const response = await api.post('/v1/recordings', ROOM_BODY);
    expect(response.status).toBe(201);
    expect(response.headers.get('connection')).toBe('close');
  });
});
