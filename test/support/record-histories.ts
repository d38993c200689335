// Writes test/histories/*.json anew: `node --import tsx test/support/record-histories.ts`. Only when a change of the recording
// workflow is meant to break replay; old recordings are pinned to the Temporal worker version that began them.
import { mkdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { pino } from 'pino';
import { ensureComponents } from '../../src/dev/components.ts';
import { reportToStderr } from '../../src/dev/reporter.ts';
import { loadWorkflowBundle } from '../../src/workflow-bundle.ts';
import { createRecordingEnv } from './recording-env.ts';
import { play, SCENARIOS } from './scenarios.ts';

const IDENTITY = 'reelkit-test';
const folder = new URL('../histories/', import.meta.url);

const { 'temporal-test-server': serverPath } = await ensureComponents(['temporal-test-server'], reportToStderr);
const bundle = await loadWorkflowBundle(pino({ level: 'silent' }));
if (!('codePath' in bundle)) throw new Error('the workflow bundle is not a file');
const recordings = await createRecordingEnv({ serverPath, bundlePath: bundle.codePath });
await mkdir(folder, { recursive: true });
try {
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    const run = await play(recordings, scenario);
    const history = historyToJSON(await run.handle.fetchHistory());
    await writeFile(new URL(`${name}.json`, folder), withoutMachine(history));
  }
} finally {
  await recordings.close();
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
