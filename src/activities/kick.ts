// Wakes the fleet's workflow by signal-with-start. Kicks from one process are coalesced: a burst of 200 requests is one signal
// now and one at the end of the window, so that nothing that came during the window is missed.
import type { Client } from '@temporalio/client';
import { type FleetInput, fleetWorkflowId, kickSignal } from '../workflows/messages.ts';

export type FleetKicker = (fleet: string, why: string) => Promise<void>;

/** Temporal's guidance is at most 5 signals a second to one workflow. */
const WINDOW_MS = 250;

export function createFleetKicker(temporal: Client, taskQueue: string): FleetKicker {
  const windows = new Map<string, { openUntilMs: number; trailing?: Promise<void> }>();

  async function send(fleet: string, why: string): Promise<void> {
    await temporal.workflow.signalWithStart('fleet', {
      workflowId: fleetWorkflowId(fleet),
      taskQueue,
      args: [{ fleet } satisfies FleetInput],
      signal: kickSignal,
      signalArgs: [{ why }],
      staticSummary: `fleet ${fleet}`,
      // In a burst its few tasks must not stand behind those of every recording that waits for them.
      priority: { priorityKey: 1 },
    });
  }

  return async (fleet, why) => {
    const nowMs = Date.now();
    const open = windows.get(fleet);
    if (!open || nowMs >= open.openUntilMs) {
      windows.set(fleet, { openUntilMs: nowMs + WINDOW_MS });
      return send(fleet, why);
    }
    open.trailing ??= delay(open.openUntilMs - nowMs).then(() => {
      windows.set(fleet, { openUntilMs: Date.now() + WINDOW_MS });
      return send(fleet, why);
    });
    return open.trailing;
  };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
