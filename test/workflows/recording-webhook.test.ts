// The user's webhook: told once a recording has ended, by a workflow of its own.
import { describe, expect, it } from 'vitest';
import type { Script } from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings({ eachTest: true });

describe('the webhook of the user', () => {
  const webhookUrl = 'https://example.com/hook';
  const endsByItself: Script = { inspectRoom: () => ({ room: 'gone' }) };

  it('gets the final state', async () => {
    const run = await recordings.start(endsByItself, { webhookUrl });
    await run.becomesActive();
    await run.report(run.complete('Source closed'));
    const view = await run.result();
    await run.delivered();
    expect(run.inputs('notifyUser')).toEqual([{ url: webhookUrl, view }]);
  });

  it('holds no recording open while its receiver is down', async () => {
    const run = await recordings.start(
      {
        ...endsByItself,
        notifyUser: () => {
          throw new Error('the webhook answered 500');
        },
      },
      { webhookUrl },
    );
    await run.becomesActive();
    await run.report(run.complete('Source closed'));
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
    await run.delivered();
    expect(run.count('notifyUser')).toBe(12);
  });

  it('is called while LiveKit cannot be told', async () => {
    const run = await recordings.start(endsByItself, { webhookUrl });
    await run.becomesActive();
    await run.untilCalled('publishRecord');
    run.hold('publishRecord');
    await run.report(run.complete('Source closed'));
    await run.untilCalled('notifyUser');
    run.release('publishRecord');
    await run.result();
    await run.delivered();
  });

  it('that is still being called by an earlier run does not break the recording', async () => {
    const run = await recordings.start(endsByItself, { webhookUrl });
    run.hold('notifyUser');
    await run.becomesActive();
    await recordings.env.client.workflow.start('delivery', {
      workflowId: `${run.id}/webhook`,
      taskQueue: 'recordings',
      args: [{ url: webhookUrl, view: await run.view() }],
    });
    await run.untilCalled('notifyUser');
    await run.report(run.complete('Source closed'));
    await run.until(({ stage }) => stage === 'completed');
    run.release('notifyUser');
    expect((await run.result()).stage).toBe('completed');
    await run.delivered();
    expect(run.count('notifyUser')).toBe(1);
  });
});
