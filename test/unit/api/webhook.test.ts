import { createHash } from 'node:crypto';
import { EgressInfo, EgressStatus, WebhookEvent } from '@livekit/protocol';
import { AccessToken } from 'livekit-server-sdk';
import { describe, expect, it } from 'vitest';
import { errors } from '../../../src/api/errors.ts';
import { API_KEY, API_SECRET, problemOf, startTestApi, type TestApi } from './support.ts';

const ROOM_STARTED = JSON.stringify({ event: 'room_started', room: { sid: 'RM_1', name: 'lesson' } });

function egressEvent(status: EgressStatus): string {
  const egressInfo = new EgressInfo({ egressId: 'EG_23456789abcd', status, roomName: 'lesson' });
  return new WebhookEvent({ event: 'egress_ended', egressInfo }).toJsonString();
}

async function signed(body: string, { secret = API_SECRET, key = API_KEY, over = body } = {}): Promise<string> {
  const token = new AccessToken(key, secret, { ttl: 300 });
  token.sha256 = createHash('sha256').update(over).digest('base64');
  return token.toJwt();
}

async function send(api: TestApi, body: string, authorization?: string | null): Promise<Response> {
  const token = authorization === undefined ? await signed(body) : authorization;
  return api.request('/webhooks/livekit', {
    method: 'POST',
    token: null,
    body,
    headers: {
      'Content-Type': 'application/webhook+json',
      ...(token === null ? {} : { Authorization: token }),
    },
  });
}

describe('the signature of a webhook', () => {
  it.each([
    ['none', async () => null],
    ['garbage', async () => 'garbage'],
    ['another secret', (body: string) => signed(body, { secret: 'another-secret-of-thirty-two-bytes!!' })],
    ['another key', (body: string) => signed(body, { key: 'otherkey' })],
    ['another body', (body: string) => signed(body, { over: `${body} ` })],
    ['an access token', async () => new AccessToken(API_KEY, API_SECRET).toJwt()],
  ])('%s is refused, and nothing is asked of the recordings', async (_, authorize) => {
    const api = await startTestApi();
    const response = await send(api, ROOM_STARTED, await authorize(ROOM_STARTED));
    expect(response.status).toBe(401);
    expect((await problemOf(response)).detail).toContain('livekit.yaml');
    expect(api.recordings.calls).toEqual([]);
  });

  it('is accepted with and without the word Bearer', async () => {
    const api = await startTestApi();
    expect((await send(api, ROOM_STARTED, `Bearer ${await signed(ROOM_STARTED)}`)).status).toBe(200);
    expect((await send(api, ROOM_STARTED)).status).toBe(200);
    expect(api.recordings.looks).toHaveLength(2);
  });

  it('is refused for a signed body that is no event', async () => {
    const api = await startTestApi();
    expect((await send(api, 'not json')).status).toBe(401);
  });
});

describe('a webhook of an egress', () => {
  it('is taken and passed over: workers report to Reelkit themselves', async () => {
    const api = await startTestApi();
    expect((await send(api, egressEvent(EgressStatus.EGRESS_COMPLETE))).status).toBe(200);
    expect(api.recordings.calls).toEqual([]);
  });
});

describe('a webhook of a room', () => {
  it.each(['room_started', 'room_finished'])('%s makes its waiting recordings look', async (event) => {
    const api = await startTestApi();
    const body = JSON.stringify({ event, room: { sid: 'RM_1', name: 'lesson' } });
    expect((await send(api, body)).status).toBe(200);
    expect(api.recordings.looks).toEqual([{ room: 'lesson', why: event }]);
  });

  it('is answered 503 when Temporal is away, and passed on when LiveKit sends it again', async () => {
    const api = await startTestApi();
    api.recordings.failure = errors.temporalUnavailable(new Error('away'));
    expect((await send(api, ROOM_STARTED)).status).toBe(503);
    api.recordings.failure = undefined;
    expect((await send(api, ROOM_STARTED)).status).toBe(200);
    expect(api.recordings.looks).toHaveLength(1);
  });

  it.each(['participant_joined', 'track_published', 'something_new'])('%s is taken and ignored', async (event) => {
    const api = await startTestApi();
    expect((await send(api, JSON.stringify({ event, room: { name: 'lesson' }, future: 1 }))).status).toBe(200);
    expect(api.recordings.calls).toEqual([]);
  });
});
