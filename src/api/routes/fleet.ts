// /v1/fleets: the workers of each fleet, what is asked of them, and why there are as many as there are. One that was set aside can be
// forgiven, one that is to go drained.
import type { Caller } from '../auth/auth.ts';
import { errors } from '../errors.ts';
import { defineRoute, type Route } from '../route.ts';
import { drained, type FleetView, fleetParams, fleetsView, fleetView, forgiven, workerParams } from '../schemas.ts';

/** By name, as configured. */
export type ReadFleets = ReadonlyMap<string, () => Promise<FleetView>>;

/** @returns false when the fleet has no such worker, or one that nothing can be sent to */
export type ForgiveWorker = (fleet: string, worker: string) => Promise<boolean>;

/** @returns false when the fleet has no such worker, or one that it did not launch */
export type DrainWorker = (fleet: string, worker: string) => Promise<boolean>;

export interface FleetRouteParts {
  readFleets: ReadFleets;
  forgiveWorker: ForgiveWorker;
  drainWorker: DrainWorker;
}

export function fleetRoutes({ readFleets, forgiveWorker, drainWorker }: FleetRouteParts): Route[] {
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
  /** Asks something of one worker. @param act false: no such worker */
  const onWorker = (
    verb: string,
    act: (fleet: string, worker: string) => Promise<boolean>,
    { schema, done, ...words }: { summary: string; description: string; done: string; schema: typeof forgiven },
  ) =>
    defineRoute({
      method: 'post',
      path: `/v1/fleets/:name/workers/:worker/${verb}`,
      tag: 'fleet',
      ...words,
      auth: 'token',
      operatorsOnly: true,
      params: workerParams,
      responses: { 200: { description: done, schema } },
      problems: ['forbidden', 'fleet_not_found', 'worker_not_found'],
      async handler({ params: { name, worker } }) {
        if (!readFleets.has(name)) throw errors.fleetNotFound(name, [...readFleets.keys()]);
        if (!(await act(name, worker))) throw errors.workerNotFound(name, worker);
        return { status: 200, body: { fleet: name, worker } };
      },
    });
  const forgive = onWorker('forgive', forgiveWorker, {
    summary: 'Use a worker again',
    description:
      'A worker that does not take what it is sent, or whose recordings fail within seconds, is set aside for ten minutes. This ends that at once.',
    done: 'It is used again',
    schema: forgiven,
  });
  const drain = onWorker('drain', drainWorker, {
    summary: 'Empty a worker and end it',
    description:
      'Nothing new is sent to it. What it records goes on with another worker, which is seen to record before this one is stopped; where there is none yet this one records on, and a worker is launched. Idle, it is ended. Only for workers that the fleet launched.',
    done: 'It is emptied',
    schema: drained,
  });
  return [list, show, forgive, drain];
}

function requireAllRooms({ onlyRoom }: Caller): void {
  if (onlyRoom !== undefined) throw errors.forbidden('The access token is for one room; the fleets serve all.');
}
