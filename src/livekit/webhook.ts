// LiveKit's webhooks, verified and cut down to hints. A hint says where to look, never what is true: events are lost,
// repeated, and were seen to report the end of rooms that went on.
import { WebhookReceiver } from 'livekit-server-sdk';
import { type EgressSnapshot, isTerminal } from '../recording/egress.ts';
import { markerOfUrl } from './marker.ts';
import { snapshotOf } from './snapshot.ts';

export type WebhookHint =
  | { kind: 'egress'; recordingId: string; snapshot: EgressSnapshot }
  | { kind: 'room'; room: string; why: string }
  | { kind: 'nothing'; why: string };

/** @throws when the signature does not fit the body */
export type HintOf = (
  body: string,
  authorization: string | undefined,
  query: Record<string, unknown>,
) => Promise<WebhookHint>;

export function createHintOf(apiKey: string, apiSecret: string): HintOf {
  const receiver = new WebhookReceiver(apiKey, apiSecret);
  return async (body, authorization, query) => {
    const token = authorization?.replace(/^Bearer +/i, '');
    return readHint(await receiver.receive(body, token), query);
  };
}

type WebhookEvent = Awaited<ReturnType<WebhookReceiver['receive']>>;

function readHint(event: WebhookEvent, query: Record<string, unknown>): WebhookHint {
  if (event.egressInfo?.egressId) return egressHint(event.event, snapshotOf(event.egressInfo), query);
  const room = event.room?.name;
  if (room && (event.event === 'room_started' || event.event === 'room_finished')) {
    return { kind: 'room', room, why: event.event };
  }
  return { kind: 'nothing', why: event.event || 'no event name' };
}

/** STARTING is known from the start itself, ENDING from the end that follows: only ACTIVE and ends are worth a signal. */
function egressHint(event: string, snapshot: EgressSnapshot, query: Record<string, unknown>): WebhookHint {
  const marker = snapshot.marker ?? markerOfQuery(query);
  if (!marker) return { kind: 'nothing', why: `${event} of an egress that is not ours` };
  if (snapshot.status !== 'ACTIVE' && !isTerminal(snapshot.status)) {
    return { kind: 'nothing', why: `${event} ${snapshot.status}` };
  }
  return { kind: 'egress', recordingId: marker.recordingId, snapshot: { ...snapshot, marker } };
}

/** The signed body is believed first; the query is not signed. */
function markerOfQuery(query: Record<string, unknown>): EgressSnapshot['marker'] {
  const pairs = ['recording', 'part', 'attempt'].map((key): [string, string] => [key, String(query[key] ?? '')]);
  return markerOfUrl(`/webhooks/livekit?${new URLSearchParams(pairs)}`);
}
