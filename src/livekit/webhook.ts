// LiveKit's webhooks, verified and cut down to hints about rooms. A hint says where to look, never what is true: events are lost,
// repeated, and were seen to report the end of rooms that went on.
import { WebhookReceiver } from 'livekit-server-sdk';

export type WebhookHint = { kind: 'room'; room: string; why: string } | { kind: 'nothing'; why: string };

/** @throws when the signature does not fit the body */
export type HintOf = (body: string, authorization: string | undefined) => Promise<WebhookHint>;

export function createHintOf(apiKey: string, apiSecret: string): HintOf {
  const receiver = new WebhookReceiver(apiKey, apiSecret);
  return async (body, authorization) => {
    const token = authorization?.replace(/^Bearer +/i, '');
    return readHint(await receiver.receive(body, token));
  };
}

type WebhookEvent = Awaited<ReturnType<WebhookReceiver['receive']>>;

function readHint({ event, room }: WebhookEvent): WebhookHint {
  if (room?.name && (event === 'room_started' || event === 'room_finished'))
    return { kind: 'room', room: room.name, why: event };
  return { kind: 'nothing', why: event || 'no event name' };
}
