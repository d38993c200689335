// The fleet's workflow on the time-skipping server, with passes that answer by script. What a pass decides is tested elsewhere.
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { Runtime, Worker } from '@temporalio/worker';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import type { FleetActivities, PassReport } from '../../src/activities/contract.ts';
import { EMPTY_MEMORY } from '../../src/fleet/observation.ts';
import type { fleet } from '../../src/workflows/fleet.ts';
import { explainQuery, type FleetInput, kickSignal } from '../../src/workflows/messages.ts';

type PassInput = Parameters<FleetActivities['runFleetPass']>[0];

let env: TestWorkflowEnvironment;
let count = 0;

beforeEach(async () => {
  Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } });
  const executable = { type: 'existing-path', path: inject('timeSkippingServer') } as const;
  env = await TestWorkflowEnvironment.createTimeSkipping({ server: { executable } });
});
// One server a test: an activity that a terminated workflow leaves open would stop the clock of the next one.
afterEach(() => env?.teardown());

/** Runs a fleet whose passes are answered by `pass`, and ends it afterwards. */
async function withFleet(
  pass: (input: PassInput, number: number) => Partial<PassReport> | Promise<Partial<PassReport>>,
  test: (run: FleetRun) => Promise<void>,
  input: Partial<FleetInput> = {},
) {
  count += 1;
  const inputs: PassInput[] = [];
  const worker = await Worker.create({
    connection: env.nativeConnection,
    taskQueue: `fleet-${count}`,
    workflowBundle: { codePath: inject('workflowBundle') },
    activities: {
      async runFleetPass(seen: PassInput): Promise<PassReport> {
        inputs.push(seen);
        return { memory: seen.memory, summary: '', ...(await pass(seen, inputs.length)) };
      },
    } satisfies FleetActivities,
  });
  await worker.runUntil(async () => {
    const handle = await env.client.workflow.start<typeof fleet>('fleet', {
      workflowId: `fleet/test-${count}`,
      taskQueue: `fleet-${count}`,
      args: [{ fleet: 'test', ...input }],
    });
    const run = { inputs, handle: env.client.workflow.getHandle(handle.workflowId) };
    await test(run).finally(async () => {
      await untilNoPassIsOpen(run);
      await run.handle.terminate();
    });
  });
}

interface FleetRun {
  inputs: PassInput[];
  handle: ReturnType<TestWorkflowEnvironment['client']['workflow']['getHandle']>;
}

async function until(condition: () => boolean, limitMs = 10_000): Promise<void> {
  for (const startedAt = Date.now(); !condition(); ) {
    if (Date.now() - startedAt > limitMs) throw new Error('it never happened');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function eventsOf({ handle }: FleetRun): Promise<string[]> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).flatMap((event) => Object.keys(event).filter((key) => key.endsWith('EventAttributes')));
}

