// LiveKit's internal StartEgress request and list of what runs, which no package of LiveKit's for Node holds: the fields that Reelkit
// reads or sets. Everything newer is kept as it came.
import { type Message, type MessageType, proto3 } from '@bufbuild/protobuf';
import {
  ExportReplayRequest,
  ParticipantEgressRequest,
  RoomCompositeEgressRequest,
  StartEgressRequest,
  TrackCompositeEgressRequest,
  TrackEgressRequest,
  WebEgressRequest,
} from '@livekit/protocol';

export type StartRequestOneof =
  | { case: 'egress'; value: StartEgressRequest }
  | { case: 'replay'; value: ExportReplayRequest }
  | { case: 'roomComposite'; value: RoomCompositeEgressRequest }
  | { case: 'web'; value: WebEgressRequest }
  | { case: 'participant'; value: ParticipantEgressRequest }
  | { case: 'trackComposite'; value: TrackCompositeEgressRequest }
  | { case: 'track'; value: TrackEgressRequest }
  | { case: undefined; value?: undefined };

/** rpc.StartEgressRequest. */
export interface StartMessage extends Message<StartMessage> {
  egressId: string;
  request: StartRequestOneof;
  roomId: string;
  roomName: string;
  token: string;
  wsUrl: string;
  estimatedCpu: number;
  /** Comes back in every EgressInfo of this attempt. */
  retryCount: number;
}

const oneof = 'request';

/** Field numbers: livekit/protocol protobufs/rpc/egress.proto. */
export const StartMessage: MessageType<StartMessage> = proto3.makeMessageType('rpc.StartEgressRequest', () => [
  { no: 1, name: 'egress_id', kind: 'scalar', T: 9 },
  { no: 16, name: 'egress', kind: 'message', T: StartEgressRequest, oneof },
  { no: 17, name: 'replay', kind: 'message', T: ExportReplayRequest, oneof },
  { no: 5, name: 'room_composite', kind: 'message', T: RoomCompositeEgressRequest, oneof },
  { no: 11, name: 'web', kind: 'message', T: WebEgressRequest, oneof },
  { no: 13, name: 'participant', kind: 'message', T: ParticipantEgressRequest, oneof },
  { no: 6, name: 'track_composite', kind: 'message', T: TrackCompositeEgressRequest, oneof },
  { no: 7, name: 'track', kind: 'message', T: TrackEgressRequest, oneof },
  { no: 3, name: 'room_id', kind: 'scalar', T: 9 },
  { no: 18, name: 'room_name', kind: 'scalar', T: 9 },
  { no: 8, name: 'token', kind: 'scalar', T: 9 },
  { no: 9, name: 'ws_url', kind: 'scalar', T: 9 },
  { no: 14, name: 'estimated_cpu', kind: 'scalar', T: 1 },
  { no: 15, name: 'retry_count', kind: 'scalar', T: 5 },
]);

/** @throws when the bytes are no such message */
export function decodeStart(bytes: Uint8Array): StartMessage {
  return StartMessage.fromBinary(bytes);
}

/** rpc.ListActiveEgressResponse. */
interface ActiveEgresses extends Message<ActiveEgresses> {
  egressIds: string[];
}

export const ActiveEgresses: MessageType<ActiveEgresses> = proto3.makeMessageType(
  'rpc.ListActiveEgressResponse',
  () => [{ no: 1, name: 'egress_ids', kind: 'scalar', T: 9, repeated: true }],
);
