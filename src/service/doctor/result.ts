// What a check of `reelkit doctor` says.
import { ServerError } from 'livekit-server-sdk';

export interface CheckResult {
  name: string;
  ok: boolean;
  /** It works, and somebody should know of something. */
  warning?: true;
  /** What was found; when it failed, with the remedy. */
  detail: string;
}

export function passed(name: string, detail: string): CheckResult {
  return { name, ok: true, detail };
}

export function warned(name: string, detail: string): CheckResult {
  return { name, ok: true, warning: true, detail };
}

export function failed(name: string, detail: string): CheckResult {
  return { name, ok: false, detail };
}

export async function check(name: string, run: () => Promise<CheckResult>, remedy?: string): Promise<CheckResult> {
  try {
    return await run();
  } catch (error) {
    return failed(name, `${explain(error)}${remedy ? `: ${remedy}` : ''}`);
  }
}

export function explain(error: unknown): string {
  if (error instanceof ServerError) {
    const hint = error.status === 401 ? ': LIVEKIT_API_KEY and LIVEKIT_API_SECRET must be a pair of the server' : '';
    const redis = /redis|connection refused|not connected/i.test(error.message)
      ? ': LiveKit needs `redis` in its configuration, and Redis running'
      : '';
    return `LiveKit answered ${error.status} "${error.message}"${hint || redis}`;
  }
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
