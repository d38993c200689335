// What the API asks of the deliveries of webhooks: a narrow interface, implemented on Temporal in temporal-deliveries.ts.
import type { EventDeliveries, Replay } from '../../recording/webhooks/deliveries.ts';

export interface FailedDelivery {
  recordingId: string;
  endedAtMs: number;
}

/** Every method may throw ApiError `temporal_unavailable`, and all but `failed` `temporal_worker_unavailable`. */
export interface WebhookDeliveries {
  /** Empty: nobody was to hear of it. */
  show(recordingId: string): Promise<EventDeliveries[]>;
  /** Sends again and waits for the answers, a while. @returns what was sent @throws ApiError webhook_event_not_found */
  replay(recordingId: string, which: Replay): Promise<EventDeliveries[]>;
  /** Recordings of which something was not delivered and not replayed since, the last to end first. */
  failed(limit: number): Promise<FailedDelivery[]>;
}
