// What may be told to a recording: extend, cancel, news of egresses; early, late, twice, by hand, with anything in it.
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it, vi } from 'vitest';
import { countActions } from '../support/actions.ts';
import { HOUR_MS, MINUTE_MS, NO_CAPACITY } from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();

/** Type of the ApplicationFailure an Update was rejected with. */
async function rejection(update: Promise<unknown>): Promise<{ type: string; message: string }> {
  const error = await update.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkflowUpdateFailedError) || !(error.cause instanceof ApplicationFailure)) {
    throw new Error(`the update was not rejected: ${String(error)}`);
  }
  return { type: error.cause.type ?? '', message: error.cause.message };
}

describe('extend', () => {
  it('before the start: maxDuration becomes longer', async () => {
    const run = await recordings.start({ requestCapacity: () => NO_CAPACITY }, { maxDuration: '1h' });
    await run.until(({ stage }) => stage === 'waiting');
    await run.extend({ byMs: 30 * MINUTE_MS });
    await run.admit();
    await run.becomesActive();
    const { endDeadlineMs = 0, startedAtMs = 0 } = await run.view();
    expect(endDeadlineMs - startedAtMs).toBe(90 * MINUTE_MS);
  });

  it('while it records: answers with the new end and keeps to it', async () => {
    const run = await recordings.start(
      { stopPart: (_, __, r) => r.webhook(r.complete('StopEgress API')) as Promise<undefined> },
      { maxDuration: '10m' },
    );
    await run.becomesActive();
    const before = (await run.view()).endDeadlineMs ?? 0;
    expect((await run.extend({ byMs: 20 * MINUTE_MS })).endDeadlineMs).toBe(before + 20 * MINUTE_MS);
    const view = await run.result();
    expect((view.endedAtMs ?? 0) - (view.startedAtMs ?? 0)).toBeGreaterThanOrEqual(30 * MINUTE_MS);
    expect((view.endedAtMs ?? 0) - (view.startedAtMs ?? 0)).toBeLessThan(31 * MINUTE_MS);
  });

  it('to an earlier end: it stops then, not when the old timer fires', async () => {
    const run = await recordings.start(
      { stopPart: (_, __, r) => r.webhook(r.complete('StopEgress API')) as Promise<undefined> },
      { maxDuration: '6h' },
    );
    await run.becomesActive();
    await run.extend({ untilMs: (await run.now()) + 5 * MINUTE_MS });
    const view = await run.result();
    expect((view.endedAtMs ?? 0) - (view.startedAtMs ?? 0)).toBeLessThan(6 * MINUTE_MS);
  });

  it('twice by signal: both count', async () => {
    const run = await recordings.start({}, { maxDuration: '10m' });
    await run.becomesActive();
    const before = (await run.view()).endDeadlineMs ?? 0;
    await run.extendBySignal({ byMs: MINUTE_MS });
    await run.extendBySignal({ untilMs: before + 5 * MINUTE_MS });
    await run.extendBySignal({ byMs: MINUTE_MS });
    expect((await run.view()).endDeadlineMs).toBe(before + 6 * MINUTE_MS);
  });

  it.each([
    ['a negative time', { byMs: -5 }],
    ['nothing', {}],
    ['no object', null],
    ['words', { byMs: 'an hour' }],
    ['not a number', { untilMs: Number.NaN }],
    ['a time before all calendars', { untilMs: -1e300 }],
    ['a time in the past', { untilMs: 1_000 }],
    ['more than a day', { byMs: 25 * HOUR_MS }],
  ])('by %s: rejected as InvalidExtension, with no event written, and as a signal ignored', async (_, extension) => {
    const run = await recordings.start();
    await run.becomesActive();
    const before = await run.view();
    expect((await rejection(run.extend(extension as never))).type).toBe('InvalidExtension');
    await run.extendBySignal(extension as never);
    expect((await run.view()).endDeadlineMs).toBe(before.endDeadlineMs);
    const { events } = await run.handle.fetchHistory();
    expect(events?.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes)).toHaveLength(0);
  });

  it('while it is being stopped: rejected, because nothing could follow', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.cancel();
    expect(await rejection(run.extend({ byMs: MINUTE_MS }))).toEqual({
      type: 'RecordingEnded',
      message: 'the recording is being stopped',
    });
    await run.webhook(run.complete('StopEgress API'));
    await run.result();
  });
});

describe('an ended recording whose webhook is still being delivered', () => {
  it('rejects updates as RecordingEnded and takes late signals without harm', async () => {
    const run = await recordings.start(
      { inspectRoom: () => ({ room: 'gone' }) },
      { webhookUrl: 'https://example.com' },
    );
    await run.becomesActive();
    run.hold('notifyUser');
    await run.webhook(run.complete('Source closed'));
    await run.untilCalled('notifyUser');
    expect((await rejection(run.cancel())).type).toBe('RecordingEnded');
    expect((await rejection(run.extend({ byMs: MINUTE_MS }))).type).toBe('RecordingEnded');
    await run.extendBySignal({ byMs: MINUTE_MS });
    await run.cancelBySignal();
    await run.webhook(run.snapshot('ACTIVE'));
    await run.webhook(run.snapshot('ACTIVE', { attempt: 7 }));
    await run.admit();
    await run.look();
    run.release('notifyUser');
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
    expect(run.stopped).toEqual([]);
  });

  it('has told the user its final state', async () => {
    const run = await recordings.start(
      { inspectRoom: () => ({ room: 'gone' }) },
      { webhookUrl: 'https://example.com/hook' },
    );
    await run.becomesActive();
    await run.webhook(run.complete('Source closed'));
    const view = await run.result();
    expect(run.inputs('notifyUser')).toEqual([{ url: 'https://example.com/hook', view }]);
  });

  it('ends the same when the user never takes its webhook', async () => {
    const run = await recordings.start(
      {
        inspectRoom: () => ({ room: 'gone' }),
        notifyUser: () => {
          throw new Error('the webhook answered 500');
        },
      },
      { webhookUrl: 'https://example.com/hook' },
    );
    await run.becomesActive();
    await run.webhook(run.complete('Source closed'));
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
    expect(run.count('notifyUser')).toBe(12);
  });
});

