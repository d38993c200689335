// reelkit token: an access token for the API, from the LiveKit keys. Printed alone, so that $(reelkit token) works.
import { defined } from '../common/defined.ts';
import { parseDuration } from '../recording/duration.ts';
import { mintToken, readKeys } from './client.ts';
import { usageError } from './errors.ts';
import { printLine } from './print.ts';

export async function token(options: {
  config?: string;
  ttl: string;
  room?: string;
  identity?: string;
}): Promise<void> {
  const ttlMs = parseDuration(options.ttl);
  if (ttlMs === undefined || ttlMs < 1_000) {
    throw usageError(`--ttl ${options.ttl} is not a duration`, 'write for example 30m, 6h or 7d');
  }
  const { room, identity } = options;
  printLine(
    await mintToken(readKeys(options.config, process.env), {
      ttlSeconds: Math.floor(ttlMs / 1_000),
      ...defined({ room, identity }),
    }),
  );
}