/** The server's clock stands while an activity is open, also after its workflow was terminated. */
async function untilNoPassIsOpen(run: FleetRun): Promise<void> {
  for (const startedAt = Date.now(); ; ) {
    const events = await eventsOf(run);
    const countOf = (name: string) => events.filter((event) => event === `activityTask${name}EventAttributes`).length;
    if (countOf('Scheduled') === countOf('Completed')) return;
    if (Date.now() - startedAt > 15_000) throw new Error(`a pass is still open: ${events.join(' ')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('the fleet workflow', () => {
  it('sleeps without any timer when nothing is open', async () => {
    await withFleet(
      () => ({}),
      async (run) => {
        await until(() => run.inputs.length === 1);
        await untilNoPassIsOpen(run);
        await env.sleep('1 day');
        expect(run.inputs).toHaveLength(1);
        expect(await eventsOf(run)).not.toContain('timerStartedEventAttributes');
      },
    );
  });

  it('looks again when the time that the pass named has come', async () => {
    await withFleet(
      (_, number) => (number < 3 ? { nextPassInMs: 60_000 } : {}),
      async (run) => {
        await until(() => run.inputs.length === 1);
        await untilNoPassIsOpen(run);
        await env.sleep('30s');
        expect(run.inputs).toHaveLength(1);
        await env.sleep('10m');
        await until(() => run.inputs.length === 3);
        expect(run.inputs.map(({ pass, kicked }) => ({ pass, kicked }))).toEqual([
          { pass: 1, kicked: true },
          { pass: 2, kicked: false },
          { pass: 3, kicked: false },
        ]);
      },
    );
  });

  it('is woken by a kick, asleep or waiting', async () => {
    await withFleet(
      (_, number) => (number === 2 ? { nextPassInMs: 3_600_000 } : {}),
      async (run) => {
        await until(() => run.inputs.length === 1);
        await run.handle.signal(kickSignal, { why: 'a recording waits' });
        await until(() => run.inputs.length === 2);
        await run.handle.signal(kickSignal);
        await until(() => run.inputs.length === 3);
        expect(run.inputs.every(({ kicked }) => kicked)).toBe(true);
      },
    );
  });

  it('answers all kicks that come during a pass with exactly one more', async () => {
    let release = () => {};
    const first = new Promise<void>((resolve) => {
      release = resolve;
    });
    await withFleet(
      async (_, number) => {
        if (number === 1) await first;
        return {};
      },
      async (run) => {
        await until(() => run.inputs.length === 1);
        for (let kick = 0; kick < 20; kick += 1) await run.handle.signal(kickSignal, { why: `burst ${kick}` });
        release();
        await until(() => run.inputs.length === 2);
        await untilNoPassIsOpen(run);
        // The query is answered behind everything that came before it: what it finds is a fleet at rest.
        await run.handle.query(explainQuery);
        expect(run.inputs).toHaveLength(2);
        expect(await eventsOf(run)).not.toContain('timerStartedEventAttributes');
      },
    );
  });

  it('carries memory, pass numbers, explanations and kicks over continue-as-new', async () => {
    const memoryAfter = (number: number) => ({ ...EMPTY_MEMORY, launchNotBeforeMs: number });
    let release = () => {};
    const second = new Promise<void>((resolve) => {
      release = resolve;
    });
    await withFleet(
      async (_, number) => {
        if (number === 2) await second;
        return { memory: memoryAfter(number), line: `line ${number}`, ...(number === 1 ? { nextPassInMs: 1 } : {}) };
      },
      async (run) => {
        await until(() => run.inputs.length === 1);
        await untilNoPassIsOpen(run);
        await env.sleep('1s');
        await until(() => run.inputs.length === 2);
        await run.handle.signal(kickSignal, { why: 'in the last pass of a run' });
        release();
        await until(() => run.inputs.length === 3);
        expect(run.inputs[2]).toMatchObject({ pass: 3, memory: memoryAfter(2), kicked: true });
        await untilNoPassIsOpen(run);
        const lines = await run.handle.query(explainQuery);
        expect(lines.map(({ pass, line }) => `${pass} ${line}`)).toEqual(['3 line 3', '2 line 2', '1 line 1']);
        expect((await eventsOf(run)).filter((name) => name.startsWith('activityTaskScheduled'))).toHaveLength(1);
      },
      { maxPasses: 2 },
    );
  });

  it('never fails: a pass that breaks is tried again', async () => {
    await withFleet(
      (_, number) => {
        if (number < 4) throw new Error('Temporal visibility is down');
        return {};
      },
      async (run) => {
        await until(() => run.inputs.length === 1);
        await env.sleep('5m');
        await until(() => run.inputs.length === 4);
        expect(run.inputs.map(({ pass }) => pass)).toEqual([1, 1, 1, 1]);
        expect((await run.handle.describe()).status.name).toBe('RUNNING');
      },
    );
  });

  it('keeps the last 50 lines', async () => {
    await withFleet(
      (_, number) => ({ line: `line ${number}`, ...(number < 60 ? { nextPassInMs: 1_000 } : {}) }),
      async (run) => {
        await until(() => run.inputs.length === 1);
        await untilNoPassIsOpen(run);
        await env.sleep('10m');
        await until(() => run.inputs.length === 60);
        await untilNoPassIsOpen(run);
        const lines = await run.handle.query(explainQuery);
        expect(lines).toHaveLength(50);
        expect(lines[0]).toMatchObject({ pass: 60, line: 'line 60' });
      },
    );
  });
});
