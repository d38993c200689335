// Everything Reelkit asks of LiveKit's HTTP API. StartEgress is called by hand, because the SDK cannot send the header that
// makes it fail fast; everything else goes through the SDK. Nothing here retries: whoever calls knows what a repeat may cost.

import { EgressInfo } from '@livekit/protocol';
import { AccessToken, EgressClient, RoomServiceClient, ServerError } from 'livekit-server-sdk';
import type { EgressSnapshot } from '../recording/egress.ts';
import type { StartReply } from '../recording/start-outcome.ts';
import { snapshotOf } from './snapshot.ts';
import type { StartRequest } from './start-request.ts';

export interface LiveKitSettings {
  url: string;
  apiKey: string;
  apiSecret: string;
}

/** Below this LiveKit answers 408 to starts that then run (measured: ~510 ms with an idle worker). */
const MIN_START_TIMEOUT_MS = 1_000;
/** How much longer than LiveKit itself the caller waits, so that its answer is seen. */
const ANSWER_MARGIN_MS = 2_000;
const REQUEST_TIMEOUT_SECONDS = 10;
const TOKEN_TTL_SECONDS = 600;

export type LiveKitClient = ReturnType<typeof createLiveKitClient>;

export function createLiveKitClient(settings: LiveKitSettings) {
  // As the SDK does: LiveKit is never behind a path.
  const host = new URL(settings.url.replace(/^ws/, 'http')).origin;
  const options = { requestTimeout: REQUEST_TIMEOUT_SECONDS };
  const egresses = new EgressClient(host, settings.apiKey, settings.apiSecret, options);
  const rooms = new RoomServiceClient(host, settings.apiKey, settings.apiSecret, options);
  const token = cachedToken(settings);

  return {
    /** One StartEgress. Never throws: what came back, or did not, is the reply. */
    async start(request: StartRequest, timeoutMs: number): Promise<StartReply> {
      const limitMs = Math.max(MIN_START_TIMEOUT_MS, timeoutMs);
      try {
        const response = await fetch(`${host}/twirp/livekit.Egress/${request.method}`, {
          method: 'POST',
          headers: {
            'Content-Type': 'application/protobuf',
            Authorization: `Bearer ${await token()}`,
            'X-Twirp-Timeout-Ms': String(limitMs),
          },
          body: request.message.toBinary() as Uint8Array<ArrayBuffer>,
          signal: AbortSignal.timeout(limitMs + ANSWER_MARGIN_MS),
        });
        return await readStartReply(response);
      } catch (error) {
        return brokenReply(error);
      }
    },

    async listActiveEgresses(): Promise<EgressSnapshot[]> {
      return (await asked(egresses.listEgress({ active: true }))).map(snapshotOf);
    },

    /** Active and, for 24 h, ended ones. Web egresses have no room: pass undefined to search all. */
    async listEgresses(room: string | undefined): Promise<EgressSnapshot[]> {
      return (await asked(egresses.listEgress(room === undefined ? {} : { roomName: room }))).map(snapshotOf);
    },

    /** @returns null when LiveKit has no record of it */
    async getEgress(egressId: string): Promise<EgressSnapshot | null> {
      try {
        const [info] = await asked(egresses.listEgress({ egressId }));
        return info ? snapshotOf(info) : null;
      } catch (error) {
        if (isTwirp(error, 'not_found')) return null;
        throw error;
      }
    },

    /** Asks an egress to finish its file. Already ended or unknown counts as done. */
    async stopEgress(egressId: string): Promise<void> {
      try {
        await asked(egresses.stopEgress(egressId));
      } catch (error) {
        if (!isTwirp(error, 'failed_precondition') && !isTwirp(error, 'not_found')) throw error;
      }
    },

    async listRooms(): Promise<string[]> {
      return (await asked(rooms.listRooms())).map((room) => room.name);
    },

    async roomExists(room: string): Promise<boolean> {
      return (await asked(rooms.listRooms([room]))).length > 0;
    },

    /** Identities in the room, hidden ones included: an egress shows up under its own id. */
    async listIdentities(room: string): Promise<string[]> {
      try {
        return (await asked(rooms.listParticipants(room))).map((participant) => participant.identity);
      } catch (error) {
        if (isTwirp(error, 'not_found')) return [];
        throw error;
      }
    },
  };
}

async function readStartReply(response: Response): Promise<StartReply> {
  const body = new Uint8Array(await response.arrayBuffer());
  if (response.ok) return readAccepted(body);
  const { code, msg } = parseTwirpError(body);
  return {
    kind: 'error',
    httpStatus: response.status,
    message: msg ?? response.statusText,
    ...(code === undefined ? {} : { twirpCode: code }),
  };
}

/** A 200 that is no EgressInfo comes from something between us and LiveKit: nobody can tell what it did. */
function readAccepted(body: Uint8Array): StartReply {
  const { egressId } = EgressInfo.fromBinary(body);
  if (!egressId.startsWith('EG_')) return { kind: 'network', message: 'the answer names no egress' };
  return { kind: 'accepted', egressId, atMs: Date.now() };
}

/** A proxy's error page is no JSON: then there is no code, and the status alone proves nothing. */
function parseTwirpError(body: Uint8Array): { code?: string; msg?: string } {
  try {
    const parsed = (JSON.parse(new TextDecoder().decode(body)) ?? {}) as { code?: unknown; msg?: unknown };
    return {
      ...(typeof parsed.code === 'string' ? { code: parsed.code } : {}),
      ...(typeof parsed.msg === 'string' ? { msg: parsed.msg } : {}),
    };
  } catch {
    return {};
  }
}

function brokenReply(error: unknown): StartReply {
  if (error instanceof DOMException && error.name === 'TimeoutError') return { kind: 'timeout' };
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return { kind: 'network', message: cause instanceof Error ? cause.message : String(cause) };
}

/** LiveKit quotes a token it refuses, and an error travels into logs and Temporal's history. */
function asked<T>(call: Promise<T>): Promise<T> {
  return call.catch((error: unknown) => {
    if (error instanceof Error) error.message = error.message.replaceAll(/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, '(token)');
    throw error;
  });
}

function isTwirp(error: unknown, code: string): boolean {
  return error instanceof ServerError && error.code === code;
}

function cachedToken(settings: LiveKitSettings): () => Promise<string> {
  let cached: { jwt: string; renewAtMs: number } | undefined;
  return async () => {
    if (!cached || Date.now() > cached.renewAtMs) {
      const token = new AccessToken(settings.apiKey, settings.apiSecret, { ttl: TOKEN_TTL_SECONDS });
      token.addGrant({ roomRecord: true });
      cached = { jwt: await token.toJwt(), renewAtMs: Date.now() + (TOKEN_TTL_SECONDS * 1_000) / 2 };
    }
    return cached.jwt;
  };
}
