// On a real Temporal server: a recording stays on the Temporal worker version that began it, whatever becomes current.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { RecordingActivities } from '../../src/activities/contract.ts';
import { type Stack, startStack } from '../../src/dev/stack.ts';
import { recordingRequestSchema } from '../../src/recording/request.ts';
import { cancelUpdate, type RecordingInput, reportSignal, viewQuery } from '../../src/workflows/messages.ts';
import type { recording } from '../../src/workflows/recording.ts';

const DEPLOYMENT = 'reelkit';
const TASK_QUEUE = 'pinned';
const OLD = 'EG_testbefore';

let stateDir: string;
let stack: Stack;
let native: NativeConnection;
let client: Client;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  Runtime.install({ logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} } });
  stateDir = await mkdtemp(join(tmpdir(), 'reelkit-pinned-'));
  stack = await startStack({ stateDir, parts: ['temporal'] });
  const { address, namespace } = stack.temporal;
  native = await NativeConnection.connect({ address });
  const connection = await Connection.connect({ address });
  client = new Client({ connection, namespace });
  closing.push(() => connection.close());
});

afterAll(async () => {
  for (const close of closing) await close();
  await native?.close();
  await stack?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

/** A Temporal worker of one version; its activities say which one ran them. */
async function startVersion(buildId: string, ranOn: string[]): Promise<void> {
  const note =
    <T>(answer: (input: never) => T) =>
    async (input: never) => {
      ranOn.push(buildId);
      return answer(input);
    };
  const worker = await Worker.create({
    connection: native,
    namespace: stack.temporal.namespace,
    taskQueue: TASK_QUEUE,
    workflowBundle: { codePath: inject('workflowBundle') },
    workerDeploymentOptions: {
      useWorkerVersioning: true,
      version: { deploymentName: DEPLOYMENT, buildId },
      defaultVersioningBehavior: 'AUTO_UPGRADE',
    },
    activities: {
      dispatch: note(({ recordingId }: { recordingId: string }) => ({
        kind: 'started',
        egressId: recordingId,
        acceptedAtMs: Date.now(),
        worker: { id: buildId, topic: buildId },
      })),
      stopPart: note(() => null),
      publishRecord: note(() => undefined),
      inspectRoom: note(() => ({ room: 'gone' })),
    } as unknown as Partial<RecordingActivities>,
  });
  const done = worker.run();
  closing.unshift(async () => {
    worker.shutdown();
    await done;
  });
}

/** Known only once a worker of the version has polled, so it is asked for until Temporal agrees. */
async function makeCurrent(buildId: string): Promise<void> {
  for (const startedAt = Date.now(); ; ) {
    try {
      await client.workflowService.setWorkerDeploymentCurrentVersion({
        namespace: stack.temporal.namespace,
        deploymentName: DEPLOYMENT,
        buildId,
      });
      return;
    } catch (error) {
      if (Date.now() - startedAt > 30_000) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

function start(id: string) {
  const input: RecordingInput = {
    id,
    fleet: 'default',
    request: recordingRequestSchema.parse({ source: { type: 'room', room: 'demo' } }),
    costCores: 4,
    requestedAtMs: Date.now(),
    requestHash: 'hash',
    wire: '',
    storages: [],
    origin: 'livekit',
  };
  return client.workflow.start<typeof recording>('recording', {
    workflowId: id,
    taskQueue: TASK_QUEUE,
    args: [input],
  });
}

async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  for (const startedAt = Date.now(); ; ) {
    const answer = await ask();
    if (holds(answer)) return answer;
    if (Date.now() - startedAt > 30_000) throw new Error(`it never happened: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function versionOf(workflowId: string) {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  const { behavior, deploymentVersion } = raw.workflowExecutionInfo?.versioningInfo ?? {};
  return { behavior, buildId: deploymentVersion?.buildId };
}

describe('a recording begun on one version', () => {
  it('goes on and ends on it after another became current; new ones begin on the new', {
    timeout: 120_000,
  }, async () => {
    const ranOn: string[] = [];
    await startVersion('a', ranOn);
    await makeCurrent('a');
    const old = await start(OLD);
    await until(
      () => old.query(viewQuery),
      ({ parts }) => parts[0]?.egressId !== undefined,
    );

    await startVersion('b', ranOn);
    await makeCurrent('b');
    const fresh = await start('EG_testfresh');
    await until(
      () => fresh.query(viewQuery),
      ({ parts }) => parts[0]?.egressId !== undefined,
    );
    expect((await fresh.query(viewQuery)).parts[0]?.worker?.id).toBe('b');

    ranOn.length = 0;
    await old.executeUpdate(cancelUpdate, { args: [{}] });
    await until(
      () => old.query(viewQuery),
      ({ stage }) => stage === 'stopping',
    );
    await old.signal(reportSignal, { egressId: OLD, status: 'COMPLETE', files: [] });
    expect((await old.result()).stage).toBe('cancelled');
    expect(new Set(ranOn)).toEqual(new Set(['a']));
    expect(await versionOf(OLD)).toEqual({ behavior: 1, buildId: 'a' });
    await fresh.terminate();
  });
});
