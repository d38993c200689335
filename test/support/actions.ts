// Counts the Temporal actions of a workflow from its history, by the billing rules of Temporal Cloud: what is scheduled, started
// or received counts; what completes does not. Heartbeats and queries leave no event and are not in here.
import proto from '@temporalio/proto';

type History = proto.temporal.api.history.v1.IHistory;
type HistoryEvent = proto.temporal.api.history.v1.IHistoryEvent;

export interface ActionCount {
  total: number;
  /** By kind, for the table of the benchmark. */
  by: Record<string, number>;
}

const ACTIONS: Record<string, number> = {
  WORKFLOW_EXECUTION_STARTED: 1,
  ACTIVITY_TASK_SCHEDULED: 1,
  TIMER_STARTED: 1,
  // Local activities: one action for all of a workflow task, and none of ours runs two in one.
  MARKER_RECORDED: 1,
  WORKFLOW_EXECUTION_SIGNALED: 1,
  SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: 1,
  UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: 1,
  WORKFLOW_EXECUTION_UPDATE_ACCEPTED: 1,
  START_CHILD_WORKFLOW_EXECUTION_INITIATED: 2,
};

export function countActions(history: History): ActionCount {
  const by: Record<string, number> = {};
  const add = (kind: string, count: number) => {
    if (count > 0) by[kind] = (by[kind] ?? 0) + count;
  };
  for (const event of history.events ?? []) {
    const kind = nameOf(event);
    add(kind, ACTIONS[kind] ?? 0);
    add('ACTIVITY_RETRY', retriesOf(event));
  }
  return { total: Object.values(by).reduce((sum, count) => sum + count, 0), by };
}

/** Only the last try of an activity is an event; it knows its number. */
function retriesOf(event: HistoryEvent): number {
  return Math.max(0, (event.activityTaskStartedEventAttributes?.attempt ?? 1) - 1);
}

function nameOf({ eventType }: HistoryEvent): string {
  const name = typeof eventType === 'string' ? eventType : proto.temporal.api.enums.v1.EventType[eventType ?? 0];
  return String(name).replace(/^EVENT_TYPE_/, '');
}
