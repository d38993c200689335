// What LiveKit is told of a recording, and what an application does to it through LiveKit: its record, StopEgress, UpdateStream.
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import {
  FIRST_WIRE,
  FULL,
  fullFrom,
  HOUR_MS,
  MINUTE_MS,
  NO_CAPACITY,
  once,
  REFUSED,
  type Script,
} from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();

const endsByItself: Script = { inspectRoom: () => ({ room: 'gone' }) };
const endsWhenStopped: Script = { stopPart: (_, { egressId }, run) => run.complete('StopEgress API', { egressId }) };

/** Type and first detail of the ApplicationFailure an Update failed with. */
async function failure(update: Promise<unknown>): Promise<{ type: string; code: unknown }> {
  const error = await update.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkflowUpdateFailedError) || !(error.cause instanceof ApplicationFailure))
    throw new Error(`the update did not fail: ${String(error)}`);
  return { type: error.cause.type ?? '', code: error.cause.details?.[0] };
}

describe("LiveKit's record", () => {
  it('of a recording that LiveKit asked for says ACTIVE, then its end, once each', async () => {
    const run = await recordings.start(endsByItself);
    await run.becomesActive();
    await run.report(run.snapshot('ACTIVE', { startedAtMs: await run.now() }));
    await run.report(run.snapshot('ENDING'));
    await run.report(run.complete('Source closed'));
    await run.result();
    expect(run.published).toEqual(['ACTIVE', 'COMPLETE']);
    expect(run.inputs('publishRecord')[1]).toMatchObject({
      recordingId: run.id,
      wire: FIRST_WIRE,
      roomId: `RM_${run.id}`,
      reports: [`${run.id} COMPLETE`],
      retries: 0,
      state: { status: 'COMPLETE', details: 'End reason: Source closed' },
    });
  });

  it('says the end at once as a rule; until it does, the end of the recording is in the index', async () => {
    const told = await recordings.start(endsByItself);
    await told.becomesActive();
    await told.report(told.complete('Source closed'));
    await told.result();
    expect(await told.indexed()).toEqual(['recording']);
    const away = (call: number) => {
      if (call > 1 && call < 8) throw new Error('LiveKit did not take UpdateEgress: no_claim');
      return undefined;
    };
    const waited = await recordings.start({ ...endsByItself, publishRecord: away });
    await waited.becomesActive();
    await waited.untilPublished('ACTIVE');
    await waited.report(waited.complete('Source closed'));
    expect((await waited.result()).stage).toBe('completed');
    expect(await waited.indexed()).toEqual(['recording', 'completed']);
    expect(waited.count('publishRecord')).toBe(8);
  });

  it('that is behind when the recording ends leaves the end to the index', async () => {
    const run = await recordings.start(endsByItself);
    run.hold('publishRecord');
    await run.becomesActive();
    await run.untilCalled('publishRecord');
    await run.report(run.complete('Source closed'));
    await run.until(({ stage }) => stage === 'completed');
    expect(await run.indexed()).toEqual(['recording', 'completed']);
    run.release('publishRecord');
    await run.result();
    expect(run.published).toEqual(['ACTIVE', 'COMPLETE']);
  });

  it('of a recording that the API asked for begins with STARTING, before any worker is found', async () => {
    const run = await recordings.start({ dispatch: FULL, ...endsByItself }, { origin: 'api' });
    await run.untilPublished('STARTING');
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.becomesActive();
    await run.untilPublished('ACTIVE');
    await run.report(run.complete('Source closed'));
    await run.result();
    expect(run.published).toEqual(['STARTING', 'ACTIVE', 'COMPLETE']);
    expect(run.inputs('publishRecord').map(({ unlisted }) => unlisted)).toEqual([true, false, false]);
  });

  it('says ENDING when it is stopped, and nothing comes back', async () => {
    const run = await recordings.start({}, { maxDuration: '10m' });
    await run.becomesActive();
    await run.sleep(10 * MINUTE_MS + 1_000);
    await run.untilPublished('ENDING');
    await run.report(run.snapshot('ACTIVE', { startedAtMs: await run.now() }));
    await run.report(run.complete('StopEgress API'));
    await run.result();
    expect(run.published).toEqual(['ACTIVE', 'ENDING', 'COMPLETE']);
  });

  it('goes on as one over parts that were lost and continued, with what each one left', async () => {
    const run = await recordings.start({
      ...endsWhenStopped,
      inspectPart: once(() => ({ room: 'alive', inRoom: true, onWorker: 'dead' })),
    });
    await run.becomesActive(0);
    await run.sleep(5 * MINUTE_MS);
    await run.look('its worker died');
    await run.becomesActive(1);
    await run.sleep(5 * MINUTE_MS);
    await run.report(run.complete('CPU exhausted', { attempt: 1 }));
    await run.becomesActive(2);
    await run.untilCalled('publishRecord', 3);
    await run.stop();
    await run.result();
    expect(run.published).toEqual(['ACTIVE', 'ACTIVE', 'ACTIVE', 'ENDING', 'COMPLETE']);
    expect(run.inputs('publishRecord').map(({ retries }) => retries)).toEqual([0, 1, 2, 2, 2]);
    expect(run.inputs('publishRecord').at(-1)?.reports).toEqual([
      `${run.id} ACTIVE`,
      `${run.id}_1 COMPLETE`,
      `${run.id}_2 COMPLETE`,
    ]);
  });

  it('says nothing of attempts that were given up', async () => {
    const run = await recordings.start({ ...endsByItself, dispatch: once(() => NO_CAPACITY) });
    await run.until(({ stage }) => stage === 'waiting');
    await run.report(run.snapshot('ACTIVE', { attempt: 7 }));
    await run.admit();
    await run.becomesActive();
    await run.report(run.complete('Source closed'));
    await run.result();
    expect(run.inputs('publishRecord').map(({ reports }) => reports)).toEqual([
      [`${run.id} ACTIVE`],
      [`${run.id} COMPLETE`],
    ]);
  });

  it('says FAILED once when no worker takes it', async () => {
    const run = await recordings.start({ dispatch: () => REFUSED });
    await run.result();
    expect(run.published).toEqual(['FAILED']);
    expect(run.inputs('publishRecord')[0]?.state.errorCode).toBe(400);
  });

  it('is ended when the request of LiveKit was called off before the first step', async () => {
    const run = await recordings.start({}, {}, { signal: 'cancel', args: [{}] });
    expect((await run.result()).stage).toBe('cancelled');
    expect(run.published).toEqual(['ABORTED']);
  });

  it('never comes to be when a scheduled recording is called off before it is due', async () => {
    const startAt = new Date((await recordings.env.currentTimeMs()) + HOUR_MS).toISOString();
    const run = await recordings.start({}, { startAt, origin: 'api' });
    await run.untilCalled('wakeFleet');
    await run.cancel();
    expect((await run.result()).stage).toBe('cancelled');
    expect(run.published).toEqual([]);
  });

  it('is brought up to date in order when LiveKit was away for an hour, and holds the recording open until then', async () => {
    let away = false;
    const run = await recordings.start({
      ...endsByItself,
      publishRecord: () => {
        if (away) throw new Error('LiveKit did not take UpdateEgress: no_claim');
        return undefined;
      },
    });
    await run.becomesActive();
    await run.untilPublished('ACTIVE');
    away = true;
    await run.report(run.complete('Source closed'));
    await run.until(({ stage }) => stage === 'completed');
    await run.sleep(HOUR_MS);
    expect((await run.handle.describe()).status.name).toBe('RUNNING');
    // Every 5 s in the end: LiveKit is told within seconds of its return.
    expect(run.count('publishRecord')).toBeGreaterThan(600);
    away = false;
    const view = await run.result();
    expect(view.stage).toBe('completed');
    expect((view.endedAtMs ?? 0) - (view.startedAtMs ?? 0)).toBeLessThan(MINUTE_MS);
    expect(new Set(run.published.slice(1))).toEqual(new Set(['COMPLETE']));
  });

  it('leaves out what was over before LiveKit came back', async () => {
    const run = await recordings.start(endsByItself, { origin: 'api' });
    run.hold('publishRecord');
    await run.untilCalled('publishRecord');
    await run.becomesActive();
    await run.report(run.complete('Source closed'));
    await run.until(({ stage }) => stage === 'completed');
    run.release('publishRecord');
    await run.result();
    expect(run.published).toEqual(['STARTING', 'COMPLETE']);
  });
});

