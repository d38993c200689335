// /v1/recordings/:id/webhooks and /v1/webhooks/failed: how Reelkit's own webhooks fared, and sending them again. For operators.
import type { WebhookDeliveries } from '../deliveries/deliveries.ts';
import { errors } from '../errors.ts';
import type { Recordings } from '../recordings/recordings.ts';
import { defineRoute, type Route } from '../route.ts';
import {
  failedDeliveriesQuery,
  failedDeliveriesView,
  recordingParams,
  replayBody,
  webhookDeliveriesView,
} from '../schemas.ts';

export interface WebhookDeliveryParts {
  recordings: Pick<Recordings, 'peek'>;
  deliveries: WebhookDeliveries;
}

export function webhookDeliveryRoutes({ recordings, deliveries }: WebhookDeliveryParts): Route[] {
  const show = defineRoute({
    method: 'get',
    path: '/v1/recordings/:id/webhooks',
    tag: 'recordings',
    summary: 'See how the webhooks of a recording fared',
    description:
      'Every event that somebody was to hear of, in order, with each delivery: its state, its tries, and what was wrong.',
    auth: 'token',
    operatorsOnly: true,
    params: recordingParams,
    responses: {
      200: { description: 'The events; none when nobody was to hear of it', schema: webhookDeliveriesView },
    },
    problems: ['forbidden', 'recording_not_found', 'temporal_unavailable', 'temporal_worker_unavailable'],
    async handler({ params }) {
      const events = await deliveries.show(params.id);
      if (events.length === 0 && !(await recordings.peek(params.id))) throw errors.recordingNotFound(params.id);
      return { status: 200, body: { events } };
    },
  });

  const replay = defineRoute({
    method: 'post',
    path: '/v1/recordings/:id/webhooks/replay',
    tag: 'recordings',
    summary: 'Send webhooks of a recording again',
    description:
      'The same bodies with the same event ids, newly signed, in order: all of them, one (`sequence`), or those that failed (`failed`). Waits up to 15 s for the receivers; what is `pending` then goes on being tried.',
    auth: 'token',
    operatorsOnly: true,
    params: recordingParams,
    body: replayBody,
    responses: { 200: { description: 'What was sent, and what came of it', schema: webhookDeliveriesView } },
    problems: [
      'forbidden',
      'invalid_request',
      'webhook_event_not_found',
      'temporal_unavailable',
      'temporal_worker_unavailable',
    ],
    async handler({ params, body }) {
      return { status: 200, body: { events: await deliveries.replay(params.id, body) } };
    },
  });

  const failed = defineRoute({
    method: 'get',
    path: '/v1/webhooks/failed',
    tag: 'recordings',
    summary: 'List recordings with webhooks that failed',
    description: 'Those of which a delivery was given up and not replayed since, the last to end first.',
    auth: 'token',
    operatorsOnly: true,
    query: failedDeliveriesQuery,
    responses: { 200: { description: 'The recordings', schema: failedDeliveriesView } },
    problems: ['forbidden', 'invalid_parameter', 'temporal_unavailable'],
    async handler({ query }) {
      return { status: 200, body: { recordings: await deliveries.failed(query.limit) } };
    },
  });
  return [show, replay, failed];
}
