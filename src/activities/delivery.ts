// The delivery's one activity: the end of a recording to the user's webhook.
import { ApplicationFailure } from '@temporalio/activity';
import type { DeliveryActivities } from './contract.ts';

const WEBHOOK_TIMEOUT_MS = 10_000;

export function createDeliveryActivities(): DeliveryActivities {
  return {
    async notifyUser({ url, view }) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'User-Agent': 'reelkit' },
        body: JSON.stringify(view),
        signal: AbortSignal.timeout(WEBHOOK_TIMEOUT_MS),
      });
      if (response.ok) return;
      throw ApplicationFailure.create({ type: 'WebhookRejected', message: `the webhook answered ${response.status}` });
    },
  };
}
