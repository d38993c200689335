// How everything that Temporal stores is encrypted.
import { z } from 'zod';
import { isKeyId, isKeyText, MAX_KEYS } from '../temporal/keys.ts';

export const encryption = z.strictObject({
  /**
   * REELKIT_ENCRYPTION_KEYS, as `id:key,id:key`. The first one encrypts, all of them decrypt. Without any a key is made in
   * `keyFile` at the first start.
   */
  keys: z
    .array(
      z
        .strictObject({
          id: z.string().refine(isKeyId, { error: 'must be 1 to 64 letters, digits, dots, dashes or underscores' }),
          key: z
            .string()
            .refine(isKeyText, { error: 'must be 32 bytes in base64, as `openssl rand -base64 32` prints them' })
            .optional(),
          /** A file that holds the key in base64 and nothing else. */
          keyFile: z.string().min(1).optional(),
        })
        .refine(({ key, keyFile }) => (key === undefined) !== (keyFile === undefined), {
          error: 'needs either key or keyFile',
        }),
    )
    .min(1)
    .max(MAX_KEYS)
    .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, {
      error: 'must give each key an id of its own',
    })
    .optional(),
  /** REELKIT_ENCRYPTION_KEY_FILE. Keys one a line, `<id> <base64>`; in the state directory by default (see temporal/keys.ts). */
  keyFile: z.string().min(1).optional(),
  /** Origins of Temporal's Web UI that may ask this API to decrypt what they show. */
  uiOrigins: z
    .array(
      z.string().refine((text) => URL.canParse(text) && new URL(text).origin === text, {
        error: 'must be an origin, for example https://temporal.example.com',
      }),
    )
    .max(16)
    .default([]),
});
