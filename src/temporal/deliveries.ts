// How deliveries of webhooks are started and found in Temporal.

import { quoted } from '../recording/keywords.ts';
import { type DeliveryInput, deliveryWorkflowId } from '../workflows/messages.ts';
import { KEYS } from '../workflows/search-attributes.ts';

/** After everything that records. */
const LAST = 5;

/** How a delivery is started, by whom ever. */
export function deliveryOptions(input: DeliveryInput, taskQueue: string) {
  return {
    workflowId: deliveryWorkflowId(input.recordingId),
    taskQueue,
    args: [input] as [DeliveryInput],
    priority: { priorityKey: LAST },
    typedSearchAttributes: [{ key: KEYS.fleet, value: input.fleet }],
  };
}

/** Runs that ended without having told everything. */
export function failedDeliveries(fleets: readonly string[]): string {
  const all = fleets.map(quoted).join(', ');
  return `WorkflowType = 'delivery' AND RecordingFleet IN (${all}) AND ExecutionStatus IN ('Failed', 'Canceled', 'Terminated', 'TimedOut')`;
}

/** Every run of these, the newest of each included. */
export function runsOf(workflowIds: readonly string[]): string {
  return `WorkflowType = 'delivery' AND WorkflowId IN (${workflowIds.map(quoted).join(', ')})`;
}

export function recordingIdOfDelivery(workflowId: string): string {
  return workflowId.replace(/\/webhooks$/, '');
}
