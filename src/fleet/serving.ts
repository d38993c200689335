// Which fleet serves a recording. Decided once, when it is accepted: it waits in that fleet's queue and counts as its demand. Pure.
import type { CostTable } from './cost.ts';

/** What must be known of a fleet to accept a recording for it. */
export interface ServingFleet {
  name: string;
  /** What its workers' admission charges. */
  costs: CostTable;
}

/** The first one serves what names none. */
export type ServingFleets = readonly [ServingFleet, ...ServingFleet[]];

/** @param name of the request or of a rule; whoever takes it in has checked that there is such a fleet */
export function servingFleet(fleets: ServingFleets, name: string | undefined): ServingFleet {
  return fleets.find((fleet) => fleet.name === name) ?? fleets[0];
}

/** Told where a recording or its fleet's workflow is older than the configuration. */
export function unknownFleet(fleet: string, known: readonly string[]): string {
  return `the configuration has no fleet "${fleet}" any more (it has ${known.join(', ')}): bring it back, or cancel what waits for it`;
}
