// The other side of Reelkit: rooms made and closed, and every egress LiveKit knows.

import { createHash } from 'node:crypto';
import type { EgressInfo } from '@livekit/protocol';
import { AccessToken, EgressClient, RoomServiceClient } from 'livekit-server-sdk';
import { waitFor } from './stack-wait.ts';

export interface SeenEgress {
  egressId: string;
  room: string;
  /** LiveKit's numbers: 0 starting, 1 active, 2 ending, 3 complete, 4 failed, 5 aborted, 6 limit reached. */
  status: number;
  files: string[];
}

export const ACTIVE = 1;
export const COMPLETE = 3;
export const FAILED = 4;
export const ABORTED = 5;
export const isLive = ({ status }: SeenEgress) => status <= 2;

export type LiveKit = ReturnType<typeof createLiveKit>;

export function createLiveKit({ url, apiKey, apiSecret }: { url: string; apiKey: string; apiSecret: string }) {
  const host = url.replace(/^ws/, 'http');
  const rooms = new RoomServiceClient(host, apiKey, apiSecret, { requestTimeout: 10 });
  const egresses = new EgressClient(host, apiKey, apiSecret, { requestTimeout: 30 });
  let made = 0;

  const list = async () => (await egresses.listEgress()).map(seen);
  return {
    rooms,
    egresses,
    /** Empty, and open until it is closed. @returns its name */
    async createRoom(label = 'room'): Promise<string> {
      made += 1;
      const name = `${label}-${made}-${process.pid}`;
      await rooms.createRoom({ name, emptyTimeout: 3_600, departureTimeout: 3_600 });
      return name;
    },
    createRooms(count: number, label?: string): Promise<string[]> {
      return Promise.all(Array.from({ length: count }, () => this.createRoom(label)));
    },
    closeRoom: (name: string) => rooms.deleteRoom(name),
    list,
    /** To LiveKit a recording is one egress, whatever happens to its parts. */
    egressesOf: async (recordingId: string) => (await list()).filter(({ egressId }) => egressId === recordingId),
    /** LiveKit is told of an end a moment after Reelkit's own API knows it. */
    untilStatus(recordingId: string, status: number): Promise<SeenEgress[]> {
      return waitFor(
        `LiveKit to list ${recordingId} once, with status ${status}`,
        () => this.egressesOf(recordingId),
        (all) => all.length === 1 && all[0]?.status === status,
        30_000,
      );
    },
    untilNotLive(recordingId: string): Promise<SeenEgress[]> {
      return waitFor(
        `LiveKit to list ${recordingId} as ended`,
        () => this.egressesOf(recordingId),
        (all) => !all.some(isLive),
        30_000,
      );
    },
    /** A webhook as LiveKit would send it, signed with any key. */
    async signedWebhook(body: string, secret = apiSecret): Promise<string> {
      const token = new AccessToken(apiKey, secret);
      token.sha256 = createHash('sha256').update(body).digest('base64');
      return token.toJwt();
    },
  };
}

function seen(info: EgressInfo): SeenEgress {
  const files = info.fileResults.map(({ filename }) => filename);
  return { egressId: info.egressId, room: info.roomName, status: info.status, files };
}
