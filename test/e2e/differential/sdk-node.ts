// livekit-server-sdk for Node, as an application calls it.
import type { JsonObject } from '@bufbuild/protobuf';
import {
  type EncodedFileOutput,
  type EncodingOptions,
  type ImageOutput,
  ListEgressRequest,
  ParticipantEgressRequest,
  RoomCompositeEgressRequest,
  type SegmentedFileOutput,
  StartEgressRequest,
  type StreamOutput,
  TrackCompositeEgressRequest,
  TrackEgressRequest,
  UpdateStreamRequest,
  WebEgressRequest,
} from '@livekit/protocol';
import { EgressClient, type EncodedOutputs, WebhookReceiver } from 'livekit-server-sdk';
import type { Answer, Call, LiveKitAddress, Sdk } from './sdk.ts';

/** LiveKit itself gives up first. */
const TIMEOUT_SECONDS = 60;

export function startNodeSdk({ url, apiKey, apiSecret }: LiveKitAddress): Sdk {
  const host = url.replace(/^ws/, 'http');
  return {
    async ask({ method, request, token }) {
      if (method === 'ReceiveWebhook') return receive(new WebhookReceiver(apiKey, apiSecret), request);
      const client = new EgressClient(host, apiKey, apiSecret, {
        requestTimeout: TIMEOUT_SECONDS,
        ...(token === undefined ? {} : { token }),
      });
      try {
        return { ok: await call(client, { method, request }) };
      } catch (error) {
        if (error instanceof Cannot) return { cannot: error.message };
        const { status, code, message } = error as { status?: number; code?: string; message: string };
        return { error: { ...(code ? { code } : {}), ...(status ? { status } : {}), message } };
      }
    },
    end: async () => {},
  };
}

class Cannot extends Error {}

async function receive(receiver: WebhookReceiver, { body, authorization }: JsonObject): Promise<Answer> {
  try {
    return { ok: (await receiver.receive(String(body), String(authorization))).toJson() as JsonObject };
  } catch (error) {
    return { error: { message: String(error) } };
  }
}

async function call(client: EgressClient, { method, request }: Pick<Call, 'method' | 'request'>): Promise<JsonObject> {
  switch (method) {
    case 'StartEgress':
      return json(client.startEgress(StartEgressRequest.fromJson(request)));
    case 'StartRoomCompositeEgress': {
      const { roomName, options, ...r } = RoomCompositeEgressRequest.fromJson(request);
      return json(client.startRoomCompositeEgress(roomName, outputsOf(r), { ...plain(r), ...encodingOf(options) }));
    }
    case 'StartWebEgress': {
      const { url, options, ...r } = WebEgressRequest.fromJson(request);
      return json(client.startWebEgress(url, outputsOf(r), { ...plain(r), ...encodingOf(options) }));
    }
    case 'StartParticipantEgress': {
      const { roomName, identity, options, ...r } = ParticipantEgressRequest.fromJson(request);
      const outputs = outputsOf({ ...r, output: { case: undefined } }) as EncodedOutputs;
      return json(client.startParticipantEgress(roomName, identity, outputs, { ...plain(r), ...encodingOf(options) }));
    }
    case 'StartTrackCompositeEgress': {
      const { roomName, options, ...r } = TrackCompositeEgressRequest.fromJson(request);
      return json(client.startTrackCompositeEgress(roomName, outputsOf(r), { ...plain(r), ...encodingOf(options) }));
    }
    case 'StartTrackEgress': {
      const { roomName, trackId, output, webhooks } = TrackEgressRequest.fromJson(request);
      if (output.case === undefined) throw new Cannot('a track without output');
      return json(client.startTrackEgress(roomName, output.value, trackId, webhooks));
    }
    case 'UpdateLayout':
      return json(client.updateLayout(String(request.egressId), String(request.layout)));
    case 'UpdateStream': {
      const { egressId, addOutputUrls, removeOutputUrls } = UpdateStreamRequest.fromJson(request);
      return json(client.updateStream(egressId, addOutputUrls, removeOutputUrls));
    }
    case 'StopEgress':
      return json(client.stopEgress(String(request.egressId)));
    case 'ListEgress': {
      const { roomName, egressId, active } = ListEgressRequest.fromJson(request);
      const items = await client.listEgress({ roomName, egressId, active });
      return { items: items.map((item) => item.toJson()) };
    }
    default:
      throw new Cannot(method);
  }
}

async function json(answer: Promise<{ toJson(): unknown }>): Promise<JsonObject> {
  return (await answer).toJson() as JsonObject;
}

interface Outputs {
  output: { case?: string; value?: unknown };
  fileOutputs: EncodedFileOutput[];
  streamOutputs: StreamOutput[];
  segmentOutputs: SegmentedFileOutput[];
  imageOutputs: ImageOutput[];
}

/** Named outputs, or the one alone: the SDK then sends it in both of the request's places. */
function outputsOf({ output, fileOutputs, streamOutputs, segmentOutputs, imageOutputs }: Outputs) {
  if (output.value !== undefined) return output.value as EncodedFileOutput | StreamOutput | SegmentedFileOutput;
  const all = [fileOutputs, streamOutputs, segmentOutputs, imageOutputs];
  if (all.some(({ length }) => length > 1)) throw new Cannot('several outputs of one kind');
  if (all.every(({ length }) => length === 0)) return {};
  return {
    ...(fileOutputs[0] ? { file: fileOutputs[0] } : {}),
    ...(streamOutputs[0] ? { stream: streamOutputs[0] } : {}),
    ...(segmentOutputs[0] ? { segments: segmentOutputs[0] } : {}),
    ...(imageOutputs[0] ? { images: imageOutputs[0] } : {}),
  };
}

/** What is left once the outputs are taken. */
function plain<T extends Outputs | Omit<Outputs, 'output'>>(request: T) {
  const { fileOutputs, streamOutputs, segmentOutputs, imageOutputs, ...rest } = request;
  return rest;
}

function encodingOf(options: { case?: string; value?: unknown }) {
  return options.value === undefined ? {} : { encodingOptions: options.value as EncodingOptions };
}
