// An operator wants a worker to end: nothing new is sent to it, what it records goes on elsewhere, and then its fleet ends it.
import type { FleetKicker } from '../activities/kick.ts';
import type { DrainWorker } from '../api/routes/fleet.ts';
import type { Presence } from '../livekit/presence.ts';
import type { FleetSources } from './fleet-sources.ts';

export interface DrainParts {
  fleets: readonly Pick<FleetSources, 'settings' | 'observe'>[];
  presence: Pick<Presence, 'drain'>;
  kickFleet: FleetKicker;
}

export function createDrainWorker({ fleets, presence, kickFleet }: DrainParts): DrainWorker {
  return async (name, id) => {
    const fleet = fleets.find(({ settings }) => settings.name === name);
    const worker = (await fleet?.observe())?.find((one) => one.id === id);
    if (worker?.topic === undefined || worker.state === 'gone' || !worker.owned) return false;
    await presence.drain(worker.topic);
    await kickFleet(name, `${id} is drained`, false);
    return true;
  };
}