describe('StopEgress', () => {
  it('while it waits in the queue: ABORTED, as LiveKit says of what never started', async () => {
    const run = await recordings.start({ dispatch: FULL });
    await run.until(({ stage }) => stage === 'waiting');
    const facts = await run.stop();
    expect(facts).toMatchObject({ recordingId: run.id, reports: [], state: { status: 'ABORTED', errorCode: 412 } });
    expect(await run.result()).toMatchObject({ stage: 'cancelled', parts: [] });
    expect(run.published).toEqual(['ABORTED']);
  });

  it('while it records: ENDING, and its file is kept as one that was stopped', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    expect((await run.stop()).state.status).toBe('ENDING');
    expect((await run.view()).stage).toBe('stopping');
    expect((await run.stop()).state.status).toBe('ENDING');
    await run.report(run.complete('StopEgress API'));
    expect(await run.result()).toMatchObject({
      stage: 'completed',
      reason: { code: 'stopped' },
      parts: [{ files: [{}] }],
    });
    expect(run.published).toEqual(['ACTIVE', 'ENDING', 'COMPLETE']);
    expect(run.count('stopPart')).toBe(1);
  });

  it('while a worker is being asked: what it started is stopped, and was ABORTED before it recorded', async () => {
    const run = await recordings.start({
      stopPart: (_, __, r) =>
        r.snapshot('ABORTED', { errorCode: 412, error: 'Stop called before pipeline could start' }),
    });
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    const [facts] = await Promise.all([run.stop(), run.release('dispatch')]);
    expect(facts.state.status).toBe('ABORTED');
    expect(await run.result()).toMatchObject({ stage: 'cancelled' });
    expect(run.published).not.toContain('ENDING');
    expect(run.published.at(-1)).toBe('ABORTED');
  });

  it('while it waits for its next part: completed with the file of the first', async () => {
    const run = await recordings.start({ dispatch: fullFrom(2) });
    await run.becomesActive();
    await run.report(run.complete('CPU exhausted'));
    await run.until(({ stage }) => stage === 'waiting');
    expect((await run.stop()).state.status).toBe('ENDING');
    expect(await run.result()).toMatchObject({
      stage: 'completed',
      reason: { code: 'stopped' },
      parts: [{ files: [{}] }],
    });
    expect(run.published.at(-1)).toBe('COMPLETE');
  });

  it('while it waits for its next part and nothing was kept: failed as worker_lost', async () => {
    const run = await recordings.start({
      dispatch: fullFrom(2),
      inspectPart: () => ({ room: 'alive', inRoom: false, onWorker: 'dead' }),
    });
    await run.becomesActive();
    await run.look();
    await run.until(({ stage }) => stage === 'waiting');
    await run.stop();
    expect(await run.result()).toMatchObject({ stage: 'failed', reason: { code: 'worker_lost' } });
    expect(run.published.at(-1)).toBe('FAILED');
  });

  it('after somebody cancelled the workflow in the Web UI is answered all the same', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.handle.cancel();
    await run.until(({ stage }) => stage === 'stopping');
    expect((await run.stop()).state.status).toBe('ENDING');
    await run.report(run.complete('StopEgress API'));
    expect(await run.result()).toMatchObject({ stage: 'cancelled' });
  });
});

