// Does Temporal answer? Asked once a second in the background, so that whoever must know at once need not ask.
import type { Client } from '@temporalio/client';

const EVERY_MS = 1_000;
const CALL_MS = 2_000;

export interface TemporalHealth {
  readonly ok: boolean;
  stop(): void;
}

/** It answered a moment ago when this is called. GetSystemInfo is no billed action. */
export function watchTemporal(client: Client): TemporalHealth {
  let ok = true;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    ok = await client
      .withDeadline(Date.now() + CALL_MS, () => client.workflowService.getSystemInfo({}))
      .then(
        () => true,
        () => false,
      );
    if (!stopped) timer = setTimeout(() => void look(), EVERY_MS).unref();
  };
  timer = setTimeout(() => void look(), EVERY_MS).unref();
  return {
    get ok() {
      return ok;
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
