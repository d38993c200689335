// A worker that leaves the bus has died, and one that joins it takes starts: its fleet looks at once.
import type { FleetKicker } from '../activities/kick.ts';
import type { Departures } from '../livekit/departures.ts';
import { type Presence, type PresenceWatch, watchPresence } from '../livekit/presence.ts';
import type { Log } from '../telemetry/log.ts';
import { createOwnerOf, type FleetSources } from './fleet-sources.ts';

export interface WorkersWatchParts {
  fleets: readonly Pick<FleetSources, 'settings' | 'provider'>[];
  presence: Presence;
  departures: Pick<Departures, 'left'>;
  kickFleet: FleetKicker;
  log: Pick<Log, 'warn'>;
}

export function watchWorkers({ fleets, presence, departures, kickFleet, log }: WorkersWatchParts): PresenceWatch {
  const names = fleets.map(({ settings }) => settings.name);
  const ownerOf = createOwnerOf(fleets);

  /** Who owns a worker that no list shows is not known: all look. */
  async function tell(topics: readonly string[], what: string): Promise<void> {
    const owners = names.length === 1 ? [] : await Promise.all(topics.map(ownerOf));
    const concerns = (name: string) => topics.filter((_, index) => (owners[index] ?? name) === name);
    await Promise.all(
      names.map(async (name) => {
        const own = concerns(name);
        if (own.length > 0) await kickFleet(name, `${own.join(', ').slice(0, 200)} ${what}`, false);
      }),
    );
  }

  const notTold = (workers: string[]) => (error: unknown) =>
    log.warn({ workers, error: String(error) }, 'the fleet could not be told; its next pass sees it');
  return watchPresence({
    presence,
    onCame: (workers) => void tell(workers, 'joined the bus').catch(notTold(workers)),
    // One that was to go, and took no egress with it, has only ended.
    onGone({ workers, egresses }) {
      departures.left(egresses);
      if (workers.length === 0) return;
      const expected = egresses.length > 0 ? Promise.resolve(new Set()) : presence.cordoned(workers);
      expected
        .catch(() => new Set())
        .then((ended) => (workers.every((topic) => ended.has(topic)) ? undefined : tell(workers, 'left the bus')))
        .catch(notTold(workers));
    },
  });
}