describe('signals', () => {
  it('before the first workflow task: a cancel starts nothing', async () => {
    const run = await recordings.start({}, {}, { signal: 'cancel', args: [{ by: 'alice' }] });
    expect(await run.result()).toMatchObject({ stage: 'cancelled', parts: [] });
    expect(run.count('startPart')).toBe(0);
  });

  it('before the first workflow task: an extension counts', async () => {
    const run = await recordings.start({}, { maxDuration: '10m' }, { signal: 'extend', args: [{ byMs: MINUTE_MS }] });
    await run.becomesActive();
    const { endDeadlineMs = 0, startedAtMs = 0 } = await run.view();
    expect(endDeadlineMs - startedAtMs).toBe(11 * MINUTE_MS);
  });

  it.each(['egress', 'look', 'cancel', 'extend', 'admitted'])(
    'sent by hand as %s with nothing in it: never block the workflow',
    async (signal) => {
      const run = await recordings.start({ inspectRoom: () => ({ room: 'gone' }) });
      await run.becomesActive();
      await run.handle.signal(signal);
      await run.handle.signal(signal, null);
      await run.handle.signal(signal, 'text');
      await run.handle.signal(signal, { egressId: run.egressId(), status: 'COMPLETE' });
      await run.webhook(run.complete('Source closed'));
      expect((await run.result()).parts).toHaveLength(1);
    },
  );

  it('of other recordings: change nothing', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.webhook({
      ...run.snapshot('ACTIVE', { attempt: 2 }),
      marker: { recordingId: 'other', part: 1, attempt: 2 },
    });
    await run.webhook(run.complete('Source closed', { egressId: 'EG_other' }));
    expect((await run.view()).stage).toBe('recording');
    expect(run.stopped).toEqual([]);
  });
});

describe('the answer to a cancel', () => {
  it('is the ended recording when nothing was under way', async () => {
    const startAt = new Date((await recordings.env.currentTimeMs()) + HOUR_MS).toISOString();
    const run = await recordings.start({}, { startAt });
    // The fleet is told first; then there is nothing but the timer.
    await vi.waitFor(async () => {
      expect(countActions(await run.handle.fetchHistory()).by).toHaveProperty('TIMER_STARTED');
    }, 10_000);
    expect((await run.cancel()).stage).toBe('cancelled');
  });

  it('does not wait for LiveKit while a start is under way', async () => {
    const run = await recordings.start();
    run.hold('startPart');
    await run.untilCalled('startPart');
    expect((await run.cancel()).stage).toBe('starting');
    run.release('startPart');
    await run.webhook(run.complete('StopEgress API'));
    expect((await run.result()).stage).toBe('cancelled');
  });
});

describe('a cancel that arrives with the end', () => {
  it('is answered, and the recording ends as cancelled with its file', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    run.hold('stopPart');
    const [answer] = await Promise.all([run.cancel(), run.webhook(run.complete('Source closed'))]);
    run.release('stopPart');
    expect(answer.id).toBe(run.id);
    const view = await run.result();
    expect(view.parts[0]?.files).toHaveLength(1);
    expect(['cancelled', 'completed']).toContain(view.stage);
  });
});

describe('Temporal actions', () => {
  it('are at most 12 for a recording of an hour with two webhooks, on the fast path', async () => {
    const run = await recordings.start({ inspectRoom: () => ({ room: 'gone' }) });
    await run.becomesActive();
    await run.sleep(HOUR_MS);
    await run.webhook(run.complete('Source closed'));
    await run.result();
    const count = countActions(await run.handle.fetchHistory());
    expect(count.by).toEqual({
      WORKFLOW_EXECUTION_STARTED: 1,
      ACTIVITY_TASK_SCHEDULED: 2,
      MARKER_RECORDED: 1,
      TIMER_STARTED: 1,
      WORKFLOW_EXECUTION_SIGNALED: 2,
      UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: 2,
    });
    expect(count.total).toBeLessThanOrEqual(12);
  });

  it('do not grow with the length of the recording', async () => {
    const run = await recordings.start({ inspectRoom: () => ({ room: 'gone' }) }, { maxDuration: '24h' });
    await run.becomesActive();
    await run.sleep(20 * HOUR_MS);
    await run.webhook(run.complete('Source closed'));
    await run.result();
    expect(countActions(await run.handle.fetchHistory()).total).toBe(9);
  });
});
