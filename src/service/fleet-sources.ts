// Where this process learns of the egress workers: for each fleet one provider, one probe and one look at the bus, shared by the
// activities and the API.
import { createWorkerChoice, type WorkerChoice } from '../activities/choose-worker.ts';
import { observeWorkers } from '../activities/fleet-workers.ts';
import { createLaunchProblem, type LaunchProblem } from '../activities/launch-problem.ts';
import type { CapacityProvider, ProviderLog } from '../capacity/provider.ts';
import { createProvider } from '../capacity/registry.ts';
import type { FleetConfig } from '../config/fleet.ts';
import type { ObservedWorker, Sight } from '../fleet/observation.ts';
import type { Presence } from '../livekit/presence.ts';
import { createProbe } from '../livekit/probe.ts';

export interface FleetSources {
  settings: FleetConfig;
  provider: CapacityProvider;
  presence: Presence;
  /** Every worker of the fleet and every egress as they are now: the platform's list, each worker's own answer and the bus, joined. */
  see: () => Promise<Sight>;
  /** The workers alone. */
  observe: () => Promise<ObservedWorker[]>;
  choice: WorkerChoice;
  launchProblem: LaunchProblem;
}

export function createFleetSources(settings: FleetConfig, presence: Presence, log?: ProviderLog): FleetSources {
  const provider = createProvider(settings, log);
  const probe = createProbe({ costs: settings.costs });
  const see = () => observeWorkers({ provider, probe, presence, bootTimeoutMs: settings.bootTimeout, now: Date.now });
  const launchProblem = createLaunchProblem();
  const choice = createWorkerChoice(see, { marks: presence, launchProblem: launchProblem.fresh });
  return { settings, provider, presence, see, observe: async () => (await see()).workers, choice, launchProblem };
}

/** Whose worker listens on a topic. Remembered, because a worker that is gone may be in nobody's list any more. */
export type OwnerOf = (topic: string) => Promise<string | undefined>;

/** Those that left long ago are forgotten. */
const REMEMBERED = 10_000;

export function createOwnerOf(fleets: readonly Pick<FleetSources, 'settings' | 'provider'>[]): OwnerOf {
  const owners = new Map<string, string>();
  async function listed(topic: string): Promise<string | undefined> {
    for (const { settings, provider } of fleets) {
      const workers = await provider.list().catch(() => []);
      for (const worker of workers) if (worker.topic !== undefined) owners.set(worker.topic, settings.name);
    }
    for (const known of owners.keys()) if (owners.size > REMEMBERED && known !== topic) owners.delete(known);
    return owners.get(topic);
  }
  return async (topic) => owners.get(topic) ?? listed(topic);
}

/** For who only asks the provider, or has no Redis of workers: nobody can be looked for there. */
export const NO_PRESENCE: Presence = {
  workers: noBus,
  egresses: noBus,
  cordon: noBus,
  uncordon: noBus,
  cordoned: noBus,
  doubt: noBus,
  trust: noBus,
  doubts: noBus,
  epoch: () => 0,
};

function noBus(): Promise<never> {
  return Promise.reject(new Error('no Redis of the workers is configured'));
}
