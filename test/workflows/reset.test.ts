// On a real Temporal server: a recording that was reset in the Web UI makes attempts of its own, and ends what the run before began.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { DispatchInput, RecordingActivities } from '../../src/activities/contract.ts';
import { type Stack, startStack } from '../../src/dev/stack.ts';
import { attemptEgressId } from '../../src/recording/attempt.ts';
import type { EgressStatus } from '../../src/recording/egress.ts';
import { recordingRequestSchema } from '../../src/recording/request.ts';
import type { RecordingView } from '../../src/recording/view.ts';
import { type RecordingInput, recordingWorkflowId, reportSignal, viewQuery } from '../../src/workflows/messages.ts';
import type { recording } from '../../src/workflows/recording.ts';

const TASK_QUEUE = 'reset';

let stateDir: string;
let stack: Stack;
let client: Client;
const attempts: number[] = [];
const stopped: string[] = [];
const closing: (() => Promise<unknown>)[] = [];
/** What happens while a worker is being asked. */
let whileAsked: (input: DispatchInput) => Promise<unknown> = async () => undefined;

beforeAll(async () => {
  Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } });
  stateDir = await mkdtemp(join(tmpdir(), 'reelkit-reset-'));
  stack = await startStack({ stateDir, parts: ['temporal'] });
  const { address, namespace } = stack.temporal;
  const native = await NativeConnection.connect({ address });
  const connection = await Connection.connect({ address });
  client = new Client({ connection, namespace });
  const activities: Partial<RecordingActivities> = {
    async dispatch(input) {
      attempts.push(input.attempt);
      await whileAsked(input);
      const egressId = attemptEgressId(input.recordingId, input.attempt);
      return { kind: 'started', egressId, acceptedAtMs: Date.now() };
    },
    async stopPart({ egressId }) {
      stopped.push(egressId);
      return null;
    },
    publishRecord: async () => undefined,
    inspectRoom: async () => ({ room: 'gone' }),
  };
  const worker = await Worker.create({
    connection: native,
    namespace,
    taskQueue: TASK_QUEUE,
    workflowBundle: { codePath: inject('workflowBundle') },
    activities,
  });
  const done = worker.run();
  closing.push(
    async () => {
      worker.shutdown();
      await done;
    },
    () => native.close(),
    () => connection.close(),
  );
});

afterAll(async () => {
  for (const close of closing) await close();
  await stack?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

async function start(id: string) {
  attempts.length = 0;
  stopped.length = 0;
  const input: RecordingInput = {
    id,
    fleet: 'default',
    request: recordingRequestSchema.parse({ source: { type: 'room', room: 'demo' } }),
    costCores: 4,
    requestedAtMs: Date.now(),
    requestHash: 'hash',
    wire: 'wire',
    storages: [null],
    origin: 'livekit',
  };
  await client.workflow.start<typeof recording>('recording', {
    workflowId: recordingWorkflowId(id),
    taskQueue: TASK_QUEUE,
    args: [input],
  });
  // Without a run id: of the present run.
  return client.workflow.getHandle<typeof recording>(recordingWorkflowId(id));
}

const report = (handle: WorkflowHandle, egressId: string, status: EgressStatus) =>
  handle.signal(reportSignal, { egressId, status, files: [], startedAtMs: Date.now() });

const isRecording = ({ stage }: RecordingView) => stage === 'recording';

/** As the Web UI does. @param which of its completed workflow tasks, from 0; negative: from the end */
async function reset(handle: WorkflowHandle, which: number): Promise<void> {
  const { events } = await handle.fetchHistory();
  const completed = (events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes);
  await client.workflowService.resetWorkflowExecution({
    namespace: stack.temporal.namespace,
    workflowExecution: { workflowId: handle.workflowId },
    reason: 'a test asks',
    requestId: `${handle.workflowId}-${which}`,
    workflowTaskFinishEventId: completed.at(which)?.eventId ?? null,
  });
}

async function until(handle: WorkflowHandle<typeof recording>, holds: (view: RecordingView) => boolean) {
  for (const startedAt = Date.now(); ; ) {
    const view = await handle.query(viewQuery);
    if (holds(view)) return view;
    if (Date.now() - startedAt > 30_000) throw new Error(`it never happened: ${JSON.stringify(view)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('a recording that was reset', () => {
  it('to its beginning asks with a number far from the first, and stops what the first attempt began', async () => {
    const handle = await start('EG_reset001');
    await until(handle, ({ parts }) => parts[0]?.egressId === 'EG_reset001');
    await reset(handle, 0);
    const view = await until(handle, ({ parts }) => parts[0]?.egressId?.startsWith('EG_reset001_') ?? false);
    expect(attempts).toHaveLength(2);
    expect(attempts[1]).toBeGreaterThanOrEqual(1_000);
    await report(handle, 'EG_reset001', 'ACTIVE');
    await until(handle, () => stopped.includes('EG_reset001'));
    await report(handle, view.parts[0]?.egressId ?? '', 'COMPLETE');
    expect((await handle.result()).stage).toBe('completed');
  });

  it('to a step after its start goes on with the egress it has, though that reported before it was accepted', async () => {
    whileAsked = ({ recordingId }) => report(client.workflow.getHandle(recordingId), recordingId, 'ACTIVE');
    const handle = await start('EG_reset002');
    await until(handle, ({ stage }) => stage === 'recording');
    whileAsked = async () => undefined;
    await reset(handle, -1);
    await until(handle, ({ stage }) => stage === 'recording');
    await report(handle, 'EG_reset002', 'COMPLETE');
    expect(await handle.result()).toMatchObject({ stage: 'completed', parts: [{ egressId: 'EG_reset002' }] });
    expect(attempts).toEqual([0]);
    expect(stopped).toEqual([]);
  });

  it('to its beginning while the first attempt records goes on with it, should it report while the next is asked for', async () => {
    const handle = await start('EG_reset003');
    await until(handle, ({ parts }) => parts[0]?.egressId === 'EG_reset003');
    whileAsked = () => report(handle, 'EG_reset003', 'ACTIVE').then(() => until(handle, isRecording));
    await reset(handle, 0);
    const view = await until(handle, isRecording);
    expect(view.parts).toMatchObject([{ egressId: 'EG_reset003' }]);
    const other = attemptEgressId('EG_reset003', attempts[1] ?? 0);
    await until(handle, () => stopped.includes(other));
    whileAsked = async () => undefined;
    await report(handle, 'EG_reset003', 'COMPLETE');
    expect((await handle.result()).stage).toBe('completed');
    expect(stopped).toEqual([other]);
  });
});
