// Looks again and again whether another installation of Reelkit is on the same LiveKit or the same workers' Redis, and says so in the
// log. Of the other it stops nothing: what is not in our Temporal is not ours.
import type { BusTransport } from '../bus/transport.ts';
import { announce, type Installation, otherInstallations, tellOf } from '../livekit/installations.ts';
import type { Log } from '../telemetry/log.ts';

const EVERY_MS = 60_000;

export interface NeighboursParts {
  livekit: BusTransport;
  workers: BusTransport;
  own: Installation;
  log: Pick<Log, 'error' | 'info'>;
  everyMs?: number;
}

export interface Neighbours {
  stop(): Promise<void>;
}

export async function watchNeighbours(parts: NeighboursParts): Promise<Neighbours> {
  const { livekit, workers, own, log, everyMs = EVERY_MS } = parts;
  const buses = [
    { redis: "LiveKit's Redis", bus: livekit },
    { redis: "the workers' Redis", bus: workers },
  ];
  const leave = await Promise.all(buses.map(({ bus }) => announce(bus, own)));
  const told = new Map<string, string>();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function look(): Promise<void> {
    for (const { redis, bus } of buses) {
      const others = await otherInstallations(bus, own).catch(() => undefined);
      if (others === undefined) continue;
      const ids = others.map(({ id }) => id).join();
      if (ids === (told.get(redis) ?? '')) continue;
      told.set(redis, ids);
      if (others.length > 0) log.error({ redis, others }, tellOf(others, redis));
      else log.info({ redis }, 'the other installation of Reelkit has left');
    }
    if (!stopped) timer = setTimeout(() => void look(), everyMs).unref();
  }

  void look();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await Promise.all(leave.map((end) => end()));
    },
  };
}
