// A Temporal dev server that keeps everything in a file, with clients and workers of chosen keys, and the bytes it has written.
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { activityInfo, heartbeat } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { bundleWorkflowCode, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { register } from 'tsx/cjs/api';
import { startStack } from '../../../src/dev/stack.ts';
import type { PayloadKeys } from '../../../src/temporal/codec.ts';
import { clientDataConverter, failureConverterPath, workerDataConverter } from '../../../src/temporal/converter.ts';
import { type Activities, PLANTED, type Secrets } from './secrets-workflow.ts';

// The SDK loads the failure converter by path, past the test runner.
register();

export const TASK_QUEUE = 'secrets';
const QUIET = { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export function newSecrets(): Secrets {
  return Object.fromEntries(PLANTED.map((name) => [name, `${name}-${randomBytes(12).toString('hex')}`])) as Secrets;
}

export function newKey(id: string) {
  return { id, key: randomBytes(32) };
}

const activities: Activities = {
  async work({ activityResult, activityFailure, activityFailureDetails, heartbeat: beat }) {
    if (activityInfo().attempt > 1) return activityResult;
    heartbeat(beat);
    await new Promise((resolve) => setTimeout(resolve, 300));
    throw ApplicationFailure.create({ message: activityFailure, details: [activityFailureDetails] });
  },
  workHere: async (secret) => secret,
};

export type SecretsBed = Awaited<ReturnType<typeof startSecretsBed>>;

export async function startSecretsBed() {
  Runtime.install({ logger: QUIET });
  const stateDir = await mkdtemp(join(tmpdir(), 'reelkit-secrets-'));
  const stack = await startStack({ stateDir, parts: ['temporal'] });
  const { address, namespace } = stack.temporal;
  const [connection, native, plainBundle, bundle] = await Promise.all([
    Connection.connect({ address }),
    NativeConnection.connect({ address }),
    bundleFor(undefined),
    bundleFor(failureConverterPath()),
  ]);
  return {
    stack,
    /** Without keys as the SDK comes. */
    client: (keys?: PayloadKeys) =>
      new Client({ connection, namespace, ...(keys ? { dataConverter: clientDataConverter(keys) } : {}) }),
    /** Runs a Temporal worker while `act` runs. */
    async withWorker<T>(keys: PayloadKeys | undefined, act: () => Promise<T>): Promise<T> {
      const worker = await Worker.create({
        connection: native,
        namespace,
        taskQueue: TASK_QUEUE,
        workflowBundle: keys ? bundle : plainBundle,
        activities,
        // Every run reads its whole history: what is stored is what is used.
        maxCachedWorkflows: 0,
        ...(keys ? { dataConverter: workerDataConverter(keys) } : {}),
      });
      return worker.runUntil(act);
    },
    /** Which of the secrets can be read in what the server wrote. */
    async found(secrets: Secrets): Promise<string[]> {
      const written = await everythingIn(stateDir);
      return PLANTED.filter((name) => written.includes(secrets[name]));
    },
    async close() {
      await connection.close();
      await native.close();
      await stack.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

function bundleFor(converter: string | undefined) {
  const workflowsPath = fileURLToPath(new URL('./secrets-workflow.ts', import.meta.url));
  return bundleWorkflowCode({
    workflowsPath,
    logger: QUIET,
    ...(converter === undefined ? {} : { failureConverterPath: converter }),
  });
}

/** Database, write-ahead log and the server's own log, as bytes. */
async function everythingIn(folder: string): Promise<Buffer> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  if (!files.some((file) => file.endsWith('temporal.db'))) throw new Error('the server keeps no file');
  return Buffer.concat(await Promise.all(files.map((file) => readFile(file))));
}
