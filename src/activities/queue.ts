// The order of the queue as Temporal's visibility shows it: priority first, then who was there first.
import type { Client } from '@temporalio/client';
import { openIn } from './open-recordings.ts';

export interface QueuePlace {
  /** Left out of the count: it waits itself, and its start may be older than its due time. */
  workflowId: string;
  fleet: string;
  /** 1 first, 5 last. */
  priority: number;
  /** When it was asked for or became due, unix ms. */
  sinceMs: number;
}

/** How many recordings wait for capacity before this one; 3-5 ms on a dev server. */
export async function countAhead(temporal: Client, place: QueuePlace): Promise<number> {
  const since = new Date(place.sinceMs).toISOString();
  const query = [
    openIn(place.fleet),
    `WorkflowId != '${place.workflowId}'`,
    `RecordingStage = 'waiting'`,
    `RecordingWaitingFor = 'capacity'`,
    `(RecordingPriority < ${place.priority} OR (RecordingPriority = ${place.priority} AND StartTime < '${since}'))`,
  ].join(' AND ');
  return (await temporal.workflow.count(query)).count;
}
