// Signed as LiveKit signs its webhooks: a token of the API key that holds the SHA-256 of the body. Whoever verifies LiveKit's verifies
// these.
import { createHash } from 'node:crypto';
import { AccessToken } from 'livekit-server-sdk';

export interface SigningKey {
  apiKey: string;
  apiSecret: string;
}

/** As LiveKit's. */
const VALID_SECONDS = 5 * 60;

/** @returns the Authorization header */
export async function signBody(body: string, { apiKey, apiSecret }: SigningKey): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { ttl: VALID_SECONDS });
  token.sha256 = createHash('sha256').update(body).digest('base64');
  return token.toJwt();
}
