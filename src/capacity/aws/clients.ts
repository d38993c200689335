// How the SDK's clients are made: bounded in tries and in time, for the SDK waits without end by itself.
import { defined } from '../../common/defined.ts';
import type { AwsSettings } from './config.ts';

const CONNECT_MS = 3_000;
const ANSWER_MS = 10_000;

export function clientOptions({ region, endpoint, maxAttempts }: AwsSettings) {
  return {
    ...defined({ region, endpoint }),
    maxAttempts,
    retryMode: 'standard',
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: ANSWER_MS, throwOnRequestTimeout: true },
  };
}
