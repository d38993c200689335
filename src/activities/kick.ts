// Wakes the fleet's workflow by signal-with-start. Kicks from one process are coalesced: a burst of 200 requests is one signal
// now and one at the end of the window, so that nothing that came during the window is missed.
import type { Client } from '@temporalio/client';
import { type FleetInput, fleetWorkflowId, kickSignal } from '../workflows/messages.ts';

/** @param settle whether more requests may follow; false when the news is about a worker */
export type FleetKicker = (fleet: string, why: string, settle?: boolean) => Promise<void>;

/** Temporal's guidance is at most 5 signals a second to one workflow. */
const WINDOW_MS = 250;

interface Window {
  openUntilMs: number;
  trailing?: { sent: Promise<void>; settle: boolean };
}

export function createFleetKicker(temporal: Client, taskQueue: string): FleetKicker {
  const windows = new Map<string, Window>();

  async function send(fleet: string, why: string, settle: boolean): Promise<void> {
    await temporal.workflow.signalWithStart('fleet', {
      workflowId: fleetWorkflowId(fleet),
      taskQueue,
      args: [{ fleet } satisfies FleetInput],
      signal: kickSignal,
      signalArgs: [{ why, ...(settle ? {} : { settle }) }],
      staticSummary: `fleet ${fleet}`,
      // In a burst its few tasks must not stand behind those of every recording that waits for them.
      priority: { priorityKey: 1 },
    });
  }

  return async (fleet, why, settle = true) => {
    const nowMs = Date.now();
    const open = windows.get(fleet);
    if (!open || nowMs >= open.openUntilMs) {
      windows.set(fleet, { openUntilMs: nowMs + WINDOW_MS });
      return send(fleet, why, settle);
    }
    open.trailing ??= { settle, sent: delay(open.openUntilMs - nowMs).then(() => sendTrailing(fleet, why, open)) };
    open.trailing.settle ||= settle;
    return open.trailing.sent;
  };

  function sendTrailing(fleet: string, why: string, { trailing }: Window): Promise<void> {
    windows.set(fleet, { openUntilMs: Date.now() + WINDOW_MS });
    return send(fleet, why, trailing?.settle ?? true);
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
