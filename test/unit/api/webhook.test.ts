import { createHash } from 'node:crypto';
import { EgressInfo, EgressStatus, RoomCompositeEgressRequest, WebhookConfig, WebhookEvent } from '@livekit/protocol';
import { AccessToken } from 'livekit-server-sdk';
import { describe, expect, it } from 'vitest';
import { errors } from '../../../src/api/errors.ts';
import { createRecent } from '../../../src/api/routes/webhook.ts';
import { markerUrl } from '../../../src/livekit/marker.ts';
import { API_KEY, API_SECRET, problemOf, startTestApi, type TestApi } from './support.ts';

const MARKER = { recordingId: 'rec1', part: 1, attempt: 2 };
const MARKED = '?recording=rec1&part=1&attempt=2';

function egressEvent(status: EgressStatus, { marked = true, egressId = 'EG_1' } = {}): string {
  const url = markerUrl('http://reelkit', MARKER);
  const request = new RoomCompositeEgressRequest({
    roomName: 'lesson',
    webhooks: marked ? [new WebhookConfig({ url, signingKey: API_KEY })] : [],
  });
  return new WebhookEvent({
    event: 'egress_updated',
    egressInfo: new EgressInfo({
      egressId,
      status,
      roomName: 'lesson',
      request: { case: 'roomComposite', value: request },
    }),
  }).toJsonString();
}

async function signed(body: string, { secret = API_SECRET, key = API_KEY, over = body } = {}): Promise<string> {
  const token = new AccessToken(key, secret, { ttl: 300 });
  token.sha256 = createHash('sha256').update(over).digest('base64');
  return token.toJwt();
}

async function send(api: TestApi, body: string, query = '', authorization?: string | null): Promise<Response> {
  const token = authorization === undefined ? await signed(body) : authorization;
  return api.request(`/webhooks/livekit${query}`, {
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
  ])('%s is refused, and nothing is signalled', async (_, authorize) => {
    const api = await startTestApi();
    const body = egressEvent(EgressStatus.EGRESS_ACTIVE);
    const response = await send(api, body, MARKED, await authorize(body));
    expect(response.status).toBe(401);
    expect((await problemOf(response)).detail).toContain('livekit.yaml');
    expect(api.recordings.calls).toEqual([]);
  });

  it('is accepted with and without the word Bearer', async () => {
    const api = await startTestApi();
    const body = egressEvent(EgressStatus.EGRESS_ACTIVE);
    expect((await send(api, body, '', `Bearer ${await signed(body)}`)).status).toBe(200);
    expect((await send(api, body)).status).toBe(200);
  });

  it('is refused for a signed body that is no event', async () => {
    const api = await startTestApi();
    expect((await send(api, 'not json')).status).toBe(401);
  });
});

describe('a webhook of an egress', () => {
  it.each([
    ['ACTIVE', EgressStatus.EGRESS_ACTIVE, 1],
    ['COMPLETE', EgressStatus.EGRESS_COMPLETE, 1],
    ['FAILED', EgressStatus.EGRESS_FAILED, 1],
    ['ABORTED', EgressStatus.EGRESS_ABORTED, 1],
    ['LIMIT_REACHED', EgressStatus.EGRESS_LIMIT_REACHED, 1],
    ['STARTING', EgressStatus.EGRESS_STARTING, 0],
    ['ENDING', EgressStatus.EGRESS_ENDING, 0],
  ])('%s becomes a signal only if it tells something new', async (name, status, signals) => {
    const api = await startTestApi();
    expect((await send(api, egressEvent(status), MARKED)).status).toBe(200);
    expect(api.recordings.signals).toHaveLength(signals);
    if (signals)
      expect(api.recordings.signals[0]).toMatchObject({
        recordingId: 'rec1',
        snapshot: { status: name, marker: MARKER },
      });
  });

  it('is passed on once, however often it comes', async () => {
    const api = await startTestApi();
    const body = egressEvent(EgressStatus.EGRESS_ACTIVE);
    for (let round = 0; round < 3; round += 1) await send(api, body, MARKED);
    await send(api, egressEvent(EgressStatus.EGRESS_COMPLETE), MARKED);
    expect(api.recordings.signals.map(({ snapshot }) => snapshot.status)).toEqual(['ACTIVE', 'COMPLETE']);
  });

  it('follows the marker in the signed body, not one that was put into the URL', async () => {
    const api = await startTestApi();
    await send(api, egressEvent(EgressStatus.EGRESS_ACTIVE), '?recording=victim&part=1&attempt=1');
    expect(api.recordings.signals.map(({ recordingId }) => recordingId)).toEqual(['rec1']);
  });

  it('follows the marker in the URL when the body has none', async () => {
    const api = await startTestApi();
    await send(api, egressEvent(EgressStatus.EGRESS_ACTIVE, { marked: false }), MARKED);
    expect(api.recordings.signals[0]).toMatchObject({ recordingId: 'rec1', snapshot: { marker: MARKER } });
  });

  it('that is not ours is taken and ignored', async () => {
    const api = await startTestApi();
    expect((await send(api, egressEvent(EgressStatus.EGRESS_ACTIVE, { marked: false }))).status).toBe(200);
    expect(api.recordings.calls).toEqual([]);
  });

  it('is answered 503 when Temporal is away, and passed on when LiveKit sends it again', async () => {
    const api = await startTestApi();
    const body = egressEvent(EgressStatus.EGRESS_COMPLETE);
    api.recordings.failure = errors.temporalUnavailable(new Error('away'));
    expect((await send(api, body, MARKED)).status).toBe(503);
    api.recordings.failure = undefined;
    expect((await send(api, body, MARKED)).status).toBe(200);
    expect(api.recordings.signals).toHaveLength(1);
  });
});

describe('a webhook of a room', () => {
  it.each(['room_started', 'room_finished'])('%s makes its waiting recordings look', async (event) => {
    const api = await startTestApi();
    const body = JSON.stringify({ event, room: { sid: 'RM_1', name: 'lesson' } });
    expect((await send(api, body)).status).toBe(200);
    expect(api.recordings.looks).toEqual([{ room: 'lesson', why: event }]);
  });

  it.each(['participant_joined', 'track_published', 'something_new'])('%s is taken and ignored', async (event) => {
    const api = await startTestApi();
    expect((await send(api, JSON.stringify({ event, room: { name: 'lesson' }, future: 1 }))).status).toBe(200);
    expect(api.recordings.calls).toEqual([]);
  });
});

describe('what was seen before', () => {
  it('is forgotten oldest first', () => {
    const seen = createRecent(2);
    for (const key of ['a', 'b', 'a', 'c']) seen.add(key);
    expect(['a', 'b', 'c'].filter(seen.has)).toEqual(['a', 'c']);
  });
});
