// GET /v1/fleets: the workers of each fleet, what is asked of them, and why there are as many as there are.
import type { Caller } from '../auth/auth.ts';
import { errors } from '../errors.ts';
import { defineRoute, type Route } from '../route.ts';
import { type FleetView, fleetParams, fleetsView, fleetView } from '../schemas.ts';

/** By name, as configured. */
export type ReadFleets = ReadonlyMap<string, () => Promise<FleetView>>;

export function fleetRoutes({ readFleets }: { readFleets: ReadFleets }): Route[] {
  const list = defineRoute({
    method: 'get',
    path: '/v1/fleets',
    tag: 'fleet',
    summary: 'Look at all fleets',
    description: 'Each is looked up at most once a second, however many ask.',
    auth: 'token',
    responses: { 200: { description: 'The fleets', schema: fleetsView } },
    problems: ['forbidden'],
    async handler({ caller }) {
      requireAllRooms(caller);
      return { status: 200, body: { fleets: await Promise.all([...readFleets.values()].map((read) => read())) } };
    },
  });
  const show = defineRoute({
    method: 'get',
    path: '/v1/fleets/:name',
    tag: 'fleet',
    summary: 'Look at one fleet',
    auth: 'token',
    params: fleetParams,
    responses: { 200: { description: 'The fleet', schema: fleetView } },
    problems: ['forbidden', 'fleet_not_found'],
    async handler({ params, caller }) {
      requireAllRooms(caller);
      const read = readFleets.get(params.name);
      if (!read) throw errors.fleetNotFound(params.name, [...readFleets.keys()]);
      return { status: 200, body: await read() };
    },
  });
  return [list, show];
}

function requireAllRooms({ onlyRoom }: Caller): void {
  if (onlyRoom !== undefined) throw errors.forbidden('The access token is for one room; the fleets serve all.');
}
