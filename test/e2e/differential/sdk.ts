// A client of LiveKit that nobody here wrote, behind one function: a call of its egress API as protobuf's JSON, and what came back.
// The same calls go through each SDK; what an SDK has no words for, it cannot ask.
import type { JsonObject } from '@bufbuild/protobuf';

export type Method =
  | 'StartEgress'
  | 'StartRoomCompositeEgress'
  | 'StartWebEgress'
  | 'StartParticipantEgress'
  | 'StartTrackCompositeEgress'
  | 'StartTrackEgress'
  | 'UpdateLayout'
  | 'UpdateStream'
  | 'ListEgress'
  | 'StopEgress';

export interface Call {
  method: Method | 'ReceiveWebhook';
  request: JsonObject;
  /** Instead of one that the SDK signs itself. */
  token?: string;
}

export type Answer =
  | { ok: JsonObject }
  | { error: { code?: string; status?: number; message: string } }
  | { cannot: string };

export interface Sdk {
  ask(call: Call): Promise<Answer>;
  end(): Promise<void>;
}

export interface LiveKitAddress {
  url: string;
  apiKey: string;
  apiSecret: string;
}
