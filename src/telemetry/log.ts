// The log of the process: JSON lines by pino. Holds no secret: bodies and headers are never logged, URLs lose their query.
import { type Logger, pino } from 'pino';
import type { Config } from '../config/schema.ts';

export type Log = Logger;

/** Should any object with such a field ever reach the log, its value does not. */
const SECRET_FIELDS = ['authorization', 'apiSecret', 'secret', 'accessKey', 'accountKey', 'credentials', 'token'];

export function createLog(level: Config['logLevel']): Log {
  return pino({
    level,
    base: { service: 'reelkit' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
      censor: '(hidden)',
    },
  });
}

/** A URL that is fit for a log: without user, password, query and fragment. */
export function hideUrl(url: string): string {
  if (!URL.canParse(url)) return '(not a URL)';
  const { protocol, host, pathname, search } = new URL(url);
  return `${protocol}//${host}${pathname}${search ? '?…' : ''}`;
}
