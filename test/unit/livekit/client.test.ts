// One StartEgress over HTTP, against a server of the test's own: what is sent, and that every kind of answer becomes a reply.
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { EgressInfo, RoomCompositeEgressRequest } from '@livekit/protocol';
import { afterEach, describe, expect, it } from 'vitest';
import { createLiveKitClient } from '../../../src/livekit/client.ts';
import type { StartRequest } from '../../../src/livekit/start-request.ts';

const START: StartRequest = {
  method: 'StartRoomCompositeEgress',
  message: new RoomCompositeEgressRequest({ roomName: 'demo' }),
};

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function clientOf(listener: RequestListener, path = '') {
  const listening = createServer(listener);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const address = listening.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return createLiveKitClient({ url: `ws://127.0.0.1:${port}${path}`, apiKey: 'devkey', apiSecret: 'x'.repeat(32) });
}

const answer =
  (status: number, type: string, body: string | Uint8Array): RequestListener =>
  (request, response) => {
    request.resume();
    response.writeHead(status, { 'Content-Type': type }).end(body);
  };

describe('StartEgress', () => {
  it('is sent as protobuf to its method, with a token that may record and the time LiveKit has', async () => {
    let seen: IncomingMessage | undefined;
    const chunks: Buffer[] = [];
    const client = await clientOf((request, response) => {
      seen = request;
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => response.end(new EgressInfo({ egressId: 'EG_1' }).toBinary()));
    });
    const reply = await client.start(START, 10_000);
    expect(reply).toMatchObject({ kind: 'accepted', egressId: 'EG_1' });
    expect(seen?.url).toBe('/twirp/livekit.Egress/StartRoomCompositeEgress');
    expect(seen?.headers).toMatchObject({ 'content-type': 'application/protobuf', 'x-twirp-timeout-ms': '10000' });
    const [, claims = ''] = seen?.headers.authorization?.split('.') ?? [];
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({
      iss: 'devkey',
      video: { roomRecord: true },
    });
    expect(RoomCompositeEgressRequest.fromBinary(Buffer.concat(chunks)).roomName).toBe('demo');
  });

  it('never gives LiveKit less than a second: below that it fails starts that then run', async () => {
    let header: unknown;
    const client = await clientOf((request, response) => {
      header = request.headers['x-twirp-timeout-ms'];
      response.end(new EgressInfo({ egressId: 'EG_1' }).toBinary());
    });
    await client.start(START, 10);
    expect(Number(header)).toBeGreaterThanOrEqual(1_000);
  });

  it('is a timeout when LiveKit says nothing, a moment after the time it had', async () => {
    const client = await clientOf((request) => request.resume());
    expect(await client.start(START, 1_000)).toEqual({ kind: 'timeout' });
  });

  it('is a timeout when the answer begins and never ends', async () => {
    const client = await clientOf((request, response) => {
      request.resume();
      response.writeHead(200, { 'Content-Length': '100' }).write('x');
    });
    expect(await client.start(START, 1_000)).toEqual({ kind: 'timeout' });
  });

  it.each([
    [
      "LiveKit's own error",
      answer(408, 'application/json', '{"code":"canceled","msg":"request canceled"}'),
      { httpStatus: 408, twirpCode: 'canceled', message: 'request canceled' },
    ],
    [
      "a proxy's page",
      answer(502, 'text/html', '<html><body>Bad Gateway</body></html>'),
      { httpStatus: 502, message: 'Bad Gateway' },
    ],
    ['JSON that is no Twirp error', answer(503, 'application/json', '{"error":{"code":17}}'), { httpStatus: 503 }],
    ['JSON null', answer(500, 'application/json', 'null'), { httpStatus: 500 }],
    ['an empty body', answer(504, 'text/plain', ''), { httpStatus: 504, message: 'Gateway Timeout' }],
    [
      'a refused token',
      answer(401, 'text/plain', 'invalid token: eyJ.a.b'),
      { httpStatus: 401, message: 'Unauthorized' },
    ],
  ])('reports %s', async (_, listener, expected) => {
    const reply = await (await clientOf(listener)).start(START, 1_000);
    expect(reply).toMatchObject({ kind: 'error', ...expected });
    expect('twirpCode' in reply).toBe('twirpCode' in expected);
  });

  it.each([
    ['a page of something else', answer(200, 'text/html', '<html>please log in</html>')],
    ['nothing', answer(200, 'application/protobuf', '')],
    ['an egress without an id', answer(200, 'application/protobuf', new EgressInfo({ roomName: 'x' }).toBinary())],
  ])('does not take a 200 with %s for a start', async (_, listener) => {
    expect((await (await clientOf(listener)).start(START, 1_000)).kind).toBe('network');
  });

  it('reports a connection that breaks', async () => {
    const client = await clientOf((request) => request.socket.destroy());
    expect(await client.start(START, 1_000)).toMatchObject({ kind: 'network' });
  });

  it('reports a LiveKit that is not there', async () => {
    const client = await clientOf(() => {});
    await new Promise((resolve) => server?.close(resolve));
    expect(await client.start(START, 1_000)).toMatchObject({
      kind: 'network',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });
});

describe('other calls', () => {
  it('take "not found" and "cannot be stopped" for an answer', async () => {
    const gone = await clientOf(answer(404, 'application/json', '{"code":"not_found","msg":"egress does not exist"}'));
    expect(await gone.getEgress('EG_1')).toBeNull();
    expect(await gone.listIdentities('demo')).toEqual([]);
    await gone.stopEgress('EG_1');
    server?.close();
    const ended = await clientOf(
      answer(412, 'application/json', '{"code":"failed_precondition","msg":"cannot be stopped"}'),
    );
    await ended.stopEgress('EG_1');
  });

  it('fail with what LiveKit said, without the token it quotes', async () => {
    const token = 'eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJkZXZrZXkifQ.c2lnbmF0dXJl';
    const client = await clientOf(answer(401, 'text/plain', `invalid token: ${token}, error: token is expired`));
    await expect(client.listActiveEgresses()).rejects.toThrow('invalid token: (token), error: token is expired');
  });
});
