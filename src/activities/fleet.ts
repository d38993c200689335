// The fleet's one activity: observe, plan, apply. The plan is pure; what surrounds it may be repeated at any point.
import { activityInfo, heartbeat } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import type { FleetConfig } from '../config/fleet.ts';
import { describeFleet } from '../fleet/explain.ts';
import type { FleetMemory } from '../fleet/observation.ts';
import { planFleet } from '../fleet/plan.ts';
import type { FleetPolicy } from '../fleet/policy.ts';
import { createProbe } from '../livekit/probe.ts';
import type { FleetActivities, PassReport } from './contract.ts';
import { apply } from './fleet-apply.ts';
import type { FleetDeps } from './fleet-deps.ts';
import { observe } from './fleet-observe.ts';
import { createOpenRecordings } from './open-recordings.ts';

const HEARTBEAT_EVERY_MS = 1_500;

export interface FleetWiring
  extends Pick<FleetDeps, 'provider' | 'presence' | 'stopEgress' | 'log' | 'arrivals' | 'onPass'> {
  client: Client;
  fleet: FleetConfig;
}

export function createFleetActivities(wiring: FleetWiring): FleetActivities {
  const deps = fleetDeps(wiring);
  return {
    async runFleetPass({ fleet, pass, memory, kicked }) {
      const heartbeats = setInterval(heartbeat, HEARTBEAT_EVERY_MS);
      // The run id keeps tokens apart when the workflow is started anew and counts its passes from one again.
      const run = activityInfo().workflowExecution?.runId.slice(0, 8) ?? 'local';
      try {
        return await runPass(deps, { fleet, pass, memory, kicked, token: `${run}-${pass}` });
      } finally {
        clearInterval(heartbeats);
      }
    },
  };
}

/** More than a start waits for: a pass has the time, and a busy machine must not make its workers look silent. */
const PROBE_MS = 2_000;

function fleetDeps({ client, fleet, ...rest }: FleetWiring): FleetDeps {
  return {
    ...rest,
    recordings: createOpenRecordings(client),
    probe: createProbe({ costs: fleet.costs, timeoutMs: PROBE_MS }),
    policy: policyOf(fleet),
    bootTimeoutMs: fleet.bootTimeout,
    now: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  };
}

function policyOf(fleet: FleetConfig): FleetPolicy {
  return {
    headroomCores: fleet.headroomCores,
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
