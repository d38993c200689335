// A stack that records for real onto a disk that Reelkit sees, and a participant who publishes a tone and a moving picture there.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { type Speaker, startSpeaker } from '../../src/dev/speakers.ts';
import { type TestStack, useStack } from './stack.ts';

export const ROOM = 'studio';
export const TONE_HZ = 440;
/** Small: the workers draw it on the machine of the tests. */
export const ENCODING = { width: 320, height: 180, framerate: 15 };
export const SOURCE = { type: 'participant', room: ROOM, identity: 'ada' } as const;

/** Call once at the top of a test file. Two workers at most. */
export async function useStudio(coresPerWorker: number): Promise<{ e2e: TestStack; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'reelkit-studio-'));
  const e2e = useStack({
    media: true,
    fleet: { maxWorkers: 2, costs: { participant: 1 } },
    capacity: { coresPerWorker },
    config: { storages: { disk: { type: 'local', path: folder, shared: true } } },
  });
  let ada: Speaker | undefined;

  beforeAll(async () => {
    await mkdir(e2e.stack.logDir, { recursive: true });
    const logFile = `${e2e.stack.logDir}/speakers.log`;
    ada = await startSpeaker({ livekit: e2e.stack.livekit, room: ROOM, identity: 'ada', toneHz: TONE_HZ, logFile });
  });

  afterAll(async () => {
    await ada?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  return { e2e, folder };
}
