// What the recording's own workflow says of it, which is asked before anything is stopped.
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import { createOpenRecordings } from '../../../src/activities/open-recordings.ts';
import { STAGES } from '../../../src/recording/stage.ts';
import { KEYS } from '../../../src/workflows/search-attributes.ts';

function clientOf(describeWorkflow: () => Promise<unknown>): Client {
  return { workflow: { getHandle: () => ({ describe: describeWorkflow }) } } as unknown as Client;
}

const described = (status: string, type = 'recording', stage?: string) =>
  clientOf(async () => ({ status: { name: status }, type, typedSearchAttributes: { get: () => stage } }));

describe('an admission', () => {
  function admitting(startedMs: number, noRoom?: string) {
    const sent: string[] = [];
    const info = {
      workflowId: 'EG_x',
      startTime: new Date(startedMs),
      memo: { costCores: 1, requestedAtMs: startedMs, ...(noRoom === undefined ? {} : { noRoom }) },
      typedSearchAttributes: { get: () => undefined },
    };
    const client = {
      withDeadline: (_: number, call: () => Promise<unknown>) => call(),
      withMetadata: (_: object, call: () => Promise<unknown>) => call(),
      workflow: {
        async *list() {
          yield info;
        },
        getHandle: () => ({
          signal: async ({ name }: { name: string }) => void sent.push(`signal ${name}`),
          executeUpdate: async ({ name }: { name: string }) => void sent.push(`update ${name}`),
        }),
      },
    } as unknown as Client;
    return { recordings: createOpenRecordings(client), sent };
  }

  it.each<[who: string, ageMs: number, noRoom: string | undefined, how: string]>([
    ['that may still be asleep is an update, which wakes it', 0, 'no worker is ready', 'update admitAsleep'],
    ['that has been awake for long is a signal', 60_000, 'no worker is ready', 'signal admitted'],
    ['that never slept is a signal', 0, undefined, 'signal admitted'],
  ])('of a recording %s', async (_, ageMs, noRoom, how) => {
    const { recordings, sent } = admitting(Date.now() - ageMs, noRoom);
    await recordings.list('default');
    expect(await recordings.admit('EG_x')).toBe(true);
    expect(sent).toEqual([how]);
  });
});

describe('the list for a pass', () => {
  it.each(STAGES)('of open workflows says in which stage each of them is: %s', async (stage) => {
    const client = {
      withMetadata: (_: object, call: () => Promise<unknown>) => call(),
      workflow: {
        async *list() {
          yield {
            workflowId: 'EG_x',
            startTime: new Date(0),
            memo: { costCores: 4 },
            typedSearchAttributes: {
              get: ({ name }: { name: string }) => (name === KEYS.stage.name ? stage : undefined),
            },
          };
        },
      },
    } as unknown as Client;
    const listed = await createOpenRecordings(client).list('default');
    expect(listed.map((one) => one.stage)).toEqual([stage]);
  });
});

describe('the state of a recording', () => {
  it.each<[says: string, client: Client, state: string]>([
    ['runs', described('RUNNING'), 'open'],
    ['has ended, and waits until LiveKit has heard of it', described('RUNNING', 'recording', 'completed'), 'ended'],
    ['completed', described('COMPLETED'), 'ended'],
    ['was terminated', described('TERMINATED'), 'ended'],
    ['is a workflow of another kind', described('COMPLETED', 'delivery'), 'unknown'],
    [
      'has no workflow',
      clientOf(() => Promise.reject(new WorkflowNotFoundError('not found', 'EG_x', undefined))),
      'unknown',
    ],
  ])('that %s', async (_, client, state) => {
    expect(await createOpenRecordings(client).statusOf('EG_x')).toBe(state);
  });

  it('is not made up when Temporal does not answer', async () => {
    const client = clientOf(() => Promise.reject(new Error('unavailable')));
    await expect(createOpenRecordings(client).statusOf('EG_x')).rejects.toThrow('unavailable');
  });
});