describe('UpdateStream', () => {
  const change = (...add: string[]) => ({ add, remove: [] });

  it('is done once when LiveKit asks again for what took too long, and has the same answer', async () => {
    const run = await recordings.start({
      changeRunningStreams: async () => ({ kind: 'changed', report: run.snapshot('ACTIVE', { info: 'changed' }) }),
    });
    await run.becomesActive();
    run.hold('changeRunningStreams');
    const change = { add: ['rtmp://one'], remove: [] };
    const asked = [run.changeStreams(change), run.changeStreams(change)];
    await run.untilCalled('changeRunningStreams');
    run.release('changeRunningStreams');
    const [first, again] = await Promise.all(asked);
    expect(first?.reports).toEqual(['changed']);
    expect(again?.reports).toEqual(['changed']);
    expect(run.count('changeRunningStreams')).toBe(1);
    // What was answered in time is another change when it is asked for again.
    await run.changeStreams(change);
    expect(run.count('changeRunningStreams')).toBe(2);
  });

  it('while it waits in the queue changes what the first attempt asks, and what the record shows', async () => {
    const run = await recordings.start({ dispatch: once(() => NO_CAPACITY) });
    await run.until(({ stage }) => stage === 'waiting');
    const facts = await run.changeStreams({ add: ['rtmp://one'], remove: ['rtmp://two'] });
    expect(facts).toMatchObject({ wire: 'wire +rtmp://one -rtmp://two', state: { status: 'STARTING' } });
    expect(facts.changedAtMs).toBeGreaterThanOrEqual(facts.acceptedAtMs);
    // LiveKit has it before the caller is answered.
    expect(run.inputs('publishRecord')).toMatchObject([{ wire: facts.wire, changedAtMs: facts.changedAtMs }]);
    await run.admit();
    await run.untilAccepted();
    expect(run.inputs('dispatch').at(-1)?.wire).toBe('wire +rtmp://one -rtmp://two');
    expect(run.count('changeRunningStreams')).toBe(0);
  });

  it('that takes the last stream from one that waits ends it, as a stop does', async () => {
    const run = await recordings.start({
      dispatch: FULL,
      changeWantedStreams: () => ({ kind: 'changed', wire: 'without streams', isEmpty: true }),
    });
    await run.until(({ stage }) => stage === 'waiting');
    const facts = await run.changeStreams({ add: [], remove: ['rtmp://one'] });
    expect(facts).toMatchObject({ wire: FIRST_WIRE, state: { status: 'ABORTED', errorCode: 412 } });
    expect(await run.result()).toMatchObject({ stage: 'cancelled' });
    expect(run.published).toEqual(['ABORTED']);
  });

  it('while it records changes the running attempt at once, and the next one begins with it', async () => {
    const run = await recordings.start({
      changeRunningStreams: (_, __, r) => ({
        kind: 'changed',
        report: r.snapshot('ACTIVE', { streams: 'ACTIVE', info: 'with streams' }),
      }),
    });
    await run.becomesActive();
    await run.untilPublished('ACTIVE');
    const facts = await run.changeStreams(change('rtmp://one'));
    expect(facts).toMatchObject({ wire: FIRST_WIRE, reports: ['with streams'], state: { status: 'ACTIVE' } });
    expect(run.inputs('changeRunningStreams')).toEqual([{ ...change('rtmp://one'), egressId: run.id }]);
    expect(run.published).toEqual(['ACTIVE', 'ACTIVE']);
    await run.report(run.complete('CPU exhausted'));
    await run.untilAccepted(1);
    expect(run.inputs('dispatch').map(({ wire }) => wire)).toEqual(['wire', 'wire +rtmp://one']);
  });

  it('is not undone by an answer that a later report overtook', async () => {
    const run = await recordings.start({
      changeRunningStreams: async (_, __, r) => {
        await r.report(r.snapshot('ACTIVE', { streams: 'ACTIVE ACTIVE', info: 'connected', updatedAtMs: 9.5 }));
        const report = r.snapshot('ACTIVE', { streams: 'ACTIVE ACTIVE-not-yet', info: 'added', updatedAtMs: 9.25 });
        return { kind: 'changed', report };
      },
    });
    await run.becomesActive();
    expect((await run.changeStreams(change('rtmp://one'))).reports).toEqual(['connected']);
  });

  it('tells LiveKit of a stream once, whatever else is told meanwhile', async () => {
    const run = await recordings.start();
    await run.report(run.snapshot('ACTIVE', { streams: 'ACTIVE' }));
    await run.untilPublished('ACTIVE');
    await run.report(run.snapshot('ACTIVE', { streams: 'ACTIVE' }));
    await run.report(run.snapshot('ACTIVE', { streams: 'FAILED' }));
    await run.stop();
    await run.report(run.snapshot('ENDING', { streams: 'FAILED' }));
    await run.report(run.complete('StopEgress API'));
    await run.result();
    expect(run.published).toEqual(['ACTIVE', 'ACTIVE', 'ENDING', 'COMPLETE']);
  });

  it('that takes the last output away is the end, and no part follows', async () => {
    const run = await recordings.start({
      changeWantedStreams: () => ({ kind: 'changed', wire: 'nothing', isEmpty: true }),
      changeRunningStreams: (_, __, r) => ({ kind: 'changed', report: r.snapshot('ENDING') }),
    });
    await run.becomesActive();
    expect((await run.changeStreams({ add: [], remove: ['rtmp://one'] })).state.status).toBe('ENDING');
    await run.report(run.complete('All streams stopped'));
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'stopped' }, parts: [{}] });
  });

  it('that is refused fails with its code and changes nothing', async () => {
    const run = await recordings.start({
      changeWantedStreams: once(() => ({ kind: 'refused', code: 'not_found', message: 'stream not found' })),
      changeRunningStreams: () => ({ kind: 'refused', code: 'invalid_argument', message: 'no streams in this egress' }),
    });
    await run.becomesActive();
    expect(await failure(run.changeStreams(change('rtmp://one')))).toEqual({ type: 'Refused', code: 'not_found' });
    expect(await failure(run.changeStreams(change('rtmp://two')))).toEqual({
      type: 'Refused',
      code: 'invalid_argument',
    });
    await run.report(run.complete('CPU exhausted'));
    await run.untilAccepted(1);
    expect(run.inputs('dispatch').at(-1)?.wire).toBe(FIRST_WIRE);
  });

  it('that nobody answers fails as unavailable, and the next one is heard', async () => {
    const run = await recordings.start({
      changeWantedStreams: once(() => {
        throw new Error('the process died');
      }),
    });
    await run.becomesActive();
    expect(await failure(run.changeStreams(change('rtmp://one')))).toEqual({ type: 'Refused', code: 'unavailable' });
    expect((await run.changeStreams(change('rtmp://two'))).state.status).toBe('ACTIVE');
  });

  it('twice at once: both count', async () => {
    const run = await recordings.start({ dispatch: once(() => NO_CAPACITY) });
    await run.until(({ stage }) => stage === 'waiting');
    run.hold('changeWantedStreams');
    const both = Promise.all([run.changeStreams(change('rtmp://one')), run.changeStreams(change('rtmp://two'))]);
    await run.untilCalled('changeWantedStreams');
    run.release('changeWantedStreams');
    await both;
    await run.admit();
    await run.untilAccepted();
    expect(new Set(run.inputs('dispatch').at(-1)?.wire.split(' '))).toEqual(
      new Set(['wire', '+rtmp://one', '+rtmp://two']),
    );
  });

  it('during a start goes to the attempt that was started', async () => {
    const run = await recordings.start();
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    const changed = run.changeStreams(change('rtmp://one'));
    await run.sleep(1_000);
    expect(run.count('changeWantedStreams')).toBe(0);
    run.release('dispatch');
    await changed;
    expect(run.count('changeRunningStreams')).toBe(1);
  });

  it('just before a start is in what the start asks', async () => {
    const run = await recordings.start({ dispatch: once(() => NO_CAPACITY) });
    await run.until(({ stage }) => stage === 'waiting');
    run.hold('changeWantedStreams');
    const changed = run.changeStreams(change('rtmp://one'));
    await run.untilCalled('changeWantedStreams');
    await run.admit();
    await run.until(({ stage }) => stage === 'waiting');
    expect(run.count('dispatch')).toBe(1);
    run.release('changeWantedStreams');
    await changed;
    await run.untilAccepted();
    expect(run.inputs('dispatch').at(-1)?.wire).toBe('wire +rtmp://one');
  });

  it.each([[undefined], [null], ['rtmp://one'], [{ add: 5 }], [{}]])(
    'by hand with %j in it never breaks the recording',
    async (anything) => {
      const run = await recordings.start(endsByItself);
      await run.becomesActive();
      await failure(run.changeStreams(anything as never));
      await run.report(run.complete('Source closed'));
      expect((await run.result()).stage).toBe('completed');
    },
  );
});
