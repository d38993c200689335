// The token with which a recorder joins under a name of our choice.
import { TokenVerifier } from 'livekit-server-sdk';
import { expect, it } from 'vitest';
import { recorderToken } from '../../../src/livekit/recorder-token.ts';

const KEYS = { apiKey: 'devkey', apiSecret: 'a-secret-of-at-least-thirty-two-bytes' };

it("joins one room under the recording's id, hidden, hears and publishes nothing, as LiveKit's own recorders", async () => {
  const token = await recorderToken(KEYS, 'EG_23456789abcd', 'lesson');
  const claims = await new TokenVerifier(KEYS.apiKey, KEYS.apiSecret).verify(token);
  expect(claims).toMatchObject({ iss: 'devkey', sub: 'EG_23456789abcd', kind: 'egress' });
  expect(claims.video).toEqual({
    roomJoin: true,
    room: 'lesson',
    canSubscribe: true,
    canPublish: false,
    canPublishData: false,
    hidden: true,
    recorder: true,
  });
});

it('is good for a minute: a start that comes later cannot join with it', async () => {
  const sinceSeconds = Math.floor(Date.now() / 1_000);
  const [, claims = ''] = (await recorderToken(KEYS, 'EG_23456789abcd', 'lesson')).split('.');
  const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { exp: number };
  expect(exp - sinceSeconds).toBeGreaterThanOrEqual(59);
  expect(exp - sinceSeconds).toBeLessThanOrEqual(62);
});
