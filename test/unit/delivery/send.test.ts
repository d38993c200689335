// One POST of a webhook against real receivers on this machine: what is sent, what an answer means, and what is not followed.
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebhookReceiver } from 'livekit-server-sdk';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAddressGuard } from '../../../src/delivery/address-guard.ts';
import { type SendSettings, sendEvent } from '../../../src/delivery/send.ts';
import { openRecording } from '../../../src/recording/open.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import { webhookEvent } from '../../../src/recording/webhooks/events.ts';

const KEY = { apiKey: 'devkey', apiSecret: 'a-secret-of-at-least-thirty-two-bytes' };
const APP = { apiKey: 'app', apiSecret: 'another-secret-of-at-least-thirty-two' };
const SETTINGS: SendSettings = {
  keys: [KEY, APP],
  receivers: [],
  guard: createAddressGuard(['127.0.0.0/8']),
  limitMs: 1_000,
};

interface Got {
  headers: IncomingMessage['headers'];
  method: string | undefined;
  body: string;
}

async function receive(answer: RequestListener): Promise<{ url: string; port: number; got: Got[] }> {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      got.push({ headers: request.headers, method: request.method, body: Buffer.concat(chunks).toString() });
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/hook?token=hunter2`, port, got };
}

const answering = (status: number, headers: Record<string, string> = {}) =>
  receive((_, response) => response.writeHead(status, headers).end());
const send = (url: string, settings: Partial<SendSettings> = {}, body = '{}') =>
  sendEvent({ kind: 'request', url }, body, { ...SETTINGS, ...settings });

const request = recordingRequestSchema.parse({ source: { type: 'room', room: 'Übung' } });
const view = openRecording({ id: 'EG_abcdefghijkl', fleet: 'default', request, requestedAtMs: 1_700_000_000_123 });

describe("LiveKit's SDK", () => {
  it('verifies the signature and reads event, id and time', async () => {
    const { url, got } = await answering(200);
    const event = webhookEvent('recording.started', 3, view, 1_700_000_000_123);
    expect(await send(url, {}, event.body)).toEqual({ kind: 'delivered', status: 200 });
    const [{ headers, body, method } = {} as Got] = got;
    expect([method, headers['content-type']]).toEqual(['POST', 'application/webhook+json']);
    const read = await new WebhookReceiver(KEY.apiKey, KEY.apiSecret).receive(body, headers.authorization);
    expect(read).toMatchObject({ event: 'recording.started', id: 'EV_abcdefghijkl_3', createdAt: 1_700_000_000n });
    expect(JSON.parse(body)).toMatchObject({ sequence: 3, recording: { id: view.id, stage: 'starting' } });
  });

  it.each<[string, (got: Got) => [body: string, authorization: string | undefined]]>([
    ['another body', ({ body, headers }) => [`${body} `, headers.authorization]],
    ['no signature', ({ body }) => [body, undefined]],
  ])('refuses %s', async (_, change) => {
    const { url, got } = await answering(200);
    await send(url, {}, webhookEvent('recording.started', 1, view, 0).body);
    const receiver = new WebhookReceiver(KEY.apiKey, KEY.apiSecret);
    await expect(receiver.receive(...change(got[0] as Got))).rejects.toThrow();
  });

  it('verifies with the key that asked, and only with that', async () => {
    const { url, got } = await answering(200);
    await sendEvent({ kind: 'request', url, apiKey: APP.apiKey }, '{"event":"e"}', SETTINGS);
    const [{ headers, body } = {} as Got] = got;
    await expect(
      new WebhookReceiver(APP.apiKey, APP.apiSecret).receive(body, headers.authorization),
    ).resolves.toBeDefined();
    await expect(new WebhookReceiver(KEY.apiKey, KEY.apiSecret).receive(body, headers.authorization)).rejects.toThrow();
  });
});

describe('an answer', () => {
  it.each([
    [200, 'delivered'],
    [202, 'delivered'],
    [204, 'delivered'],
    [400, 'rejected'],
    [401, 'rejected'],
    [404, 'rejected'],
    [408, 'unavailable'],
    [410, 'gone'],
    [425, 'unavailable'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [503, 'unavailable'],
  ])('of %i is %s', async (status, what) => {
    const { url } = await answering(status);
    const outcome = await send(url);
    expect(outcome.kind === 'failed' ? outcome.code : outcome.kind).toBe(what);
    expect(outcome.status).toBe(status);
  });

  it.each([301, 302, 303, 307, 308])('of %i is followed nowhere', async (status) => {
    const inside = await answering(200);
    const { url } = await answering(status, { Location: inside.url });
    expect(await send(url)).toMatchObject({ kind: 'failed', code: 'redirect', status });
    expect(inside.got).toEqual([]);
  });

  it.each([
    ['17', 17_000],
    ['999999999', 3_600_000],
    ['soon', undefined],
  ])('that says Retry-After: %s is waited for %s ms', async (header, retryAfterMs) => {
    const { url } = await answering(429, { 'Retry-After': header });
    expect((await send(url)) as { retryAfterMs?: number }).toEqual(
      expect.objectContaining(retryAfterMs === undefined ? { code: 'unavailable' } : { retryAfterMs }),
    );
  });

  it('that never ends is read no further than it must', async () => {
    let written = 0;
    const { url } = await receive((_, response) => {
      response.writeHead(200);
      const more = () => {
        written += 65_536;
        if (!response.destroyed && response.write(Buffer.alloc(65_536))) setImmediate(more);
      };
      response.on('drain', more);
      more();
    });
    expect(await send(url)).toEqual({ kind: 'delivered', status: 200 });
    await expect
      .poll(async () => {
        const before = written;
        await new Promise((resolve) => setTimeout(resolve, 50));
        return written - before;
      })
      .toBe(0);
    expect(written).toBeLessThan(64 * 1_048_576);
  });

  it('that never comes ends by the time limit', async () => {
    const { url } = await receive(() => undefined);
    expect(await send(url, { limitMs: 200 })).toMatchObject({ code: 'timeout' });
  });
});

describe('a receiver', () => {
  it('that is down is unreachable', async () => {
    expect(await send('http://127.0.0.1:9/')).toMatchObject({ code: 'unreachable' });
  });

  it.each([
    'http://127.0.0.1',
    'http://2130706433',
    'http://0x7f.1',
    'http://[::1]',
    'http://[::ffff:127.0.0.1]',
    'http://localhost',
  ])('at %s is never connected to', async (origin) => {
    const { port, got } = await answering(200);
    const guard = createAddressGuard([]);
    expect(await send(`${origin}:${port}/`, { guard })).toMatchObject({ code: 'address_denied' });
    expect(got).toEqual([]);
  });

  it('whose name leads to a private address only when the connection is made is not connected to', async () => {
    const { port, got } = await answering(200);
    const rebinding = ((_: string, __: object, done: (error: null, found: object[]) => void) =>
      done(null, [{ address: '127.0.0.1', family: 4 }])) as never;
    const guard = createAddressGuard([], rebinding);
    expect(guard.denies('hooks.example.com')).toBe(false);
    expect(await send(`http://hooks.example.com:${port}/`, { guard })).toMatchObject({ code: 'address_denied' });
    expect(got).toEqual([]);
  });

  it('or a key that is not configured any more is named', async () => {
    const gone = await sendEvent({ kind: 'configured', name: 'lms' }, '{}', SETTINGS);
    expect(gone).toMatchObject({ code: 'receiver_unknown', message: expect.stringContaining('lms') });
    const keyless = await sendEvent({ kind: 'request', url: 'http://127.0.0.1/', apiKey: 'old' }, '{}', SETTINGS);
    expect(keyless).toMatchObject({ code: 'key_unknown' });
  });

  it('is named by its host alone, whatever goes wrong', async () => {
    const secret = 'http://127.0.0.1:9/hunter2?token=hunter2';
    expect(JSON.stringify(await send(secret))).not.toContain('hunter2');
    expect(JSON.stringify(await send(secret, { guard: createAddressGuard([]) }))).not.toContain('hunter2');
  });
});
