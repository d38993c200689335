// Somebody may cancel or terminate a fleet's workflow by hand, and nothing else tells of it: whoever notices starts it again. Recordings
// that run are supervised by its passes, and workers that idle are ended by them.
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { FleetKicker } from '../activities/kick.ts';
import type { Log } from '../telemetry/log.ts';
import { fleetWorkflowId } from '../workflows/messages.ts';

export interface KeepFleetsParts {
  client: Client;
  fleets: readonly string[];
  kickFleet: FleetKicker;
  log: Pick<Log, 'warn'>;
  everyMs?: number;
}

/** Describing a workflow is no Temporal action. */
const EVERY_MS = 30_000;

export interface FleetKeeper {
  stop(): void;
}

export function keepFleets({ client, fleets, kickFleet, log, everyMs = EVERY_MS }: KeepFleetsParts): FleetKeeper {
  async function keep(fleet: string): Promise<void> {
    const status = await statusOf(client, fleet);
    if (status === 'RUNNING') return;
    log.warn(
      { fleet, status },
      "the fleet's workflow does not run, although nothing but a person ends it: starting it again",
    );
    await kickFleet(fleet, 'its workflow did not run');
  }

  // Temporal away: the next look tells.
  const look = () => void Promise.allSettled(fleets.map(keep));
  const timer = setInterval(look, everyMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

async function statusOf(client: Client, fleet: string): Promise<string> {
  try {
    return (await client.workflow.getHandle(fleetWorkflowId(fleet)).describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'NOT_FOUND';
    throw error;
  }
}
