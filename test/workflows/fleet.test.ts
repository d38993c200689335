// The fleet's workflow on the time-skipping server, with passes that answer by script. What a pass decides is tested elsewhere.
import { describe, expect, inject, it } from 'vitest';
import { EMPTY_MEMORY } from '../../src/fleet/observation.ts';
import { bootsQuery, explainQuery, type FleetInput, kickSignal } from '../../src/workflows/messages.ts';
import { type FleetRun, type PassScript, withFleet } from '../support/fleet-env.ts';

const fleet = (pass: PassScript, drive: (run: FleetRun) => Promise<void>, input: Partial<FleetInput> = {}) =>
  withFleet({ serverPath: inject('timeSkippingServer'), bundlePath: inject('workflowBundle'), input }, pass, drive);

describe('the fleet workflow', () => {
  it('sleeps without any timer when nothing is open', async () => {
    await fleet(
      () => ({}),
      async (run) => {
        await run.untilPasses(1);
        await run.sleep('1 day');
        expect(run.inputs).toHaveLength(1);
        expect(await run.events()).not.toContain('timerStartedEventAttributes');
      },
    );
  });

  it('looks again when the time that the pass named has come', async () => {
    await fleet(
      (_, number) => (number < 3 ? { nextPassInMs: 60_000 } : {}),
      async (run) => {
        await run.untilPasses(1);
        await run.sleep('30s');
        expect(run.inputs).toHaveLength(1);
        await run.sleep('10m');
        await run.untilPasses(3);
        expect(run.inputs.map(({ pass, kicked }) => ({ pass, kicked }))).toEqual([
          { pass: 1, kicked: true },
          { pass: 2, kicked: false },
          { pass: 3, kicked: false },
        ]);
      },
    );
  });

  it('is woken by a kick, asleep or waiting', async () => {
    await fleet(
      (_, number) => (number === 2 ? { nextPassInMs: 3_600_000 } : {}),
      async (run) => {
        await run.untilPasses(1);
        await run.handle.signal(kickSignal, { why: 'a recording waits' });
        await run.untilPasses(2);
        await run.handle.signal(kickSignal);
        await run.untilPasses(3);
        expect(run.inputs.every(({ kicked }) => kicked)).toBe(true);
      },
    );
  });

  it('lets no burst arrive when the kick is about a worker, unless a request came too', async () => {
    await fleet(
      () => ({}),
      async (run) => {
        await run.untilPasses(1);
        await run.handle.signal(kickSignal, { why: 'w1 is ready', settle: false });
        await run.untilPasses(2);
        await run.handle.signal(kickSignal, { why: 'a recording waits' });
        await run.untilPasses(3);
        expect(run.inputs.map(({ kicked }) => kicked)).toEqual([true, false, true]);
      },
    );
  });

  it('answers all kicks that come during a pass with exactly one more', async () => {
    let release = () => {};
    const first = new Promise<void>((resolve) => {
      release = resolve;
    });
    await fleet(
      async (_, number) => {
        if (number === 1) await first;
        return {};
      },
      async (run) => {
        await run.untilAsked(1);
        for (let kick = 0; kick < 20; kick += 1) await run.handle.signal(kickSignal, { why: `burst ${kick}` });
        release();
        await run.untilPasses(2);
        // The query is answered behind everything that came before it: what it finds is a fleet at rest.
        await run.handle.query(explainQuery);
        expect(run.inputs).toHaveLength(2);
        expect(await run.events()).not.toContain('timerStartedEventAttributes');
      },
    );
  });

  it('carries memory, pass numbers, explanations and kicks over continue-as-new', async () => {
    const memoryAfter = (number: number) => ({ ...EMPTY_MEMORY, launchNotBeforeMs: number, bootsMs: [number * 1_000] });
    let release = () => {};
    const second = new Promise<void>((resolve) => {
      release = resolve;
    });
    await fleet(
      async (_, number) => {
        if (number === 2) await second;
        return { memory: memoryAfter(number), line: `line ${number}`, ...(number === 1 ? { nextPassInMs: 1 } : {}) };
      },
      async (run) => {
        await run.untilPasses(1);
        await run.sleep('1s');
        await run.untilAsked(2);
        await run.handle.signal(kickSignal, { why: 'in the last pass of a run' });
        release();
        await run.untilPasses(3);
        expect(run.inputs[2]).toMatchObject({ pass: 3, memory: memoryAfter(2), kicked: true });
        const lines = await run.handle.query(explainQuery);
        expect(lines.map(({ pass, line }) => `${pass} ${line}`)).toEqual(['3 line 3', '2 line 2', '1 line 1']);
        expect(await run.handle.query(bootsQuery)).toEqual([3_000]);
        expect((await run.events()).filter((name) => name.startsWith('activityTaskScheduled'))).toHaveLength(1);
      },
      { maxPasses: 2 },
    );
  });

  it('never fails: a pass that breaks is tried again', async () => {
    await fleet(
      (_, number) => {
        if (number < 4) throw new Error('Temporal visibility is down');
        return {};
      },
      async (run) => {
        await run.untilAsked(1);
        await run.sleep('5m');
        await run.untilAsked(4);
        expect(run.inputs.map(({ pass }) => pass)).toEqual([1, 1, 1, 1]);
        expect((await run.handle.describe()).status.name).toBe('RUNNING');
      },
    );
  });

  it('keeps the last 50 lines', async () => {
    await fleet(
      (_, number) => ({ line: `line ${number}`, ...(number < 60 ? { nextPassInMs: 1_000 } : {}) }),
      async (run) => {
        await run.untilPasses(1);
        await run.sleep('10m');
        await run.untilPasses(60);
        const lines = await run.handle.query(explainQuery);
        expect(lines).toHaveLength(50);
        expect(lines[0]).toMatchObject({ pass: 60, line: 'line 60' });
      },
    );
  });
});
