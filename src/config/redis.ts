// Redis, as LiveKit's own configuration has it.
import { z } from 'zod';

const redisAddress = z.string().regex(/^[^\s/@]+:\d{1,5}$/, { error: 'must be host:port, for example redis:6379' });

/** The keys of LiveKit's own `redis` section, in camel case. */
export const redis = z
  .strictObject({
    /** A single Redis, host:port. */
    address: redisAddress.optional(),
    username: z.string().default(''),
    password: z.string().default(''),
    db: z.number().int().min(0).default(0),
    tls: z
      .strictObject({
        enabled: z.boolean().default(false),
        /** PEM file of the authority that signed the server's certificate. */
        caFile: z.string().min(1).optional(),
        /** Accepts any certificate. */
        insecure: z.boolean().default(false),
      })
      .prefault({}),
    sentinelMasterName: z.string().min(1).optional(),
    sentinelAddresses: z.array(redisAddress).default([]),
    sentinelUsername: z.string().default(''),
    sentinelPassword: z.string().default(''),
    clusterAddresses: z.array(redisAddress).default([]),
  })
  .superRefine((settings, context) => {
    const ways = [
      settings.address !== undefined,
      settings.sentinelAddresses.length > 0,
      settings.clusterAddresses.length > 0,
    ];
    if (ways.filter(Boolean).length !== 1) {
      const message =
        'needs exactly one of address (a single Redis), sentinelAddresses with sentinelMasterName, and clusterAddresses';
      context.addIssue({ code: 'custom', message });
    } else if (settings.sentinelAddresses.length > 0 && settings.sentinelMasterName === undefined) {
      context.addIssue({ code: 'custom', path: ['sentinelMasterName'], message: 'is needed with sentinelAddresses' });
    }
  });
