// Synthetic speakers: participants that publish a moving picture with the room's name and a clock, and a tone of their own.
// `node --import tsx src/dev/speakers.ts --room NAME …` runs some from a shell, with LIVEKIT_URL, _API_KEY and _API_SECRET.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { RoomConfiguration } from '@livekit/protocol';
import { AccessToken } from 'livekit-server-sdk';
import { messageOf } from '../common/error-message.ts';
import { reportToStderr, reportToStdout } from './reporter.ts';
import { type SpeakerHost, startSpeakerHost } from './speakers/host-process.ts';

export interface SpeakerOptions {
  livekit: { url: string; apiKey: string; apiSecret: string };
  room: string;
  identity: string;
  toneHz: number;
  width?: number;
  height?: number;
  fps?: number;
  /** Written into the picture; the room's name by default. */
  label?: string;
  /** Output of the client library. All speakers of a process share one, so the first one's counts. */
  logFile?: string;
  /** A process for this speaker alone, so that `kill` takes no other with it. */
  ownProcess?: boolean;
  /** Of the room that opens with this speaker: its token carries it. */
  roomConfig?: RoomConfiguration;
}

export interface Speaker {
  readonly room: string;
  readonly identity: string;
  readonly toneHz: number;
  readonly audioTrackId: string;
  readonly videoTrackId: string;
  /** Leaves the room. May be called again. */
  stop(): Promise<void>;
  /** Ends the speaker's process with SIGKILL: LiveKit finds out by itself. */
  kill(): Promise<void>;
}

let sharedHost: SpeakerHost | undefined;

/** Resolves once both tracks are published. */
export async function startSpeaker(options: SpeakerOptions): Promise<Speaker> {
  const { livekit, room, identity, toneHz, width = 320, height = 180, fps = 10, label = room } = options;
  const token = await speakerToken(options);
  const host = chooseHost(options);
  const spec = { url: livekit.url, token, identity, toneHz, width, height, fps, label, hue: hueOf(room) };
  try {
    const { id, tracks } = await host.start(spec);
    return { room, identity, toneHz, ...tracks, stop: () => host.stop(id), kill: () => host.kill() };
  } catch (error) {
    throw new Error(`speaker ${identity} could not publish into room ${room}: ${messageOf(error)}`);
  }
}

function chooseHost({ logFile = join(tmpdir(), `reelkit-speakers-${process.pid}.log`), ownProcess }: SpeakerOptions) {
  if (ownProcess) return startSpeakerHost(logFile, () => {});
  sharedHost ??= startSpeakerHost(logFile, () => {
    sharedHost = undefined;
  });
  return sharedHost;
}

function speakerToken({ livekit, room, identity, roomConfig }: SpeakerOptions): Promise<string> {
  const token = new AccessToken(livekit.apiKey, livekit.apiSecret, { identity, ttl: '6h' });
  token.addGrant({ room, roomJoin: true, canPublish: true, canSubscribe: false });
  if (roomConfig) token.roomConfig = roomConfig;
  return token.toJwt();
}

/** A colour that depends on the room alone. */
export function hueOf(room: string): number {
  let hash = 7;
  for (const character of room) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 3_600;
  return hash / 10;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { room: { type: 'string', multiple: true }, tone: { type: 'string' } } });
  const { LIVEKIT_URL: url, LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret } = process.env;
  if (!url || !apiKey || !apiSecret || !values.room) {
    reportToStderr('give --room NAME (several if you like) and LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET');
    process.exitCode = 2;
    return;
  }
  const livekit = { url, apiKey, apiSecret };
  const speakers = await Promise.all(
    values.room.map((room, i) =>
      startSpeaker({
        livekit,
        room,
        identity: `speaker-${process.pid}-${i}`,
        toneHz: Number(values.tone ?? 330 + 110 * i),
      }),
    ),
  );
  for (const { room, identity, toneHz } of speakers) reportToStdout(`${identity} speaks in ${room} at ${toneHz} Hz`);
  await new Promise((resolve) => ['SIGINT', 'SIGTERM'].map((signal) => process.once(signal, resolve)));
  await Promise.all(speakers.map((speaker) => speaker.stop()));
}
