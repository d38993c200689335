// One fleet or several: what they are together, and what no two of them may share.
import { claimsOf, largestWorkerCores } from '../capacity/registry.ts';
import type { FleetConfig } from './fleet.ts';

/** Each look at the recordings asks for every fleet. */
export const MAX_FLEETS = 20;

export interface GivenFleets {
  fleet?: FleetConfig | undefined;
  fleets?: FleetConfig[] | undefined;
}

type Path = (string | number)[];

interface Problem {
  path: Path;
  message: string;
}

/** At least one: whoever reads the file (load.ts) sees to it. */
export type Fleets = [FleetConfig, ...FleetConfig[]];

export function fleetsOf({ fleet, fleets }: GivenFleets): Fleets {
  return (fleet ? [fleet] : fleets) as Fleets;
}

export function fleetsProblems(config: GivenFleets & { rules: readonly { fleet?: string | undefined }[] }): Problem[] {
  const all = fleetsOf(config);
  const pathOf = (index: number): Path => (config.fleet ? ['fleet'] : ['fleets', index]);
  return [
    ...all.flatMap((fleet, index) => sizeProblems(fleet, pathOf(index))),
    ...all.flatMap((fleet, index) => costProblems(fleet, pathOf(index))),
    ...shared(all, pathOf, nameOf),
    ...shared(all, pathOf, capacityOf),
    ...config.rules.flatMap(({ fleet }, index) => {
      if (fleet === undefined || all.some(({ name }) => name === fleet)) return [];
      const message = `names no fleet; known: ${all.map(({ name }) => name).join(', ')}`;
      return [{ path: ['rules', index, 'fleet'], message }];
    }),
  ];
}

function sizeProblems({ minWorkers, maxWorkers }: FleetConfig, path: Path): Problem[] {
  if (minWorkers <= maxWorkers) return [];
  return [{ path: [...path, 'minWorkers'], message: `is above ${[...path, 'maxWorkers'].join('.')} (${maxWorkers})` }];
}

/** Not one kind of recording has a place on any worker. */
function costProblems({ costs, capacity }: FleetConfig, path: Path): Problem[] {
  const cores = largestWorkerCores(capacity);
  const least = Math.min(...Object.values(costs));
  if (cores === undefined || least <= cores) return [];
  const message = `ask for ${least} cores and more, and the largest worker has ${cores}: nothing could be recorded. Give the costs of the workers' own cpu_cost, or larger workers`;
  return [{ path: [...path, 'costs'], message }];
}

/** A fleet for sound or single tracks may be meant like this, so it is told and no reason to end. */
export function roomTooLarge({ costs, capacity }: FleetConfig): string | undefined {
  const cores = largestWorkerCores(capacity);
  if (cores === undefined || costs.roomComposite <= cores) return undefined;
  return `fleet.costs.roomComposite is ${costs.roomComposite}, and the largest worker has ${cores} cores: a room with picture waits here until it expires. Give larger workers (livekit/egress asks for 4 cores), correct the cost, or send rooms to another fleet by a rule`;
}

interface Claim {
  path: Path;
  value: string;
  remedy: string;
}

/** What a fleet says that another one before it says, too. */
function shared(
  fleets: readonly FleetConfig[],
  pathOf: (index: number) => Path,
  claimed: (fleet: FleetConfig) => Claim[],
): Problem[] {
  const owners = new Map<string, number>();
  return fleets.flatMap((fleet, index) =>
    claimed(fleet).flatMap(({ path, value, remedy }) => {
      const owner = owners.get(value) ?? index;
      owners.set(value, owner);
      if (owner === index) return [];
      return [{ path: [...pathOf(index), ...path], message: `is that of ${pathOf(owner).join('.')}, too: ${remedy}` }];
    }),
  );
}

function nameOf({ name }: FleetConfig): Claim[] {
  return [{ path: ['name'], value: name, remedy: 'give each fleet a name of its own' }];
}

/** By provider: what is a topic to one may be a folder to another. */
function capacityOf({ capacity }: FleetConfig): Claim[] {
  const { claims, remedy } = claimsOf(capacity);
  return claims.map(({ path, value }) => ({
    path: ['capacity', ...path],
    value: `${capacity.provider} ${value}`,
    remedy,
  }));
}
