// The names of what Reelkit's own webhooks tell; stable, part of the API.

export const WEBHOOK_EVENTS = [
  'recording.scheduled',
  'recording.starting',
  'recording.waiting',
  'recording.started',
  'recording.paused',
  'recording.resumed',
  'recording.part_ended',
  'recording.stopping',
  'recording.completed',
  'recording.failed',
  'recording.cancelled',
  'recording.expired',
] as const;
export type WebhookEventName = (typeof WEBHOOK_EVENTS)[number];
