// What Reelkit asks of LiveKit's HTTP API: rooms, who is in them, and whether a record exists. Nothing here retries.
import {
  type EgressInfo,
  type ParticipantInfo,
  ParticipantInfo_Kind,
  ParticipantInfo_State,
  type TrackInfo,
  TrackSource,
  TrackType,
} from '@livekit/protocol';
import { EgressClient, RoomServiceClient, ServerError } from 'livekit-server-sdk';
import type { Publisher, SentTrack } from '../recording/no-media.ts';
import type { Participant } from '../recording/source.ts';
import { inBatches } from './in-batches.ts';

export interface LiveKitSettings {
  url: string;
  apiKey: string;
  apiSecret: string;
}

const REQUEST_TIMEOUT_SECONDS = 10;

export type LiveKitClient = ReturnType<typeof createLiveKitClient>;

export function createLiveKitClient(settings: LiveKitSettings) {
  // As the SDK does: LiveKit is never behind a path.
  const host = new URL(settings.url.replace(/^ws/, 'http')).origin;
  const options = { requestTimeout: REQUEST_TIMEOUT_SECONDS };
  const egresses = new EgressClient(host, settings.apiKey, settings.apiSecret, options);
  const rooms = new RoomServiceClient(host, settings.apiKey, settings.apiSecret, options);

  return {
    /** @returns null when LiveKit has no record of it */
    async recordOf(egressId: string): Promise<EgressInfo | null> {
      try {
        return (await asked(egresses.listEgress({ egressId })))[0] ?? null;
      } catch (error) {
        if (isTwirp(error, 'not_found')) return null;
        throw error;
      }
    },

    /** Every record that has not ended. */
    listOpenRecords: (): Promise<EgressInfo[]> => asked(egresses.listEgress({ active: true })),

    async listRooms(): Promise<string[]> {
      return (await asked(rooms.listRooms())).map((room) => room.name);
    },

    /** @returns undefined when there is no such room. Whoever asks at the same moment shares one request. */
    roomSid: inBatches(async (names: readonly string[]) => {
      const found = await asked(rooms.listRooms([...names]));
      return new Map(found.map(({ name, sid }) => [name, sid]));
    }),

    /** Who is in the room, hidden ones included: an egress shows up under its own id. */
    async listParticipants(room: string): Promise<(Participant & Publisher & { metadata: string })[]> {
      try {
        return (await asked(rooms.listParticipants(room))).filter(isThere).map(participantOf);
      } catch (error) {
        if (isTwirp(error, 'not_found')) return [];
        throw error;
      }
    },
  };
}

function isThere({ state }: ParticipantInfo): boolean {
  return state !== ParticipantInfo_State.DISCONNECTED;
}

/** Callers by telephone are people; what LiveKit, agents or an operator put into a room are none. */
const PEOPLE = new Set([ParticipantInfo_Kind.STANDARD, ParticipantInfo_Kind.SIP, ParticipantInfo_Kind.CONNECTOR]);

function participantOf({ identity, metadata, kind, permission, tracks }: ParticipantInfo) {
  const isPerson = PEOPLE.has(kind) && !permission?.hidden && !permission?.recorder && !permission?.agent;
  return { identity, metadata, isPerson, trackIds: tracks.map(({ sid }) => sid), sends: tracks.flatMap(sentTrack) };
}

const SCREEN: readonly TrackSource[] = [TrackSource.SCREEN_SHARE, TrackSource.SCREEN_SHARE_AUDIO];

function sentTrack({ sid, type, muted, source }: TrackInfo): SentTrack[] {
  if (muted || (type !== TrackType.AUDIO && type !== TrackType.VIDEO)) return [];
  return [{ id: sid, kind: type === TrackType.AUDIO ? 'audio' : 'video', isScreen: SCREEN.includes(source) }];
}

/** LiveKit quotes a token it refuses, and an error travels into logs and Temporal's history. */
function asked<T>(call: Promise<T>): Promise<T> {
  return call.catch((error: unknown) => {
    if (error instanceof Error) error.message = error.message.replaceAll(/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, '(token)');
    throw error;
  });
}

/** It does not know our key, or is not what answers there: that does not pass by itself. */
export function isDenied(error: unknown): boolean {
  return error instanceof ServerError && [401, 403, 404].includes(error.status);
}

function isTwirp(error: unknown, code: string): boolean {
  return error instanceof ServerError && error.code === code;
}
