// What an operator asks of one worker: to take it back that was set aside, or to empty and end it. Its fleet looks at once.
import type { FleetKicker } from '../activities/kick.ts';
import type { DrainWorker, ForgiveWorker } from '../api/routes/fleet.ts';
import type { ObservedWorker } from '../fleet/observation.ts';
import type { Presence } from '../livekit/presence.ts';
import type { FleetSources } from './fleet-sources.ts';

export interface OperateParts {
  fleets: readonly Pick<FleetSources, 'settings' | 'observe'>[];
  presence: Pick<Presence, 'trust' | 'drain'>;
  kickFleet: FleetKicker;
}

/** The doubts about it are forgotten. */
export function createForgiveWorker(parts: OperateParts): ForgiveWorker {
  const { presence } = parts;
  return operate(
    parts,
    'was forgiven',
    () => true,
    (topic) => presence.trust(topic),
  );
}

/** Nothing new is sent to it, what it records goes on elsewhere, and then its fleet ends it. */
export function createDrainWorker(parts: OperateParts): DrainWorker {
  const { presence } = parts;
  return operate(
    parts,
    'is drained',
    ({ owned }) => owned,
    (topic) => presence.drain(topic),
  );
}

function operate(
  { fleets, kickFleet }: OperateParts,
  what: string,
  mayBe: (worker: ObservedWorker) => boolean,
  act: (topic: string) => Promise<void>,
) {
  return async (name: string, id: string): Promise<boolean> => {
    const fleet = fleets.find(({ settings }) => settings.name === name);
    const worker = (await fleet?.observe())?.find((one) => one.id === id);
    if (worker?.topic === undefined || worker.state === 'gone' || !mayBe(worker)) return false;
    await act(worker.topic);
    await kickFleet(name, `${id} ${what}`, false);
    return true;
  };
}
