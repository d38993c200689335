// GET /v1/fleet: the workers, what is asked of them, and why the fleet is as large as it is.
import { errors } from '../errors.ts';
import { defineRoute, type Route } from '../route.ts';
import { type FleetView, fleetView } from '../schemas.ts';

export type ReadFleet = () => Promise<FleetView>;

export function fleetRoutes({ readFleet }: { readFleet: ReadFleet }): Route[] {
  const show = defineRoute({
    method: 'get',
    path: '/v1/fleet',
    tag: 'fleet',
    summary: 'Look at the fleet',
    description: 'Looked up at most once a second, however many ask.',
    auth: 'token',
    responses: { 200: { description: 'The fleet', schema: fleetView } },
    problems: ['forbidden'],
    async handler({ caller }) {
      if (caller.onlyRoom !== undefined)
        throw errors.forbidden('The access token is for one room; the fleet serves all.');
      return { status: 200, body: await readFleet() };
    },
  });
  return [show];
}
