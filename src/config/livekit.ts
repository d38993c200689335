// LiveKit, and the workers' side of it.
import { z } from 'zod';
import { redis } from './redis.ts';
import { secret, urlOf } from './values.ts';

export const livekit = z.strictObject({
  /** LIVEKIT_URL. http(s) or ws(s) URL of the LiveKit server. */
  url: urlOf(
    ['ws:', 'wss:', 'http:', 'https:'],
    'the URL of your LiveKit server, for example wss://livekit.example.com',
  ),
  /** LIVEKIT_API_KEY, LIVEKIT_API_SECRET. The same pair signs API tokens and webhooks. */
  apiKey: z.string().min(1),
  apiSecret: secret,
  /** LIVEKIT_REDIS_ADDRESS, _USERNAME, _PASSWORD. The Redis that LiveKit itself uses: there Reelkit takes its egress requests. */
  redis,
});

export const workers = z.strictObject({
  /**
   * WORKERS_REDIS_ADDRESS, _USERNAME, _PASSWORD. The workers' own Redis: a server of its own, not another database of LiveKit's,
   * because messages reach every database.
   */
  redis,
});
