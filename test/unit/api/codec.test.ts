// The codec endpoint: what operators may read with it, and who may not; from which pages a browser may ask.
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { createPayloadCodec } from '../../../src/temporal/codec.ts';
import { API_SECRET, problemOf, startTestApi, tokenFor, UI_ORIGIN } from './support.ts';

const SECRET = 'rtmp://example.com/live/a-stream-key';
const codec = createPayloadCodec([{ id: 'k1', key: new Uint8Array(32) }]);
const toJson = ({ metadata, data }: Payload) => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});
const PLAIN = defaultPayloadConverter.toPayload(SECRET) ?? {};

async function sealed(by = codec) {
  return { payloads: (await by.encode([PLAIN])).map(toJson) };
}

describe('the codec endpoint', () => {
  it("decrypts for an operator, in the form of Temporal's own tools", async () => {
    const api = await startTestApi();
    const response = await api.post('/codec/decode', await sealed(), { 'X-Namespace': 'default' });
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(await response.json()).toEqual({ payloads: [toJson(PLAIN)] });
  });

  it('passes what is not encrypted, and takes back what it encrypted', async () => {
    const api = await startTestApi();
    const plain = { payloads: [toJson(PLAIN), {}] };
    const untouched = await (await api.post('/codec/decode', plain)).json();
    expect(untouched).toEqual({ payloads: [toJson(PLAIN), { metadata: {}, data: '' }] });
    const encrypted = await (await api.post('/codec/encode', plain)).text();
    expect(encrypted).not.toContain(toJson(PLAIN).data);
    expect(await (await api.post('/codec/decode', JSON.parse(encrypted))).json()).toEqual(untouched);
  });

  it('names a key that is missing', async () => {
    const api = await startTestApi();
    const response = await api.post(
      '/codec/decode',
      await sealed(createPayloadCodec([{ id: 'gone', key: Buffer.alloc(32) }])),
    );
    expect(await problemOf(response)).toMatchObject({
      status: 500,
      code: 'encryption_key_missing',
      detail: expect.stringContaining('no encryption key "gone"'),
    });
  });

  it.each(['/codec/decode', '/codec/encode', '/codec/sign-in'])(
    '%s is not for tokens of one room, nor for nobody',
    async (path) => {
      const api = await startTestApi();
      const body = JSON.stringify(await sealed());
      const ask = (token: string | null) =>
        api.request(path, { method: 'POST', token, body, headers: { 'Content-Type': 'application/json' } });
      expect((await ask(null)).status).toBe(401);
      expect((await ask(await tokenFor({ roomRecord: true, room: 'lesson' }))).status).toBe(403);
      expect((await ask(await tokenFor({ roomJoin: true }))).status).toBe(403);
    },
  );

  it('has a limit for the body and for how often one asks', async () => {
    const api = await startTestApi({ requestsPerMinute: 4 });
    const of = (bytes: number) => ({ payloads: [{ data: 'A'.repeat(bytes) }] });
    expect((await api.post('/codec/decode', of(3 * 1_024 * 1_024))).status).toBe(200);
    const large = await api.post('/codec/decode', of(4 * 1_024 * 1_024));
    expect(await problemOf(large)).toMatchObject({ status: 413, detail: expect.stringContaining('4096 KiB') });
    const many = await api.post('/codec/decode', { payloads: Array.from({ length: 1_001 }, () => ({})) });
    expect(many.status).toBe(422);
    expect((await api.post('/codec/decode', { payloads: [{ data: 'no base64!' }] })).status).toBe(422);
    expect((await api.post('/codec/decode', of(4))).status).toBe(429);
  });

  it("takes no payloads at all, as Temporal's CLI sends them with a query", async () => {
    const api = await startTestApi();
    const response = await api.post('/codec/encode', {});
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ payloads: [] });
  });

  it('leaves nothing of the payloads in the log', async () => {
    const api = await startTestApi();
    await api.post('/codec/decode', await sealed());
    await api.post('/codec/decode', { payloads: [{ data: SECRET }] });
    expect(api.logged()).toContain('/codec/decode');
    expect(api.logged()).not.toContain('a-stream-key');
    expect(api.logged()).not.toContain(API_SECRET);
  });
});

describe('a page in a browser', () => {
  const preflight = (origin: string) => ({
    method: 'OPTIONS',
    token: null,
    headers: { Origin: origin, 'Access-Control-Request-Method': 'POST' },
  });

  it('of a configured origin may ask and read the answer, also when it is a refusal', async () => {
    const api = await startTestApi();
    const asked = await api.request('/codec/decode', preflight(UI_ORIGIN));
    expect(asked.status).toBe(204);
    expect(Object.fromEntries(asked.headers)).toMatchObject({
      'access-control-allow-origin': UI_ORIGIN,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': expect.stringContaining('X-Namespace'),
      vary: 'Origin',
    });
    const headers = { Origin: UI_ORIGIN, 'Content-Type': 'application/json' };
    const refused = await api.request('/codec/decode', { method: 'POST', token: null, headers, body: '{}' });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, UI_ORIGIN]);
  });

  it.each(['http://evil.example.com', `${UI_ORIGIN}.evil.example.com`, 'null'])('of %s may not', async (origin) => {
    const api = await startTestApi();
    const asked = await api.request('/codec/decode', preflight(origin));
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([405, null]);
    const answered = await api.post('/codec/decode', await sealed(), { Origin: origin });
    expect(answered.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('gets no leave for anything but the codec', async () => {
    const api = await startTestApi();
    const response = await api.request('/v1/recordings', { headers: { Origin: UI_ORIGIN } });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('an operator who signs in', () => {
  async function signIn(headers: Record<string, string> = {}, grant = { roomRecord: true }) {
    const api = await startTestApi();
    const token = await tokenFor(grant);
    const response = await api.request('/codec/sign-in', { method: 'POST', token, headers });
    return { api, token, response, cookie: response.headers.get('set-cookie') ?? '' };
  }

  it('gets a cookie that scripts cannot read and that reaches the codec alone', async () => {
    const { response, cookie, token } = await signIn();
    expect(response.status).toBe(204);
    expect(cookie).toBe(`reelkit-operator=${token}; Path=/codec; Max-Age=43200; HttpOnly; SameSite=Strict`);
    const behindTls = await signIn({ 'X-Forwarded-Proto': 'https' });
    expect(behindTls.cookie).toMatch(/HttpOnly; SameSite=None; Secure$/);
  });

  it('is known by the cookie, also beside a token of the Web UI itself', async () => {
    const { api, cookie } = await signIn();
    const headers = { 'Content-Type': 'application/json', Cookie: `other=1; ${cookie.split(';')[0]}` };
    const body = JSON.stringify(await sealed());
    for (const token of [null, 'of-the-web-ui']) {
      const response = await api.request('/codec/decode', { method: 'POST', token, headers, body });
      expect(response.status).toBe(200);
    }
    const elsewhere = await api.request('/v1/recordings', { token: null, headers });
    expect(elsewhere.status).toBe(401);
    const forged = { ...headers, Cookie: 'reelkit-operator=forged' };
    expect((await api.request('/codec/decode', { method: 'POST', token: null, headers: forged, body })).status).toBe(
      401,
    );
  });

  it('does so on a page that may run its own script only', async () => {
    const api = await startTestApi();
    const response = await api.request('/codec/sign-in', { token: null });
    expect(response.headers.get('content-security-policy')).toMatch(/script-src 'sha256-[^']+'; connect-src 'self'/);
    expect(await response.text()).toContain('reelkit token');
  });
});
