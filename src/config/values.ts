// Kinds of values that several parts of the configuration have.
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseDuration } from '../recording/duration.ts';

interface DurationRange {
  min?: string;
  max?: string;
}

/** A timer takes 24 days at most; nothing here is meant to last longer than a day. */
export const duration = (fallback: string, { min = '0s', max = '24h' }: DurationRange = {}) => {
  const within = (ms: number) => ms >= (parseDuration(min) ?? 0) && ms <= (parseDuration(max) ?? 0);
  return z
    .string({ error: DURATION })
    .superRefine((text, context) => {
      const ms = parseDuration(text);
      if (ms === undefined) context.addIssue({ code: 'custom', message: DURATION });
      else if (!within(ms)) context.addIssue({ code: 'custom', message: `must be between ${min} and ${max}` });
    })
    .transform((text) => parseDuration(text) ?? 0)
    .prefault(fallback);
};

const DURATION = 'must be a duration such as "30s", "15m" or "1h"';

/** Whoever asks a URL, or tells of it, shows it whole: a password has no place there. */
export const urlOf = (protocols: readonly string[], what: string) =>
  z.string().superRefine((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (!url || !protocols.includes(url.protocol)) context.addIssue({ code: 'custom', message: `must be ${what}` });
    else if (url.username || url.password)
      context.addIssue({ code: 'custom', message: 'must have no user and no password in it: remove them' });
  });

export const webUrl = urlOf(['http:', 'https:'], 'an http or https URL, for example http://127.0.0.1:8080');

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
