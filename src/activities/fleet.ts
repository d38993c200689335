// The fleet's one activity: observe, plan, apply. The plan is pure; what surrounds it may be repeated at any point.
import { activityInfo } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { FleetConfig } from '../config/fleet.ts';
import { describeFleet } from '../fleet/explain.ts';
import type { FleetMemory } from '../fleet/observation.ts';
import { planFleet } from '../fleet/plan.ts';
import type { FleetPolicy } from '../fleet/policy.ts';
import { unknownFleet } from '../fleet/serving.ts';
import { createProbe } from '../livekit/probe.ts';
import type { FleetActivities, PassReport } from './contract.ts';
import { apply } from './fleet-apply.ts';
import type { DonePass, FleetDeps } from './fleet-deps.ts';
import { observe } from './fleet-observe.ts';
import { withHeartbeats } from './heartbeats.ts';
import { createOpenRecordings } from './open-recordings.ts';

const HEARTBEAT_EVERY_MS = 1_500;

/** What a pass needs of one fleet. */
export interface FleetParts extends Pick<FleetDeps, 'provider' | 'presence'> {
  settings: FleetConfig;
}

export interface FleetWiring extends Pick<FleetDeps, 'stopEgress' | 'log' | 'arrivals' | 'attendance'> {
  client: Client;
  /** The one that serves what names none first. */
  fleets: readonly FleetParts[];
  onPass?: (fleet: string, pass: DonePass) => void;
}

export function createFleetActivities({ client, fleets, onPass, ...rest }: FleetWiring): FleetActivities {
  const names = fleets.map(({ settings }) => settings.name);
  const shared = { ...rest, recordings: createOpenRecordings(client), fleets: names };
  const depsOf = new Map(fleets.map((fleet) => [fleet.settings.name, fleetDeps(shared, fleet, onPass)]));
  return {
    async runFleetPass({ fleet, pass, memory, kicked }) {
      const deps = depsOf.get(fleet);
      if (!deps) return notConfigured(fleet, names, memory);
      // The run id keeps tokens apart when the workflow is started anew and counts its passes from one again, and between fleets. Its
      // end, because it may begin with the time.
      const run = activityInfo().workflowExecution?.runId.slice(-8) ?? 'local';
      const token = `${run}-${pass}`;
      return withHeartbeats(HEARTBEAT_EVERY_MS, () => runPass(deps, { fleet, pass, memory, kicked, token }));
    },
  };
}

/** Its workflow sleeps until the fleet is back, or is terminated. */
function notConfigured(fleet: string, known: readonly string[], memory: FleetMemory): PassReport {
  const problem = unknownFleet(fleet, known);
  return {
    memory: { ...memory, lastProblem: problem },
    summary: problem,
    ...(memory.lastProblem === problem ? {} : { line: problem }),
  };
}

/** More than a start waits for: a pass has the time, and a busy machine must not make its workers look silent. */
const PROBE_MS = 2_000;

type SharedDeps = Pick<FleetDeps, 'stopEgress' | 'log' | 'arrivals' | 'recordings' | 'fleets' | 'attendance'>;

function fleetDeps(
  shared: SharedDeps,
  { settings, provider, presence }: FleetParts,
  onPass: FleetWiring['onPass'],
): FleetDeps {
  return {
    ...shared,
    provider,
    size: { minWorkers: settings.minWorkers, maxWorkers: settings.maxWorkers },
    presence,
    probe: createProbe({ costs: settings.costs, timeoutMs: PROBE_MS }),
    policy: policyOf(settings),
    bootTimeoutMs: settings.bootTimeout,
    now: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    onPass: (pass) => onPass?.(settings.name, pass),
  };
}

function policyOf(fleet: FleetConfig): FleetPolicy {
  return {
    headroomCores: fleet.headroomCores,
    largestRequestCores: Math.max(...Object.values(fleet.costs)),
    cooldownMs: fleet.cooldown,
    bootTimeoutMs: fleet.bootTimeout,
    busyIntervalMs: fleet.busyInterval,
    watchIntervalMs: fleet.watchInterval,
    confirmAfterMs: fleet.confirmAfter,
  };
}

export interface PassInput {
  fleet: string;
  pass: number;
  memory: FleetMemory;
  kicked: boolean;
  /** The same for every try of this pass, and for no other. */
  token: string;
}

export async function runPass(deps: FleetDeps, { fleet, pass, memory, kicked, token }: PassInput): Promise<PassReport> {
  const startedAtMs = deps.now();
  const observation = await observe(deps, fleet, memory, kicked);
  const plan = planFleet(observation, memory, deps.policy);
  const next = await apply(deps, plan, token);
  if (plan.line !== undefined) deps.log.info({ fleet, pass, reasons: plan.reasons }, plan.line);
  deps.onPass?.({ durationMs: deps.now() - startedAtMs, observation, plan, problem: next.lastProblem });
  return {
    memory: next,
    summary: describeFleet(observation, next, plan.demand),
    ...(plan.line === undefined ? {} : { line: plan.line }),
    ...(plan.nextPassInMs === undefined ? {} : { nextPassInMs: plan.nextPassInMs }),
  };
}
