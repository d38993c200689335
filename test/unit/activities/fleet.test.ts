// The passes of several fleets in one process: each with its own provider, and launches that no other fleet takes for its own.
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import type { PassReport } from '../../../src/activities/contract.ts';
import { createFleetActivities, type FleetParts } from '../../../src/activities/fleet.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { EMPTY_MEMORY } from '../../../src/fleet/observation.ts';

const { fleets: configured } = parseConfig({
  livekit: { url: 'wss://livekit.example.com', apiKey: 'k', apiSecret: 's', redis: { address: 'a:1' } },
  workers: { redis: { address: 'b:1' } },
  storages: { local: { type: 'local', path: '/r' } },
  fleets: ['main', 'gpu'].map((name) => ({
    name,
    minWorkers: 1,
    maxWorkers: 1,
    capacity: { provider: 'kubernetes', podTemplate: 'egress' },
  })),
});

function createBed() {
  const launched: { fleet: string; token: string }[] = [];
  const nobody = async () => new Set<string>();
  const fleets: FleetParts[] = configured.map((settings) => ({
    settings,
    provider: {
      kind: 'test',
      limits: { coresPerWorker: 4 },
      list: async () => ({ workers: [], asOfMs: Date.now() }),
      async launch(_, token) {
        launched.push({ fleet: settings.name, token });
        return { launched: [token], problems: [] };
      },
      drain: async () => {},
      remove: async () => {},
      check: async () => [],
    },
    presence: {
      workers: nobody,
      egresses: nobody,
      cordoned: nobody,
      drained: nobody,
      doubts: async () => new Map(),
      cordon: async () => {},
      uncordon: async () => {},
    },
  }));
  async function* none() {}
  const client = {
    withMetadata: (_: object, call: () => Promise<unknown>) => call(),
    workflow: { list: none, count: async () => ({ count: 0 }) },
  } as unknown as Client;
  const passes: string[] = [];
  const { runFleetPass } = createFleetActivities({
    client,
    fleets,
    stopEgress: async () => {},
    log: { info: () => {}, warn: () => {} },
    onPass: (fleet) => passes.push(fleet),
  });
  const run = (fleet: string, runId: string, memory = EMPTY_MEMORY): Promise<PassReport> => {
    const activity = new MockActivityEnvironment({ workflowExecution: { workflowId: `fleet/${fleet}`, runId } });
    return activity.run(runFleetPass, { fleet, pass: 1, memory, kicked: false });
  };
  return { launched, passes, run };
}

describe('the passes of two fleets', () => {
  it('launch workers of different names, also when both workflows began at the same moment', async () => {
    const { launched, passes, run } = createBed();
    await run('main', '01a21219-54d6-77ce-bcae-2704f02e47d0');
    await run('gpu', '01a21219-54d6-7a11-8dfe-91b2c03d58e1');
    expect(launched).toEqual([
      { fleet: 'main', token: 'f02e47d0-1' },
      { fleet: 'gpu', token: 'c03d58e1-1' },
    ]);
    expect(passes).toEqual(['main', 'gpu']);
  });
});

describe('a fleet that the configuration has no more', () => {
  it('says so once and sleeps', async () => {
    const { launched, run } = createBed();
    const report = await run('spot', '01a21219-54d6-77ce-bcae-2704f02e47d0');
    expect(report).toMatchObject({ line: expect.stringContaining('no fleet "spot" any more (it has main, gpu)') });
    expect(report).not.toHaveProperty('nextPassInMs');
    expect(await run('spot', '01a21219-54d6-77ce-bcae-2704f02e47d0', report.memory)).not.toHaveProperty('line');
    expect(launched).toEqual([]);
  });
});
