// Where this process learns of the egress workers: for each fleet one provider, one probe and one look at the bus, shared by the
// activities and the API.
import { createWorkerChoice, type WorkerChoice } from '../activities/choose-worker.ts';
import { observeWorkers } from '../activities/fleet-workers.ts';
import { createLaunchProblem, type LaunchProblem } from '../activities/launch-problem.ts';
import type { AskWorker, Capacity } from '../capacity/guard.ts';
import type { ProviderLog } from '../capacity/provider.ts';
import { createCapacity } from '../capacity/registry.ts';
import type { FleetConfig } from '../config/fleet.ts';
import type { ObservedWorker, Sight } from '../fleet/observation.ts';
import type { Presence } from '../livekit/presence.ts';
import { createProbe } from '../livekit/probe.ts';
import { formatDuration } from '../recording/duration.ts';

export interface FleetSources {
  settings: FleetConfig;
  provider: Capacity;
  presence: Presence;
  /**
   * Every worker of the fleet and every egress as they are now: the platform's list, each worker's own answer and the bus, joined. The
   * list may be shared, unless it must not be from before a moment.
   */
  see: (notBeforeMs?: number) => Promise<Sight>;
  /** The workers alone. */
  observe: () => Promise<ObservedWorker[]>;
  choice: WorkerChoice;
  launchProblem: LaunchProblem;
}

export async function createFleetSources(
  settings: FleetConfig,
  presence: Presence,
  log?: ProviderLog,
): Promise<FleetSources> {
  const context = { fleet: settings.name, log, askWorker: createAskWorker() };
  const provider = await createCapacity(settings.capacity, context);
  const probe = createProbe({ costs: settings.costs });
  const sources = { provider, probe, presence, bootTimeoutMs: settings.bootTimeout, now: Date.now };
  const see = (notBeforeMs?: number) => observeWorkers({ ...sources, notBeforeMs });
  const launchProblem = createLaunchProblem();
  const choice = createWorkerChoice(see, { marks: presence, launchProblem: launchProblem.fresh });
  return { settings, provider, presence, see, observe: async () => (await see()).workers, choice, launchProblem };
}

/** What keeps the fleet from having workers, one line each with its remedy. */
export async function capacityProblems({
  settings: { bootTimeout },
  provider,
}: Pick<FleetSources, 'settings' | 'provider'>): Promise<string[]> {
  const problems = await provider.check();
  const { bootMs = 0 } = provider.limits;
  if (bootTimeout > bootMs) return problems;
  const usual = formatDuration(bootMs);
  return [
    ...problems,
    `fleet.bootTimeout is ${formatDuration(bootTimeout)}, and a worker of "${provider.kind}" usually takes ${usual}: each would be given up before it is ready; set it well above`,
  ];
}

/** Before a worker is ended: longer than a look, and only for the one. */
const ASK_MS = 2_000;

export function createAskWorker(): AskWorker {
  const probe = createProbe({ timeoutMs: ASK_MS });
  return async (worker) => {
    const answer = await probe(worker);
    if (!answer.answered) return 'unknown';
    return answer.egresses.length > 0 ? 'busy' : 'idle';
  };
}

/** Whose worker listens on a topic. Remembered, because a worker that is gone may be in nobody's list any more. */
export type OwnerOf = (topic: string) => Promise<string | undefined>;

/** Those that left long ago are forgotten. */
const REMEMBERED = 10_000;

export function createOwnerOf(fleets: readonly Pick<FleetSources, 'settings' | 'provider'>[]): OwnerOf {
  const owners = new Map<string, string>();
  async function listed(topic: string): Promise<string | undefined> {
    for (const { settings, provider } of fleets) {
      const { workers } = await provider.list().catch(() => ({ workers: [] }));
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
  drain: noBus,
  uncordon: noBus,
  cordoned: noBus,
  drained: noBus,
  doubt: noBus,
  trust: noBus,
  began: noBus,
  ended: noBus,
  doubts: noBus,
  epoch: () => 0,
};

function noBus(): Promise<never> {
  return Promise.reject(new Error('no Redis of the workers is configured'));
}
