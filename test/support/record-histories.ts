// Writes test/histories/*.json anew: `node --import tsx test/support/record-histories.ts [NAME…]`. Only for new stories, and when
// a change of the recording workflow is meant to break replay; old recordings are pinned to the version that began them.
import { mkdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { pino } from 'pino';
import { ensureComponents } from '../../src/dev/components.ts';
import { reportToStderr } from '../../src/dev/reporter.ts';
import { loadWorkflowBundle } from '../../src/temporal/workflow-bundle.ts';
import { withFleet } from './fleet-env.ts';
import { createRecordingEnv } from './recording-env.ts';
import { FLEET_SCENARIOS, play, SCENARIOS } from './scenarios.ts';

const IDENTITY = 'reelkit-test';
const folder = new URL('../histories/', import.meta.url);

const { 'temporal-test-server': serverPath } = await ensureComponents(['temporal-test-server'], reportToStderr);
const bundle = await loadWorkflowBundle(pino({ level: 'silent' }));
if (!('codePath' in bundle)) throw new Error('the workflow bundle is not a file');
const bundlePath = bundle.codePath;
await mkdir(folder, { recursive: true });
const asked = process.argv.slice(2);
const chosen = <T>(scenarios: Record<string, T>) =>
  Object.entries(scenarios).filter(([name]) => asked.length === 0 || asked.includes(name));

const recordings = await createRecordingEnv({ serverPath, bundlePath });
try {
  for (const [name, scenario] of chosen(SCENARIOS)) {
    const { handle, delivery } = await play(recordings, scenario);
    await write(name, handle);
    if (scenario.delivers) await write(`${name}-delivery`, delivery);
  }
} finally {
  await recordings.close();
}
for (const [name, { pass, drive, input = {} }] of chosen(FLEET_SCENARIOS)) {
  await withFleet({ serverPath, bundlePath, input }, pass, async (run) => {
    await drive(run);
    await write(name, run.handle);
  });
}

async function write(name: string, handle: Pick<WorkflowHandle, 'fetchHistory'>): Promise<void> {
  await writeFile(new URL(`${name}.json`, folder), withoutMachine(historyToJSON(await handle.fetchHistory())));
}

/** One event a line; who and where it ran left out. */
function withoutMachine(history: string): string {
  const { events } = JSON.parse(history, hideMachine) as { events: unknown[] };
  const text = `{"events":[\n${events.map((event) => JSON.stringify(event)).join(',\n')}\n]}\n`;
  for (const trace of [hostname(), process.cwd(), process.env.HOME ?? '/home']) {
    if (trace.length > 3 && text.includes(trace)) throw new Error(`the history still holds "${trace}"`);
  }
  return text;
}

function hideMachine(key: string, value: unknown): unknown {
  if (key === 'identity') return IDENTITY;
  if (key === 'stackTrace') return '';
  // A sticky queue is named after the process.
  if (key === 'taskQueue' && isSticky(value)) return { ...value, name: `${IDENTITY}-sticky` };
  return value;
}

function isSticky(value: unknown): value is { kind: string; name: string } {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'TASK_QUEUE_KIND_STICKY';
}
