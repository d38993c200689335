// Reelkit's HTTP API and LiveKit, as the demo uses them: with an access token of its own, over the network like anybody else.

import {
  EgressClient,
  EncodedFileOutput,
  EncodedFileType,
  EncodingOptions,
  RoomServiceClient,
} from 'livekit-server-sdk';
import type { FleetView } from '../api/schemas.ts';
import { createApiClient } from '../cli/client.ts';
import type { Stack } from '../dev/stack.ts';
import type { RecordingRequestInput } from '../recording/request.ts';
import type { RecordingView } from '../recording/view.ts';
import { encoding } from './cast.ts';

export interface DemoClient {
  request(body: RecordingRequestInput): Promise<{ id: string }>;
  /** The same asked of LiveKit by its SDK, which knows nothing of Reelkit; its limits are those of the rules. */
  requestBySdk(body: RecordingRequestInput, filepath: string): Promise<{ id: string }>;
  show(id: string): Promise<RecordingView>;
  cancel(id: string): Promise<RecordingView>;
  extend(id: string, by: string): Promise<RecordingView>;
  fleet(): Promise<FleetView>;
  closeRoom(room: string): Promise<void>;
  /** Every egress LiveKit has a record of. */
  egressIds(): Promise<string[]>;
}

export async function createClient({ api: { url }, livekit, env }: Pick<Stack, 'api' | 'livekit' | 'env'>) {
  const api = await createApiClient({ url }, { ...env });
  const keys = [livekit.url.replace(/^ws/, 'http'), livekit.apiKey, livekit.apiSecret] as const;
  const rooms = new RoomServiceClient(...keys);
  const egresses = new EgressClient(...keys);
  return {
    request: (body) => api.post('/v1/recordings', body),
    requestBySdk: async ({ source }, filepath) => {
      const { egressId } = await startBySdk(egresses, source, filepath);
      return { id: egressId };
    },
    show: (id) => api.get(`/v1/recordings/${id}`),
    cancel: (id) => api.post(`/v1/recordings/${id}/cancel`),
    extend: (id, by) => api.post(`/v1/recordings/${id}/extend`, { by }),
    fleet: () => api.get('/v1/fleets/default'),
    closeRoom: (room) => rooms.deleteRoom(room),
    egressIds: async () => (await egresses.listEgress()).map(({ egressId }) => egressId),
  } satisfies DemoClient;
}

function startBySdk(egresses: EgressClient, source: RecordingRequestInput['source'], filepath: string) {
  const {
    framerate,
    height,
    width,
    videoBitrateKbps: videoBitrate,
    keyFrameIntervalSeconds: keyFrameInterval,
  } = encoding;
  const encodingOptions = new EncodingOptions({ framerate, height, width, videoBitrate, keyFrameInterval });
  const output = { file: new EncodedFileOutput({ fileType: EncodedFileType.MP4, filepath }) };
  switch (source.type) {
    case 'participant':
      return egresses.startParticipantEgress(source.room, source.identity, output, { encodingOptions });
    case 'tracks': {
      const { audioTrackId, videoTrackId } = source;
      const tracks = { ...(audioTrackId ? { audioTrackId } : {}), ...(videoTrackId ? { videoTrackId } : {}) };
      return egresses.startTrackCompositeEgress(source.room, output, { ...tracks, encodingOptions });
    }
    case 'room':
      return egresses.startRoomCompositeEgress(source.room, output, { encodingOptions });
    default:
      throw new Error(`the demo asks for no ${source.type}`);
  }
}
