// A Temporal server's visibility as we ask it: who waits before a start, and what a call that is held back or refused comes to.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createAhead } from '../../../src/activities/ahead.ts';
import { type Stack, startStack } from '../../../src/dev/stack.ts';
import { createTemporalClient } from '../../../src/temporal/client.ts';
import { first } from '../../../src/temporal/visibility-calls.ts';
import { waitFor } from '../../support/stack-wait.ts';

const WAITING = {
  stage: defineSearchAttributeKey('RecordingStage', SearchAttributeType.KEYWORD),
  waitingFor: defineSearchAttributeKey('RecordingWaitingFor', SearchAttributeType.KEYWORD),
  fleet: defineSearchAttributeKey('RecordingFleet', SearchAttributeType.KEYWORD),
  priority: defineSearchAttributeKey('RecordingPriority', SearchAttributeType.INT),
};

let stateDir: string;
let stack: Stack;
const counted: [string, string][] = [];
let temporal: ReturnType<typeof createTemporalClient>;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'reelkit-visibility-'));
  stack = await startStack({ stateDir, parts: ['temporal'] });
  const { address, namespace } = stack.temporal;
  temporal = createTemporalClient({ address, namespace, connectionOptions: {} }, undefined, {
    perSecond: 10,
    called: (...call) => void counted.push(call),
  });
});
afterAll(async () => {
  await temporal?.close();
  await stack?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

/** Nothing runs it: it stays as it is. */
async function waits(fleet: string, priority: number): Promise<{ workflowId: string; sinceMs: number }> {
  const workflowId = `EG_${randomBytes(6).toString('hex')}`;
  const handle = await temporal.client.workflow.start('recording', {
    workflowId,
    taskQueue: 'nobody',
    typedSearchAttributes: new TypedSearchAttributes([
      { key: WAITING.stage, value: 'waiting' },
      { key: WAITING.waitingFor, value: 'capacity' },
      { key: WAITING.fleet, value: fleet },
      { key: WAITING.priority, value: priority },
    ]),
  });
  return { workflowId, sinceMs: (await handle.describe()).startTime.getTime() };
}

const newFleet = () => `fleet-${randomBytes(4).toString('hex')}`;

const countOf = (query: string) =>
  first(temporal.client, async () => (await temporal.client.workflow.count(query)).count);

it('counts who waits before: priority first, then who was there first, and never who asks', async () => {
  const fleet = newFleet();
  const [old, urgent, young] = [await waits(fleet, 3), await waits(fleet, 1), await waits(fleet, 3)];
  await waitFor(
    'Temporal knows all',
    () => countOf(`RecordingFleet = '${fleet}'`),
    (found) => found === 3,
  );
  const ask = createAhead(countOf);
  expect(await ask({ fleet, priority: 3, ...young })).toBe(2);
  expect(await ask({ fleet, priority: 3, ...old })).toBe(1);
  expect(await ask({ fleet, priority: 1, ...urgent })).toBe(0);
  expect(await ask({ fleet: newFleet(), priority: 5, ...young })).toBe(0);
});

it('counts once for all that come together when nobody waits', async () => {
  const fleet = newFleet();
  const ask = createAhead(countOf);
  counted.length = 0;
  const newcomers = Array.from({ length: 20 }, (_, id) => ({
    fleet,
    priority: 3,
    workflowId: `EG_${id}`,
    sinceMs: id,
  }));
  expect(new Set(await Promise.all(newcomers.map(ask)))).toEqual(new Set([0]));
  // The first of them asks at once, those that come meanwhile together.
  expect(counted).toHaveLength(2);
});

it('lets whoever starts pass those that list, and ends a call whose turn comes too late', async () => {
  const { client } = temporal;
  counted.length = 0;
  const list = () =>
    client
      .withDeadline(Date.now() + 500, () => client.workflow.count("WorkflowType = 'recording'"))
      .catch(() => 'too late');
  const lists = Array.from({ length: 60 }, list);
  expect(await countOf("WorkflowType = 'nothing'")).toBe(0);
  const answers = await Promise.all(lists);
  expect(answers).toContain('too late');
  // All of them were answered, and none was refused by Temporal.
  expect(counted).toHaveLength(61);
  expect(counted.map(([, outcome]) => outcome)).not.toContain('resource_exhausted');
});
