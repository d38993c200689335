// Reelkit's own webhooks: who hears of recordings, and where webhooks may go.
import { isIP } from 'node:net';
import { z } from 'zod';
import { isRange } from '../delivery/address-guard.ts';
import { webhookEvents, webhookUrl } from '../recording/request.ts';
import { ruleMatch } from './rules.ts';

/** Each adds its own deliveries to every recording that it matches. */
const MAX_RECEIVERS = 10;
const HOST = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i;

const receiver = z.strictObject({
  /** Answers and logs name it so. */
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, {
    error: 'must be lower-case letters, digits and dashes',
  }),
  url: webhookUrl,
  /** Only these; all of them when left out. */
  events: webhookEvents.optional(),
  /** Only recordings that it fits, as in `rules`; all of them when left out. */
  match: ruleMatch.optional(),
  /** Whose secret signs: livekit.apiKey, or one of api.keys. */
  apiKey: z.string().min(1).max(256).optional(),
});

export const webhooks = z.strictObject({
  /** Addresses, ranges (CIDR) and names of hosts that webhooks may go to although they are private. */
  allow: z
    .array(
      z.string().refine((entry) => isRange(entry) || (!entry.includes('/') && isIP(entry) === 0 && HOST.test(entry)), {
        error: 'must be an address, a range such as 10.0.0.0/8, or the name of a host',
      }),
    )
    .max(100)
    .default([]),
  receivers: z
    .array(receiver)
    .max(MAX_RECEIVERS)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, { error: 'names one twice' })
    .default([]),
});
