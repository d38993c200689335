// LiveKit's HTTP API against a server of the test's own: rooms, who is in them, and whether LiveKit has a record.
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TokenVerifier } from 'livekit-server-sdk';
import { afterEach, describe, expect, it } from 'vitest';
import { createLiveKitClient } from '../../../src/livekit/client.ts';

const KEYS = { apiKey: 'devkey', apiSecret: 'x'.repeat(32) };

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function clientOf(listener: RequestListener, path = '') {
  const listening = createServer(listener);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return createLiveKitClient({ url: `ws://127.0.0.1:${(listening.address() as AddressInfo).port}${path}`, ...KEYS });
}

const answer =
  (status: number, type: string, body: string): RequestListener =>
  (request, response) => {
    request.resume();
    response.writeHead(status, { 'Content-Type': type }).end(body);
  };
const json = (value: unknown) => answer(200, 'application/json', JSON.stringify(value));

describe('LiveKit', () => {
  it('is asked at its origin over HTTP, whatever path the URL has, with a token of the key pair', async () => {
    let seen: IncomingMessage | undefined;
    const client = await clientOf((request, response) => {
      seen = request;
      json({ rooms: [{ name: 'demo' }] })(request, response);
    }, '/rtc');
    expect(await client.listRooms()).toEqual(['demo']);
    expect(seen?.url).toBe('/twirp/livekit.RoomService/ListRooms');
    const token = seen?.headers.authorization?.slice('Bearer '.length) ?? '';
    const { video } = await new TokenVerifier(KEYS.apiKey, KEYS.apiSecret).verify(token);
    expect(video).toMatchObject({ roomList: true });
  });

  it('has a room with its sid, or none', async () => {
    const open = await clientOf(json({ rooms: [{ name: 'demo', sid: 'RM_1' }] }));
    expect(await open.roomSid('demo')).toBe('RM_1');
    server?.close();
    const closed = await clientOf(json({}));
    expect(await closed.roomSid('demo')).toBeUndefined();
  });

  it('is asked once about the rooms of many callers of one moment', async () => {
    let requests = 0;
    const client = await clientOf((request, response) => {
      requests += 1;
      json({ rooms: ['a', 'b'].map((name) => ({ name, sid: `RM_${name}` })) })(request, response);
    });
    const sids = await Promise.all(['a', 'b', 'c', 'a'].map(client.roomSid));
    expect(sids).toEqual(['RM_a', 'RM_b', undefined, 'RM_a']);
    expect(await client.roomSid('a')).toBe('RM_a');
    expect(requests).toBe(2);
  });

  it('lists who is in a room, and nobody in a room that is gone', async () => {
    const open = await clientOf(json({ participants: [{ identity: 'ann' }, { identity: 'EG_1' }] }));
    expect(await open.listParticipants('demo')).toMatchObject([{ identity: 'ann' }, { identity: 'EG_1' }]);
    server?.close();
    const gone = await clientOf(answer(404, 'application/json', '{"code":"not_found","msg":"no such room"}'));
    expect(await gone.listParticipants('demo')).toEqual([]);
  });

  it('says what flows from each: neither what is muted nor data', async () => {
    const tracks = [
      { sid: 'TR_a', type: 'AUDIO', source: 'MICROPHONE' },
      { sid: 'TR_m', type: 'AUDIO', source: 'MICROPHONE', muted: true },
      { sid: 'TR_d', type: 'DATA' },
      { sid: 'TR_s', type: 'VIDEO', source: 'SCREEN_SHARE' },
    ];
    const client = await clientOf(json({ participants: [{ identity: 'ann', tracks }] }));
    expect(await client.listParticipants('demo')).toMatchObject([
      {
        trackIds: ['TR_a', 'TR_m', 'TR_d', 'TR_s'],
        sends: [
          { id: 'TR_a', kind: 'audio', isScreen: false },
          { id: 'TR_s', kind: 'video', isScreen: true },
        ],
      },
    ]);
  });

  it('has a record of an egress, or none: an empty list and "not found" are both an answer', async () => {
    const listed = await clientOf(json({ items: [{ egress_id: 'EG_1' }] }));
    expect(await listed.recordOf('EG_1')).toMatchObject({ egressId: 'EG_1' });
    server?.close();
    const empty = await clientOf(json({}));
    expect(await empty.recordOf('EG_1')).toBeNull();
    server?.close();
    const unknown = await clientOf(answer(404, 'application/json', '{"code":"not_found","msg":"egress not found"}'));
    expect(await unknown.recordOf('EG_1')).toBeNull();
  });

  it('fails with what it said, without the token it quotes, and is never taken to know nothing', async () => {
    const token = 'eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJkZXZrZXkifQ.c2lnbmF0dXJl';
    const client = await clientOf(answer(401, 'text/plain', `invalid token: ${token}, error: token is expired`));
    await expect(client.recordOf('EG_1')).rejects.toThrow('invalid token: (token), error: token is expired');
    await expect(client.roomSid('demo')).rejects.toThrow('(token)');
  });

  it('fails when it is not there', async () => {
    const client = await clientOf(() => {});
    await new Promise((resolve) => server?.close(resolve));
    await expect(client.listParticipants('demo')).rejects.toThrow();
  });
});
