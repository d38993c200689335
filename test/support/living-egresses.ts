// Which attempts lived when, as the workers' Redis shows it: each listens for its stop as long as its process lives.
import { setTimeout as sleep } from 'node:timers/promises';
import { createRedisTransport } from '../../src/bus/redis.ts';
import { createPresence } from '../../src/livekit/presence.ts';
import { parseAttemptEgressId } from '../../src/recording/attempt.ts';

const EVERY_MS = 100;

export interface Life {
  egressId: string;
  fromMs: number;
  untilMs: number;
}

export interface LivingEgresses {
  /** Every attempt of a recording that was ever seen, in order of appearance. */
  of(recordingId: string): Life[];
  /** For how long two attempts of it lived at the same time. */
  overlapMs(recordingId: string): number;
  now(): string[];
  stop(): Promise<void>;
}

export async function watchLivingEgresses(redis: { address: string }): Promise<LivingEgresses> {
  const transport = await createRedisTransport(redis, { name: 'watcher' });
  const presence = createPresence(transport);
  const lives = new Map<string, Life>();
  const together = new Map<string, number>();
  let now: string[] = [];
  let stopped = false;
  let lastMs = Date.now();

  async function look(): Promise<void> {
    now = [...(await presence.egresses())];
    const nowMs = Date.now();
    const seen = new Map<string, number>();
    for (const egressId of now) {
      const known = lives.get(egressId);
      lives.set(egressId, { egressId, fromMs: known?.fromMs ?? nowMs, untilMs: nowMs });
      const id = parseAttemptEgressId(egressId)?.recordingId ?? egressId;
      seen.set(id, (seen.get(id) ?? 0) + 1);
    }
    for (const [id, count] of seen) if (count > 1) together.set(id, (together.get(id) ?? 0) + nowMs - lastMs);
    lastMs = nowMs;
  }

  const watching = (async () => {
    for (; !stopped; await sleep(EVERY_MS)) await look();
  })();
  return {
    of: (id) => [...lives.values()].filter(({ egressId }) => parseAttemptEgressId(egressId)?.recordingId === id),
    overlapMs: (id) => together.get(id) ?? 0,
    now: () => now,
    async stop() {
      stopped = true;
      await watching;
      await transport.close();
    },
  };
}
