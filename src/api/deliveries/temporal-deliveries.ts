// The deliveries of webhooks, as Temporal keeps them: one workflow a recording, the last run of which knows everything.
import {
  type Client,
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { deliveryOptions, failedDeliveries, recordingIdOfDelivery, runsOf } from '../../temporal/deliveries.ts';
import { grpcCode } from '../../temporal/grpc.ts';
import type { delivery } from '../../workflows/delivery.ts';
import { deliveriesQuery, deliveryWorkflowId, keptQuery, replayUpdate } from '../../workflows/messages.ts';
import { type ApiError, errors } from '../errors.ts';
import type { WebhookDeliveries } from './deliveries.ts';

const QUERY_MS = 5_000;
const LIST_MS = 10_000;
/** The delivery waits a while for its receivers. */
const REPLAY_MS = 25_000;

export interface DeliveriesSettings {
  fleets: readonly string[];
  taskQueue: string;
}

export function createTemporalDeliveries(client: Client, { fleets, taskQueue }: DeliveriesSettings): WebhookDeliveries {
  const within = <T>(ms: number, call: () => Promise<T>) => client.withDeadline(Date.now() + ms, call);
  const handle = (id: string) => client.workflow.getHandle<typeof delivery>(deliveryWorkflowId(id));

  /** @returns undefined when there is no delivery */
  async function ask<T>(call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await within(QUERY_MS, call);
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw asApiError(error);
    }
  }

  return {
    show: async (id) => (await ask(() => handle(id).query(deliveriesQuery))) ?? [],

    async replay(recordingId, which) {
      const known = await ask(() => handle(recordingId).query(keptQuery));
      if (!known) throw errors.webhookEventNotFound(recordingId, which.sequence);
      // One that is open goes on with what it knows itself.
      const startWorkflowOperation = new WithStartWorkflowOperation<typeof delivery>('delivery', {
        ...deliveryOptions({ recordingId, ...known }, taskQueue),
        workflowIdConflictPolicy: 'USE_EXISTING',
      });
      try {
        return await within(REPLAY_MS, () =>
          client.workflow.executeUpdateWithStart(replayUpdate, { startWorkflowOperation, args: [which] }),
        );
      } catch (error) {
        if (refusedAs(error) === 'NoSuchEvent') throw errors.webhookEventNotFound(recordingId, which.sequence);
        throw asApiError(error);
      }
    },

    async failed(limit) {
      try {
        return await within(LIST_MS, () => stillFailed(client, fleets, limit));
      } catch (error) {
        throw asApiError(error);
      }
    },
  };
}

/** Temporal lists each run; a later one may have delivered what an earlier one could not. */
async function stillFailed(client: Client, fleets: readonly string[], limit: number) {
  const { namespace } = client.options;
  const { workflowService } = client;
  const list = async (query: string, pageSize: number) =>
    (await workflowService.listWorkflowExecutions({ namespace, query, pageSize })).executions;
  const failed = await list(failedDeliveries(fleets), limit);
  const ids = [...new Set(failed.map(({ execution }) => execution?.workflowId ?? ''))];
  if (ids.length === 0) return [];
  const newest = new Map<string, string>();
  const runs = await list(runsOf(ids), limit * 2);
  for (const { execution, startTime } of runs.toSorted((one, other) => millis(one.startTime) - millis(other.startTime)))
    if (startTime) newest.set(execution?.workflowId ?? '', execution?.runId ?? '');
  return failed.flatMap(({ execution, closeTime }) =>
    newest.get(execution?.workflowId ?? '') === execution?.runId
      ? [{ recordingId: recordingIdOfDelivery(execution?.workflowId ?? ''), endedAtMs: millis(closeTime) }]
      : [],
  );
}

function millis(time: { seconds?: unknown; nanos?: number | null } | null | undefined): number {
  return Number(time?.seconds ?? 0) * 1_000 + Math.floor((time?.nanos ?? 0) / 1e6);
}

function refusedAs(error: unknown): string | null | undefined {
  if (!(error instanceof WorkflowUpdateFailedError) || !(error.cause instanceof ApplicationFailure)) return undefined;
  return error.cause.type;
}

/** Deadline exceeded, failed precondition: nobody runs the workflow. */
const NO_ANSWER = new Set([4, 9]);

function asApiError(error: unknown): ApiError | unknown {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || NO_ANSWER.has(grpcCode(error) ?? 0))
    return errors.workerUnavailable(error);
  return grpcCode(error) === undefined ? error : errors.temporalUnavailable(error);
}
