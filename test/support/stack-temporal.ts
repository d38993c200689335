// What Temporal itself says of the workflows: the promises about cost and crashes are about its history.
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';

const ENDED = {
  timer: /^EVENT_TYPE_TIMER_(FIRED|CANCELED)$/,
  activity: /^EVENT_TYPE_ACTIVITY_TASK_(COMPLETED|FAILED|TIMED_OUT|CANCELED)$/,
  workflowTask: /^EVENT_TYPE_WORKFLOW_TASK_(COMPLETED|FAILED|TIMED_OUT)$/,
};

export interface HistoryCount {
  runId: string;
  events: number;
  pendingTimers: number;
  pendingActivities: number;
  /** Zero also says that the workflow has seen everything that came: nothing is about to be decided. */
  pendingWorkflowTasks: number;
}

export function fleetHistory(client: Client, fleet = 'default'): Promise<HistoryCount> {
  return countHistory(client, `fleet/${fleet}`);
}

export async function countHistory(client: Client, workflowId: string): Promise<HistoryCount> {
  const handle = client.workflow.getHandle(workflowId);
  const [{ runId }, { events = [] }] = await Promise.all([handle.describe(), handle.fetchHistory()]);
  const count = (holds: (type: string) => boolean) =>
    events?.filter(({ eventType }) => holds(nameOf(eventType))).length ?? 0;
  const is = (name: string) => (type: string) => type === name;
  return {
    runId,
    events: events?.length ?? 0,
    pendingTimers: count(is('EVENT_TYPE_TIMER_STARTED')) - count((type) => ENDED.timer.test(type)),
    pendingActivities: count(is('EVENT_TYPE_ACTIVITY_TASK_SCHEDULED')) - count((type) => ENDED.activity.test(type)),
    pendingWorkflowTasks:
      count(is('EVENT_TYPE_WORKFLOW_TASK_SCHEDULED')) - count((type) => ENDED.workflowTask.test(type)),
  };
}

export function terminateRecording(client: Client, id: string): Promise<unknown> {
  return client.workflow.getHandle(id).terminate('an operator ends it');
}

const { EventType } = proto.temporal.api.enums.v1;

function nameOf(type: number | null | undefined): string {
  return EventType[type ?? 0] ?? '';
}
