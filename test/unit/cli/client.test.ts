import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TokenVerifier } from 'livekit-server-sdk';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createApiClient, eventData, mintToken, problemOf, readKeys } from '../../../src/cli/client.ts';

const KEYS = { LIVEKIT_API_KEY: 'devkey', LIVEKIT_API_SECRET: 'a-secret-of-at-least-thirty-two-bytes' };

async function serve(handler: RequestListener): Promise<string> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('the client of the commands', () => {
  it('sends a token with the roomRecord grant, made from the LiveKit keys', async () => {
    let authorization = '';
    const url = await serve((request, response) => {
      authorization = request.headers.authorization ?? '';
      response.end('{}');
    });
    await (await createApiClient({ url }, KEYS)).get('/v1/fleets');
    const claims = await new TokenVerifier('devkey', KEYS.LIVEKIT_API_SECRET).verify(authorization.slice(7));
    expect(claims.video).toMatchObject({ roomRecord: true });
  });

  it('prefers a ready token, and REELKIT_URL where --url is not given', async () => {
    let seen: unknown;
    const url = await serve((request, response) => {
      seen = [request.url, request.headers.authorization];
      response.end('{}');
    });
    await (await createApiClient({}, { REELKIT_URL: `${url}/`, REELKIT_TOKEN: 'ready' })).get('/v1/fleets');
    expect(seen).toEqual(['/v1/fleets', 'Bearer ready']);
  });

  it('says how to get keys when there are none', () => {
    expect(() => readKeys(undefined, {})).toThrow(
      expect.objectContaining({
        exitCode: 1,
        remedies: expect.arrayContaining([expect.stringContaining('LIVEKIT_API_KEY')]),
      }),
    );
    expect(() => readKeys('/does/not/exist.yaml', {})).toThrow(/cannot read/);
  });

  it('says how to start the API when nothing listens', async () => {
    const client = await createApiClient({ url: 'http://127.0.0.1:1' }, KEYS);
    await expect(client.get('/')).rejects.toMatchObject({ remedies: [expect.stringContaining('reelkit serve')] });
  });

  it('tells the detail of a problem and the remedy of each field', () => {
    const body = JSON.stringify({
      code: 'invalid_request',
      detail: 'priority: too big.',
      errors: [{ field: 'priority', message: 'is too big', remedy: 'use at most 5' }],
    });
    expect(problemOf(422, body)).toMatchObject({
      message: 'priority: too big. (invalid_request)',
      remedies: ['priority is too big: use at most 5'],
    });
    expect(problemOf(502, '<html>bad gateway</html>').message).toContain('502');
  });

  it('mints tokens for one room', async () => {
    const token = await mintToken(readKeys(undefined, KEYS), { room: 'lesson', ttlSeconds: 60, identity: 'me' });
    const claims = await new TokenVerifier('devkey', KEYS.LIVEKIT_API_SECRET).verify(token);
    expect(claims).toMatchObject({ sub: 'me', video: { roomRecord: true, room: 'lesson' } });
  });
});

describe('server-sent events', () => {
  it('are read whole, however the chunks are cut, without the comments', async () => {
    const text = ': hello\n\nevent: recording\nid: 1\ndata: {"a":"☃"}\n\n: still here\n\ndata: 2\n\ndata: cut';
    const bytes = new TextEncoder().encode(text);
    async function* chunks(size: number) {
      for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
    }
    for (const size of [1, 2, 7, 1_000]) {
      const events: string[] = [];
      for await (const data of eventData(chunks(size))) events.push(data);
      expect(events).toEqual(['{"a":"☃"}', '2']);
    }
  });
});
