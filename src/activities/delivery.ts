// The activities of webhooks: handing a recording's events to their delivery, one try of one of them, and a look at the recording.
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { type SendSettings, sendEvent } from '../delivery/send.ts';
import type { RecordingView } from '../recording/view.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { deliveryOptions } from '../temporal/deliveries.ts';
import type { delivery } from '../workflows/delivery.ts';
import { announceSignal, recordingWorkflowId } from '../workflows/messages.ts';
import type { DeliveryActivities } from './contract.ts';

export interface DeliveryParts {
  client: Client;
  taskQueue: string;
  sending: SendSettings;
  metrics: Pick<Metrics, 'webhookTried'>;
  /** With what became of one that was terminated. */
  show(recordingId: string): Promise<RecordingView>;
}

export function createDeliveryActivities(parts: DeliveryParts): DeliveryActivities {
  const { client, taskQueue, sending, metrics, show } = parts;
  return {
    async announce({ events, ...input }) {
      await client.workflow.signalWithStart<typeof delivery, [typeof events]>('delivery', {
        ...deliveryOptions(input, taskQueue),
        signal: announceSignal,
        signalArgs: [events],
      });
    },
    async sendEvent({ receiver, body }) {
      const outcome = await sendEvent(receiver, body, sending);
      metrics.webhookTried(outcome.kind === 'delivered' ? outcome.kind : outcome.code);
      return outcome;
    },
    async findRecording({ recordingId }) {
      try {
        const { status } = await client.workflow.getHandle(recordingWorkflowId(recordingId)).describe();
        if (status.name === 'RUNNING') return { isOpen: true };
        return { isOpen: false, view: await show(recordingId) };
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return { isOpen: false };
        throw error;
      }
    },
  };
}
