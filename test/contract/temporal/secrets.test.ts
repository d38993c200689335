// What Temporal keeps, read as bytes from its own files: with our codec no planted secret is in them; without it they are, so
// that the reading is known to find what is there. And what keys that change, or are gone, do to what is stored.
import { randomBytes } from 'node:crypto';
import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { PayloadKeys } from '../../../src/temporal/codec.ts';
import { keyProblem } from '../../../src/temporal/key-check.ts';
import { newKey, newSecrets, type SecretsBed, startSecretsBed, TASK_QUEUE } from './secrets-bed.ts';
import {
  askUpdate,
  type failing,
  lookQuery,
  PLANTED,
  type Secrets,
  type secretive,
  tellSignal,
} from './secrets-workflow.ts';

let bed: SecretsBed;
beforeAll(async () => {
  bed = await startSecretsBed();
});
afterAll(() => bed?.close());

const newId = () => `secrets-${randomBytes(4).toString('hex')}`;

async function start(secrets: Secrets, keys?: PayloadKeys) {
  return bed.client(keys).workflow.start<typeof secretive>('secretive', {
    workflowId: newId(),
    taskQueue: TASK_QUEUE,
    args: [secrets],
    memo: { kept: secrets.memo },
    staticSummary: secrets.staticSummary,
    staticDetails: secrets.staticDetails,
  });
}

/** Every way by which a payload can reach the storage, read back on the way. */
async function passThrough(secrets: Secrets, keys?: PayloadKeys): Promise<void> {
  await bed.withWorker(keys, async () => {
    const handle = await start(secrets, keys);
    await handle.signal(tellSignal, secrets.signal);
    const refused = handle.executeUpdate(askUpdate, { args: [secrets.refusedUpdate] });
    await expect(refused).rejects.toThrow(WorkflowUpdateFailedError);
    expect(await handle.query(lookQuery, 'asked')).toContain('asked');
    expect((await handle.describe()).memo).toMatchObject({ kept: secrets.memo, changed: secrets.changedMemo });
    expect(await handle.executeUpdate(askUpdate, { args: [secrets.update] })).toBe(secrets.updateResult);
    expect(await handle.result()).toBe(secrets.result);
    const failed = await bed
      .client(keys)
      .workflow.execute<typeof failing>('failing', { workflowId: newId(), taskQueue: TASK_QUEUE, args: [secrets] })
      .catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(WorkflowFailedError);
    expect(failed).toMatchObject({ cause: { message: secrets.failure, cause: { message: secrets.failureCause } } });
  });
}

/** A refused update leaves no trace: it is in no history. */
const NEVER_STORED = ['refusedUpdate'];
/** Told by a query, kept nowhere. */
const KEPT_BY_THE_WORKER = ['currentDetails'];

describe('what Temporal stores', () => {
  it('holds each secret in clear without the codec: the reading finds what is there', async () => {
    const secrets = newSecrets();
    await passThrough(secrets);
    const expected = PLANTED.filter((name) => ![...NEVER_STORED, ...KEPT_BY_THE_WORKER].includes(name));
    expect(await bed.found(secrets)).toEqual(expect.arrayContaining(expected));
  });

  it('holds none of them with the codec', async () => {
    const secrets = newSecrets();
    await passThrough(secrets, [newKey('k1')]);
    expect(await bed.found(secrets)).toEqual([]);
  });
});

describe('keys that change', () => {
  it('are rotated under a running workflow: added behind the current one first, then put before it', async () => {
    const secrets = newSecrets();
    const [old, next] = [newKey('old'), newKey('new')];
    const handle = await start(secrets, [old]);
    await bed.withWorker([old], () => handle.signal(tellSignal, secrets.signal));
    // Half of the processes encrypt with the new key already, the others can read it.
    await bed.withWorker([old, next], async () => {
      const ahead = bed.client([next, old]).workflow.getHandle(handle.workflowId);
      await ahead.executeUpdate(askUpdate, { args: [secrets.update] });
    });
    await bed.withWorker([next, old], () =>
      expect(bed.client([next, old]).workflow.getHandle(handle.workflowId).result()).resolves.toBe(secrets.result),
    );
    expect(await bed.found(secrets)).toEqual([]);
  });

  it('that are gone are named with the remedy, and the workflow goes on when they are back', async () => {
    const secrets = newSecrets();
    const [lost, other] = [newKey('lost'), newKey('other')];
    const handle = await start(secrets, [lost]);
    const withoutIt = bed.client([other]).workflow.getHandle(handle.workflowId);
    await expect(withoutIt.describe()).rejects.toThrow(
      /no encryption key "lost" is configured \(known: other\): put it back/,
    );
    await bed.withWorker([other], () => new Promise((resolve) => setTimeout(resolve, 1_500)));
    expect((await handle.describe()).status.name).toBe('RUNNING');
    await bed.withWorker([lost, other], async () => {
      await handle.signal(tellSignal, secrets.signal);
      await handle.executeUpdate(askUpdate, { args: [secrets.update] });
      expect(await handle.result()).toBe(secrets.result);
    });
  });

  it('leave what was stored before encryption readable', async () => {
    const secrets = newSecrets();
    const handle = await start(secrets);
    const keys: PayloadKeys = [newKey('first')];
    await bed.withWorker(keys, async () => {
      const now = bed.client(keys).workflow.getHandle(handle.workflowId);
      await now.signal(tellSignal, secrets.signal);
      await now.executeUpdate(askUpdate, { args: [secrets.update] });
      expect(await now.result()).toBe(secrets.result);
    });
  });

  it('that a process lacks are told at its start, for as long as open workflows need them', async () => {
    const [theirs, ours] = [newKey('theirs'), newKey('ours')];
    const check = (...known: string[]) =>
      keyProblem(bed.client([ours]), { namespace: bed.stack.temporal.namespace, fleets: ['default'], known });
    expect(await check('ours')).toBeUndefined();
    const { workflow } = bed.client([theirs]);
    const recording = await workflow.start('recording', {
      workflowId: 'recording/abc',
      taskQueue: 'nobody',
      args: [{}],
      memo: { request: {} },
      typedSearchAttributes: [
        { key: defineSearchAttributeKey('RecordingFleet', SearchAttributeType.KEYWORD), value: 'default' },
      ],
    });
    await vi.waitFor(
      async () => expect(await check('ours')).toContain('encrypted with key "theirs", and this process has key "ours"'),
      10_000,
    );
    expect(await check('theirs', 'ours')).toBeUndefined();
    await recording.terminate();
    await vi.waitFor(async () => expect(await check('ours')).toBeUndefined(), 10_000);
    const fleet = await workflow.start('fleet', { workflowId: 'fleet/default', taskQueue: 'nobody', args: [{}] });
    expect(await check('ours')).toContain('give all Reelkit processes the same keys');
    await fleet.terminate();
    expect(await check('ours')).toBeUndefined();
  });
});
