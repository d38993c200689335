// Named storages: where recordings go that Reelkit's own API asked for.
import { z } from 'zod';
import { secret } from './values.ts';

export const storage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('local'),
    /** Folder on the worker's own disk. */
    path: z.string().startsWith('/', { error: 'must be an absolute path on the worker' }),
  }),
  z.strictObject({
    type: z.literal('s3'),
    bucket: z.string().min(1),
    region: z.string().default(''),
    endpoint: z.string().default(''),
    /** Leave both keys out to use the worker's own role. */
    accessKey: z.string().default(''),
    secret: z.string().default(''),
    sessionToken: z.string().default(''),
    forcePathStyle: z.boolean().default(false),
    prefix: z.string().default(''),
  }),
  z.strictObject({
    type: z.literal('gcs'),
    bucket: z.string().min(1),
    /** Service account JSON; leave out to use the worker's own identity. */
    credentials: z.string().default(''),
    prefix: z.string().default(''),
  }),
  z.strictObject({
    type: z.literal('azure'),
    accountName: z.string().min(1),
    accountKey: secret,
    containerName: z.string().min(1),
    prefix: z.string().default(''),
  }),
]);

export type Storage = z.output<typeof storage>;
