// The token with which a recorder joins its room under a name of our choice. Without one the worker makes its own, under the id of
// its attempt.
import { AccessToken } from 'livekit-server-sdk';

/** For the join alone: LiveKit renews it while the recorder is connected. It also fences a start that comes late. */
const TTL_SECONDS = 60;

/** As LiveKit's own recorders: hidden, subscribes, publishes nothing. */
export async function recorderToken(
  { apiKey, apiSecret }: { apiKey: string; apiSecret: string },
  identity: string,
  room: string,
): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity, ttl: TTL_SECONDS });
  token.kind = 'egress';
  token.addGrant({
    roomJoin: true,
    room,
    canSubscribe: true,
    canPublish: false,
    canPublishData: false,
    hidden: true,
    recorder: true,
  });
  return token.toJwt();
}
