// Recordings and fleets that began on the committed code must be able to go on with the present code.
import { readdir, readFile } from 'node:fs/promises';
import { Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { FLEET_SCENARIOS, SCENARIOS } from '../support/scenarios.ts';

const folder = new URL('../histories/', import.meta.url);
const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
const deliveries = Object.entries(SCENARIOS).flatMap(([name, { delivers }]) => (delivers ? [`${name}-delivery`] : []));
const load = async (name: string) => JSON.parse(await readFile(new URL(name, folder), 'utf8')) as History;

interface History {
  events: { eventType: string; activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[];
}

beforeAll(() => {
  Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } });
});
const options = () => ({ workflowBundle: { codePath: inject('workflowBundle') } });

describe('the committed histories', () => {
  it('tell each main story', () => {
    expect(names.sort()).toEqual(
      [...Object.keys({ ...SCENARIOS, ...FLEET_SCENARIOS }), ...deliveries].map((name) => `${name}.json`).sort(),
    );
  });

  it('replay on the present workflows', async () => {
    async function* histories() {
      for (const name of names) yield { workflowId: name, history: await load(name) };
    }
    const failures: string[] = [];
    for await (const { workflowId, error } of Worker.runReplayHistories(options(), histories())) {
      if (error) failures.push(`${workflowId}: ${error.message}`);
    }
    expect(failures).toEqual([]);
  });

  it.each(['completed', 'fleet-burst'])('fail to replay when one step was another: %s', async (name) => {
    const history = await load(`${name}.json`);
    const first = history.events.find((event) => event.activityTaskScheduledEventAttributes);
    if (first?.activityTaskScheduledEventAttributes)
      first.activityTaskScheduledEventAttributes.activityType.name = 'wakeFleet';
    await expect(Worker.runReplayHistory(options(), history)).rejects.toThrow(DeterminismViolationError);
  });

  it('name no machine', async () => {
    for (const name of names) {
      const { events } = await load(name);
      const identities = [...JSON.stringify(events).matchAll(/"identity":"([^"]*)"/g)].map((match) => match[1]);
      expect(new Set(identities), name).toEqual(new Set(['reelkit-test']));
    }
  });
});
