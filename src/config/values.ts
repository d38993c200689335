// Kinds of values that several parts of the configuration have.
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseDuration } from '../recording/duration.ts';

export const duration = (fallback: string) =>
  z
    .string()
    .refine((text) => parseDuration(text) !== undefined, { error: 'must be a duration such as "30s", "15m" or "1h"' })
    .transform((text) => parseDuration(text) ?? 0)
    .prefault(fallback);

export const webUrl = z.string().refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
  error: 'must be an http or https URL, for example http://127.0.0.1:8080',
});

const NAMED_NETWORKS = ['loopback', 'linklocal', 'uniquelocal'];

/** As Express names them: an address, a network such as 10.0.0.0/8, or one of three names. */
export function isNetwork(text: string): boolean {
  if (NAMED_NETWORKS.includes(text)) return true;
  const [address = '', bits, ...more] = text.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

export const secret = z.string().min(1);
