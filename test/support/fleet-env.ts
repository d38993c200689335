// Runs the fleet workflow on a time-skipping server with passes that answer by script. One server for each fleet: an activity
// that a terminated workflow leaves open would stop the clock of the next one.
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Runtime, Worker } from '@temporalio/worker';
import type { FleetActivities, PassReport } from '../../src/activities/contract.ts';
import type { fleet } from '../../src/workflows/fleet.ts';
import { type FleetInput, fleetWorkflowId } from '../../src/workflows/messages.ts';

export type PassInput = Parameters<FleetActivities['runFleetPass']>[0];
/** @param number of the call, from 1; what it leaves out is as on an idle day */
export type PassScript = (input: PassInput, number: number) => Partial<PassReport> | Promise<Partial<PassReport>>;

export interface FleetRun {
  /** What each pass was asked, in order. */
  inputs: PassInput[];
  handle: ReturnType<TestWorkflowEnvironment['client']['workflow']['getHandle']>;
  sleep: TestWorkflowEnvironment['sleep'];
  untilAsked(passes: number): Promise<void>;
  /** Until so many passes have been asked for, and the last one is over. */
  untilPasses(count: number): Promise<void>;
  /** Names of its events, as `timerStartedEventAttributes`. */
  events(): Promise<string[]>;
}

interface FleetEnvOptions {
  serverPath: string;
  bundlePath: string;
  input?: Partial<FleetInput>;
}

const FLEET = 'test';
const PATIENCE_MS = 60_000;
const POLL_MS = 20;

/** Runs a fleet, does `drive` with it, and ends it. */
export async function withFleet<T>(
  { serverPath, bundlePath, input }: FleetEnvOptions,
  pass: PassScript,
  drive: (run: FleetRun) => Promise<T>,
): Promise<T> {
  Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } });
  const executable = { type: 'existing-path', path: serverPath } as const;
  const env = await TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
  try {
    const inputs: PassInput[] = [];
    const worker = await Worker.create({
      connection: env.nativeConnection,
      taskQueue: 'fleet',
      identity: 'reelkit-test',
      workflowBundle: { codePath: bundlePath },
      activities: {
        async runFleetPass(seen: PassInput): Promise<PassReport> {
          inputs.push(seen);
          return { memory: seen.memory, summary: '', ...(await pass(seen, inputs.length)) };
        },
      } satisfies FleetActivities,
    });
    return await worker.runUntil(async () => {
      const { workflowId } = await env.client.workflow.start<typeof fleet>('fleet', {
        workflowId: fleetWorkflowId(FLEET),
        taskQueue: 'fleet',
        args: [{ fleet: FLEET, ...input }],
      });
      const run = toRun(env, env.client.workflow.getHandle(workflowId), inputs);
      try {
        return await drive(run);
      } finally {
        await untilNoPassIsOpen(run);
        await run.handle.terminate();
      }
    });
  } finally {
    await env.teardown();
  }
}

function toRun(env: TestWorkflowEnvironment, handle: FleetRun['handle'], inputs: PassInput[]): FleetRun {
  const run: FleetRun = {
    inputs,
    handle,
    sleep: (time) => env.sleep(time),
    untilAsked: (passes) => eventually(`pass ${passes}`, async () => inputs.length >= passes),
    async untilPasses(count) {
      await run.untilAsked(count);
      await untilNoPassIsOpen(run);
    },
    async events() {
      const { events } = await handle.fetchHistory();
      return (events ?? []).flatMap((event) => Object.keys(event).filter((key) => key.endsWith('EventAttributes')));
    },
  };
  return run;
}

/** The server's clock stands while an activity is open, also after its workflow was terminated. */
async function untilNoPassIsOpen(run: FleetRun): Promise<void> {
  await eventually('the end of the last pass', async () => {
    const events = await run.events();
    const countOf = (name: string) => events.filter((event) => event === `activityTask${name}EventAttributes`).length;
    return countOf('Scheduled') === countOf('Completed');
  });
}

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const startedAt = Date.now(); !(await holds()); ) {
    if (Date.now() - startedAt > PATIENCE_MS) throw new Error(`waited ${PATIENCE_MS / 1_000} s for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
