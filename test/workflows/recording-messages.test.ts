// What may be told to a recording: extend, cancel, news of egresses; early, late, twice, by hand, with anything in it.
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it, vi } from 'vitest';
import { countActions } from '../support/actions.ts';
import { HOUR_MS, MINUTE_MS, NO_CAPACITY, WIRE } from '../support/recording-env.ts';
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
      { stopPart: (_, __, r) => r.complete('StopEgress API') },
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
    const run = await recordings.start({ stopPart: (_, __, r) => r.complete('StopEgress API') }, { maxDuration: '6h' });
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
    await run.report(run.complete('StopEgress API'));
    await run.result();
  });
});

describe('an ended recording of which LiveKit has not been told yet', () => {
  it('rejects updates as RecordingEnded and takes late signals without harm', async () => {
    const run = await recordings.start({ inspectRoom: () => ({ room: 'gone' }) });
    await run.becomesActive();
    await run.untilCalled('publishRecord');
    run.hold('publishRecord');
    await run.report(run.complete('Source closed'));
    await run.until(({ stage }) => stage === 'completed');
    expect((await rejection(run.cancel())).type).toBe('RecordingEnded');
    expect((await rejection(run.extend({ byMs: MINUTE_MS }))).type).toBe('RecordingEnded');
    expect((await rejection(run.stop())).type).toBe('RecordingEnded');
    expect((await rejection(run.changeStreams({ add: [], remove: [] }))).type).toBe('RecordingEnded');
    await run.extendBySignal({ byMs: MINUTE_MS });
    await run.cancelBySignal();
    await run.report(run.snapshot('ACTIVE'));
    await run.report(run.snapshot('ACTIVE', { attempt: 7 }));
    await run.admit();
    await run.look();
    run.release('publishRecord');
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
    expect(run.stopped).toEqual([]);
  });
});

describe("the user's webhook", () => {
  it('gets the final state, from a workflow of its own', async () => {
    const run = await recordings.start(
      { inspectRoom: () => ({ room: 'gone' }) },
      { webhookUrl: 'https://example.com/hook' },
    );
    await run.becomesActive();
    await run.report(run.complete('Source closed'));
    const view = await run.result();
    await run.untilCalled('notifyUser');
    expect(run.inputs('notifyUser')).toEqual([{ url: 'https://example.com/hook', view }]);
  });

  it('holds no recording open while its receiver does not answer', async () => {
    const run = await recordings.start(
      { inspectRoom: () => ({ room: 'gone' }) },
      { webhookUrl: 'https://example.com/hook' },
    );
    await run.becomesActive();
    run.hold('notifyUser');
    await run.report(run.complete('Source closed'));
    expect(await run.result()).toMatchObject({ stage: 'completed' });
    await run.untilCalled('notifyUser');
    run.release('notifyUser');
  });
});

describe("LiveKit's StopEgress", () => {
  it('of one that waits: answered as aborted, and called off', async () => {
    const run = await recordings.start({ requestCapacity: () => NO_CAPACITY });
    await run.until(({ stage }) => stage === 'waiting');
    expect((await run.stop()).state).toMatchObject({ status: 'ABORTED', errorCode: 412 });
    expect(await run.result()).toMatchObject({ stage: 'cancelled', parts: [] });
    expect(run.published).toEqual(['ABORTED']);
  });

  it('of one that records: answered as ending once LiveKit knows, twice if need be, and the recording is complete', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    expect((await run.stop()).state).toEqual({ status: 'ENDING' });
    expect(run.published).toEqual(['ACTIVE', 'ENDING']);
    expect((await run.stop()).state).toEqual({ status: 'ENDING' });
    await run.report(run.snapshot('ENDING'));
    await run.report(run.complete('StopEgress API'));
    expect(await run.result()).toMatchObject({
      stage: 'completed',
      reason: { code: 'stopped' },
      parts: [{ files: [{}] }],
    });
    expect(run.published).toEqual(['ACTIVE', 'ENDING', 'COMPLETE']);
    expect(run.count('stopPart')).toBe(1);
  });

  it('is answered as ending even when the file is finished before the answer', async () => {
    const run = await recordings.start({ stopPart: (_, __, r) => r.complete('StopEgress API') });
    await run.becomesActive();
    expect((await run.stop()).state).toEqual({ status: 'ENDING' });
    expect((await run.result()).stage).toBe('completed');
  });
});

describe("LiveKit's UpdateStream", () => {
  const change = { add: ['rtmp://example.com/app/key'], remove: [] };

  it('of one that waits: kept for its start', async () => {
    const run = await recordings.start({ requestCapacity: (call) => (call === 1 ? NO_CAPACITY : undefined) });
    await run.until(({ stage }) => stage === 'waiting');
    await run.changeStreams(change);
    await run.admit();
    await run.becomesActive();
    expect(run.inputs('dispatch')[0]?.wire).toBe(`${WIRE}+`);
    expect(run.count('changeRunningStreams')).toBe(0);
  });

  it('of one that records: passed on, and kept for the next part', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.changeStreams(change);
    expect(run.inputs('changeRunningStreams')).toEqual([{ ...change, egressId: run.egressId() }]);
    await run.sleep(MINUTE_MS);
    await run.report(run.complete('CPU exhausted'));
    await run.becomesActive(1);
    expect(run.inputs('dispatch').map(({ wire }) => wire)).toEqual([WIRE, `${WIRE}+`]);
  });

  it('that is refused keeps the code, and changes nothing', async () => {
    const run = await recordings.start({
      changeRunningStreams: () => ({ kind: 'refused', code: 'not_found', message: 'stream not found' }),
    });
    await run.becomesActive();
    expect(await rejection(run.changeStreams(change))).toEqual({ type: 'Refused', message: 'stream not found' });
    await run.sleep(MINUTE_MS);
    await run.report(run.complete('CPU exhausted'));
    await run.becomesActive(1);
    expect(run.inputs('dispatch').map(({ wire }) => wire)).toEqual([WIRE, WIRE]);
  });
});

