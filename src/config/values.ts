// Kinds of values that several parts of the configuration have.
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

export const secret = z.string().min(1);
