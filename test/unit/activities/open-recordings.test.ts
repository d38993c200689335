// What the recording's own workflow says of it, which is asked before anything is stopped.
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { createOpenRecordings } from '../../../src/activities/open-recordings.ts';

function clientOf(describeWorkflow: () => Promise<unknown>): Client {
  return { workflow: { getHandle: () => ({ describe: describeWorkflow }) } } as unknown as Client;
}

const described = (status: string, type = 'recording') => clientOf(async () => ({ status: { name: status }, type }));

describe('the state of a recording', () => {
  it.each<[says: string, client: Client, state: string]>([
    ['runs', described('RUNNING'), 'open'],
    ['completed', described('COMPLETED'), 'ended'],
    ['was terminated', described('TERMINATED'), 'ended'],
    ['is a workflow of another kind', described('COMPLETED', 'delivery'), 'unknown'],
    [
      'has no workflow',
      clientOf(() => Promise.reject(new WorkflowNotFoundError('not found', 'EG_x', undefined))),
      'unknown',
    ],
  ])('that %s', async (_, client, state) => {
    expect(await createOpenRecordings(client).stateOf('EG_x')).toBe(state);
  });

  it('is not made up when Temporal does not answer', async () => {
    const client = clientOf(() => Promise.reject(new Error('unavailable')));
    await expect(createOpenRecordings(client).stateOf('EG_x')).rejects.toThrow('unavailable');
  });
});