describe("LiveKit's record", () => {
  it('is told of each state once, over parts that were lost and continued', async () => {
    const run = await recordings.start({
      inspectPart: () => ({ room: 'alive', inRoom: false, onWorker: 'dead' }),
      inspectRoom: (call) => ({ room: call > 1 ? 'gone' : 'alive' }),
    });
    await run.becomesActive();
    await run.report(run.snapshot('ACTIVE'));
    await run.look();
    await run.becomesActive(1);
    await run.report(run.snapshot('ENDING', { attempt: 1 }));
    await run.report(run.complete('Source closed', { attempt: 1 }));
    await run.result();
    expect(run.published).toEqual(['ACTIVE', 'ACTIVE', 'COMPLETE']);
    expect(run.inputs('publishRecord').map(({ retries }) => retries)).toEqual([0, 1, 1]);
  });

  it('begins with STARTING for a recording that LiveKit did not ask for', async () => {
    const run = await recordings.start({}, {}, undefined, { origin: 'api' });
    await run.becomesActive();
    await run.stop();
    await run.report(run.complete('StopEgress API'));
    await run.result();
    expect(run.published).toEqual(['STARTING', 'ACTIVE', 'ENDING', 'COMPLETE']);
    expect(run.inputs('publishRecord').map(({ unlisted }) => unlisted)).toEqual([true, false, false, false]);
  });

  it('is told in order and until LiveKit hears it, and no recording is demand meanwhile', async () => {
    let away = true;
    const run = await recordings.start({
      publishRecord: () => {
        if (away) throw new Error('LiveKit does not answer');
        return undefined;
      },
      inspectRoom: () => ({ room: 'gone' }),
    });
    await run.becomesActive();
    await run.report(run.complete('Source closed'));
    await run.until(({ stage }) => stage === 'completed');
    await run.sleep(HOUR_MS);
    away = false;
    await run.result();
    const told = run.published.filter((status, index, all) => status !== all[index - 1]);
    expect(told).toEqual(['ACTIVE', 'COMPLETE']);
  });
});

describe('signals', () => {
  it('before the first workflow task: a cancel starts nothing', async () => {
    const run = await recordings.start({}, {}, { signal: 'cancel', args: [{ by: 'alice' }] });
    expect(await run.result()).toMatchObject({ stage: 'cancelled', parts: [] });
    expect(run.count('dispatch')).toBe(0);
  });

  it('before the first workflow task: an extension counts', async () => {
    const run = await recordings.start({}, { maxDuration: '10m' }, { signal: 'extend', args: [{ byMs: MINUTE_MS }] });
    await run.becomesActive();
    const { endDeadlineMs = 0, startedAtMs = 0 } = await run.view();
    expect(endDeadlineMs - startedAtMs).toBe(11 * MINUTE_MS);
  });

  it.each(['report', 'look', 'cancel', 'extend', 'admitted'])(
    'sent by hand as %s with nothing in it: never block the workflow',
    async (signal) => {
      const run = await recordings.start({ inspectRoom: () => ({ room: 'gone' }) });
      await run.becomesActive();
      await run.handle.signal(signal);
      await run.handle.signal(signal, null);
      await run.handle.signal(signal, 'text');
      await run.handle.signal(signal, { egressId: run.egressId(), status: 'COMPLETE' });
      await run.handle.signal(signal, { egressId: run.egressId(), status: 'COMPLETE', files: [null] });
      await run.report(run.complete('Source closed'));
      expect((await run.result()).parts).toHaveLength(1);
    },
  );

  it('of other recordings: change nothing', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.report(run.snapshot('ACTIVE', { egressId: 'EG_anotherOne1' }));
    await run.report(run.complete('Source closed', { egressId: 'EG_anotherOne1_2' }));
    await run.report(run.complete('Source closed', { egressId: 'something else' }));
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

  it('does not wait for a worker that is being asked', async () => {
    const run = await recordings.start();
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    expect((await run.cancel()).stage).toBe('starting');
    run.release('dispatch');
    await run.report(run.complete('StopEgress API'));
    expect((await run.result()).stage).toBe('cancelled');
  });
});

describe('a cancel that arrives with the end', () => {
  it('is answered, and the recording ends as cancelled with its file', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    run.hold('stopPart');
    const [answer] = await Promise.all([run.cancel(), run.report(run.complete('Source closed'))]);
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
    await run.report(run.complete('Source closed'));
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
    await run.report(run.complete('Source closed'));
    await run.result();
    expect(countActions(await run.handle.fetchHistory()).total).toBe(9);
  });
});
