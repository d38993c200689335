// An operator takes a worker back that was set aside: the doubts about it are forgotten, and its fleet looks at once.
import type { FleetKicker } from '../activities/kick.ts';
import type { ForgiveWorker } from '../api/routes/fleet.ts';
import type { Presence } from '../livekit/presence.ts';
import type { FleetSources } from './fleet-sources.ts';

export interface ForgiveParts {
  fleets: readonly Pick<FleetSources, 'settings' | 'observe'>[];
  presence: Pick<Presence, 'trust'>;
  kickFleet: FleetKicker;
}

export function createForgiveWorker({ fleets, presence, kickFleet }: ForgiveParts): ForgiveWorker {
  return async (name, id) => {
    const fleet = fleets.find(({ settings }) => settings.name === name);
    const worker = (await fleet?.observe())?.find((one) => one.id === id);
    if (worker?.topic === undefined || worker.state === 'gone') return false;
    await presence.trust(worker.topic);
    await kickFleet(name, `${id} was forgiven`, false);
    return true;
  };
}
