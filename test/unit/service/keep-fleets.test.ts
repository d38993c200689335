// A fleet's workflow that somebody ended by hand is started again; one that runs is left alone.
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { keepFleets } from '../../../src/service/keep-fleets.ts';

afterEach(() => void vi.useRealTimers());

describe("a fleet's workflow", () => {
  async function after30s(describeWorkflow: () => Promise<unknown>): Promise<string[]> {
    vi.useFakeTimers();
    const kicked: string[] = [];
    const keeper = keepFleets({
      client: { workflow: { getHandle: () => ({ describe: describeWorkflow }) } } as unknown as Client,
      fleets: ['default'],
      kickFleet: async (fleet) => void kicked.push(fleet),
      log: { warn: () => undefined },
    });
    await vi.advanceTimersByTimeAsync(30_000);
    keeper.stop();
    await vi.advanceTimersByTimeAsync(300_000);
    return kicked;
  }
  const is = (name: string) => async () => ({ status: { name } });

  it.each(['TERMINATED', 'CANCELLED', 'FAILED', 'TIMED_OUT', 'COMPLETED'])(
    'that was %s is started again',
    async (status) => {
      expect(await after30s(is(status))).toEqual(['default']);
    },
  );

  it('whose history is gone is started again', async () => {
    expect(await after30s(() => Promise.reject(new WorkflowNotFoundError('gone', 'fleet/default', undefined)))).toEqual(
      ['default'],
    );
  });

  it('that runs, or that nobody can ask for, is left alone', async () => {
    expect(await after30s(is('RUNNING'))).toEqual([]);
    expect(await after30s(() => Promise.reject(new Error('unavailable')))).toEqual([]);
  });
});
