// Signs of life of an activity while it works, by a timer: what it waits for may be silent for long.
import { heartbeat } from '@temporalio/activity';

export async function withHeartbeats<T>(everyMs: number, work: () => Promise<T>): Promise<T> {
  const heartbeats = setInterval(heartbeat, everyMs);
  try {
    return await work();
  } finally {
    clearInterval(heartbeats);
  }
}
