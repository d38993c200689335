// What may be told to a recording: extend, cancel, news of egresses; early, late, twice, by hand, with anything in it.
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { countActions } from '../support/actions.ts';
import { FULL, HOUR_MS, MINUTE_MS, NO_CAPACITY, once } from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();

const LARGE_FILE = { filename: 'x'.repeat(200), location: 'x', sizeBytes: 1, durationMs: 1 };
const anyFile = fc.record({
  filename: fc.string(),
  location: fc.jsonValue(),
  sizeBytes: fc.nat(),
  durationMs: fc.nat(),
});

const NO_CHANGE = { add: [], remove: [] };

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
    const run = await recordings.start({ dispatch: FULL }, { maxDuration: '1h' });
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

describe('an ended recording that LiveKit has yet to be told of', () => {
  it('rejects updates as RecordingEnded and takes late signals without harm', async () => {
    const run = await recordings.start({ inspectRoom: () => ({ room: 'gone' }) });
    await run.becomesActive();
    await run.untilCalled('publishRecord');
    run.hold('publishRecord');
    await run.report(run.complete('Source closed'));
    await run.untilCalled('publishRecord', 2);
    for (const update of [run.cancel, run.stop, () => run.extend({ byMs: 1 }), () => run.changeStreams(NO_CHANGE)])
      expect((await rejection(update())).type).toBe('RecordingEnded');
    await run.extendBySignal({ byMs: MINUTE_MS });
    await run.cancelBySignal();
    await run.report(run.snapshot('ACTIVE'));
    await run.report(run.snapshot('ACTIVE', { attempt: 7 }));
    await run.admit();
    await run.look();
    run.release('publishRecord');
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
    expect(run.stopped).toEqual([]);
    expect(run.published).toEqual(['ACTIVE', 'COMPLETE']);
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
      await run.report(run.complete('Source closed'));
      expect((await run.result()).parts).toHaveLength(1);
    },
  );

  it('never block the workflow, whatever they carry', async () => {
    const run = await recordings.start({ inspectRoom: () => ({ room: 'gone' }) });
    await run.becomesActive();
    const almost = fc.record(
      {
        egressId: fc.oneof(fc.constant(run.egressId()), fc.constant(run.egressId(7)), fc.jsonValue()),
        status: fc.oneof(fc.constantFrom('STARTING', 'ACTIVE', 'ENDING'), fc.jsonValue()),
        files: fc.oneof(fc.constant([]), fc.array(fc.oneof(fc.jsonValue(), anyFile)), fc.jsonValue()),
        ...Object.fromEntries(
          ['acceptedAtMs', 'startedAtMs', 'updatedAtMs', 'endedAtMs', 'errorCode', 'error', 'details', 'info'].map(
            (key) => [key, fc.oneof(fc.double({ noNaN: true }), fc.string(), fc.jsonValue())],
          ),
        ),
        why: fc.jsonValue(),
        byMs: fc.oneof(fc.constantFrom(0, -1, 1e300), fc.jsonValue()),
      },
      { requiredKeys: ['egressId'] },
    );
    const payloads = fc.sample(fc.oneof(almost, almost, fc.jsonValue()), { numRuns: 40, seed: 20261130 });
    for (const signal of ['report', 'look', 'layout', 'extend', 'admitted'])
      await Promise.all(payloads.map((payload) => run.handle.signal(signal, payload)));
    await run.handle.signal('report', run.snapshot('ACTIVE', { files: Array(5_000).fill(LARGE_FILE) }));
    expect(['recording', 'starting']).toContain((await run.view()).stage);
    await run.report(run.complete('Source closed', { files: Array(5_000).fill(LARGE_FILE) }));
    await run.handle.signal('cancel', payloads[0]);
    expect((await run.result()).parts[0]?.end?.status).toBe('COMPLETE');
  });

  it.each([
    ['files that are none', { files: [null] }],
    ['a file without a size', { files: [{ filename: 'a', location: 'a' }] }],
    ['files that are no list', { files: 'a.mp4' }],
    ['no files', { files: undefined }],
    ['a status of later days', { status: 'PAUSED' }],
    ['a number for a status', { status: 1 }],
    ['numbers for words', { status: 'COMPLETE', details: 5 }],
    ['an object for an error', { status: 'FAILED', error: { text: 'x' } }],
    ['words for a time', { startedAtMs: 'soon' }],
    ['an error code that is none', { status: 'FAILED', errorCode: 'many' }],
    ['an id that is none', { egressId: 17 }],
    ['the id of no attempt', { egressId: 'EG_test' }],
    ['an attempt number beyond all bounds', { egressId: 'EG_test0001_99999999999' }],
    ['no object', 5],
  ])('with a report of %s: change nothing', async (_, wrong) => {
    const run = await recordings.start({ inspectRoom: () => ({ room: 'gone' }) });
    await run.untilAccepted();
    await run.handle.signal('report', typeof wrong === 'number' ? wrong : { ...run.snapshot('ACTIVE'), ...wrong });
    expect(await run.view()).toMatchObject({ stage: 'starting', parts: [{ files: [] }] });
    expect((await run.view()).parts[0]?.end).toBeUndefined();
    await run.becomesActive();
    await run.report(run.complete('Source closed'));
    expect((await run.result()).stage).toBe('completed');
    expect(run.stopped).toEqual([]);
  });

  it('with an EgressInfo larger than any worker sends: it goes into no record', async () => {
    const run = await recordings.start({ inspectRoom: () => ({ room: 'gone' }) });
    await run.untilAccepted();
    await run.report(run.snapshot('ACTIVE', { info: 'x'.repeat(200_000), startedAtMs: await run.now() }));
    await run.until(({ stage }) => stage === 'recording');
    await run.report(run.complete('Source closed', { info: undefined }));
    expect((await run.result()).stage).toBe('completed');
    expect(run.inputs('publishRecord').map(({ reports }) => reports)).toEqual([[], []]);
  });

  it('of other recordings: change nothing', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.report(run.snapshot('ACTIVE', { egressId: 'EG_other00001_1' }));
    await run.report(run.complete('Source closed', { egressId: 'EG_other00001' }));
    expect((await run.view()).stage).toBe('recording');
    expect(run.stopped).toEqual([]);
  });

  it('of an attempt that nobody made: stop it, and leave its id to it', async () => {
    const run = await recordings.start({ dispatch: once(() => NO_CAPACITY) });
    await run.until(({ stage }) => stage === 'waiting');
    await run.report(run.snapshot('ACTIVE'));
    await run.admit();
    await run.becomesActive(1);
    await run.untilCalled('stopPart');
    expect(run.attempts).toEqual([0, 1]);
    expect(run.stopped).toEqual([run.egressId(0)]);
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
  it('are 8 for a recording of an hour with two reports, on the fast path', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.sleep(HOUR_MS);
    await run.report(run.complete('Source closed', { roomGone: true }));
    await run.result();
    const count = countActions(await run.handle.fetchHistory());
    expect(count.by).toEqual({
      WORKFLOW_EXECUTION_STARTED: 1,
      // The dispatch, and two events of LiveKit's record.
      ACTIVITY_TASK_SCHEDULED: 3,
      TIMER_STARTED: 1,
      WORKFLOW_EXECUTION_SIGNALED: 2,
      UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: 1,
    });
    expect(count.total).toBe(8);
  });

  it('do not grow with the length of the recording', async () => {
    const run = await recordings.start({}, { maxDuration: '24h' });
    await run.becomesActive();
    await run.sleep(20 * HOUR_MS);
    await run.report(run.complete('Source closed', { roomGone: true }));
    await run.result();
    expect(countActions(await run.handle.fetchHistory()).total).toBe(8);
  });
});
