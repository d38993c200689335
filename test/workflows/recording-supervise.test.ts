// A part that records: its end, its loss, the next part, and being stopped.
import { describe, expect, it } from 'vitest';
import type { PartInspection } from '../../src/activities/contract.ts';
import { MAX_SHORT_PARTS } from '../../src/recording/delays.ts';
import { HANG_LIMIT_MS } from '../../src/recording/no-media.ts';
import { countActions } from '../support/actions.ts';
import {
  fullFrom,
  HOUR_MS,
  MINUTE_MS,
  NO_CAPACITY,
  once,
  type Script,
  UNKNOWN,
  WORKER,
} from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();

const gone = (more: Partial<PartInspection> = {}): PartInspection => ({
  room: 'alive',
  inRoom: false,
  onWorker: 'no',
  ...more,
});
/** As a worker does: it tells how the egress ended. */
const endsWhenStopped: Script = {
  stopPart: async (_, __, run) => {
    await run.report(run.complete('StopEgress API'));
    return null;
  },
};

describe('the end of a part', () => {
  it('goes on with a next part when the worker ran out of CPU and the room lives', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.report(run.complete('CPU exhausted'));
    await run.becomesActive(1);
    await run.sleep(5 * MINUTE_MS);
    await run.report(run.complete('StopEgress API', { attempt: 1 }));
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'completed', reason: { code: 'stopped' } });
    expect(view.parts.map(({ files }) => files.length)).toEqual([1, 1]);
    expect(run.attempts).toEqual([0, 1]);
    expect(view.parts.map(({ egressId }) => egressId)).toEqual([run.egressId(0), run.egressId(1)]);
  });

  it('waits for capacity before the next part, and does not use an admission of long ago', async () => {
    const run = await recordings.start({ dispatch: (call) => (call === 2 ? NO_CAPACITY : undefined) });
    await run.becomesActive();
    await run.admit();
    await run.sleep(5 * MINUTE_MS);
    await run.report(run.complete('Process killed'));
    await run.until(({ stage }) => stage === 'waiting');
    expect(run.count('dispatch')).toBe(2);
    await run.admit();
    await run.becomesActive(1);
  });

  it('gives up after so many short parts in a row, each after a longer pause', async () => {
    const run = await recordings.start({
      dispatch: async (_, { attempt }, r) => {
        await r.report(r.snapshot('FAILED', { attempt, errorCode: 500, error: 'pipeline frozen' }));
        return undefined;
      },
    });
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'failed', reason: { code: 'egress_failed' } });
    expect(view.parts).toHaveLength(MAX_SHORT_PARTS);
    expect((view.endedAtMs ?? 0) - view.requestedAtMs).toBeGreaterThan(1_000 + 10_000 + 60_000 + 120_000);
  });

  it('gives up after parts that left files as an end of its own, and keeps them', async () => {
    const run = await recordings.start({
      dispatch: async (_, { attempt }, r) => {
        await r.report(
          attempt === 0
            ? r.complete('CPU exhausted')
            : r.snapshot('FAILED', { attempt, errorCode: 500, error: 'pipeline frozen' }),
        );
        return undefined;
      },
    });
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'completed', reason: { code: 'gave_up' } });
    expect(view.parts.map(({ files }) => files.length)).toEqual([1, 0, 0, 0, 0]);
    expect(view.reason?.message).toContain('pipeline frozen');
    expect(run.published.at(-1)).toBe('COMPLETE');
  });

  it('gives up with what it has when no worker is free for the next part within startWithin', async () => {
    const run = await recordings.start({ dispatch: fullFrom(2) }, { startWithin: '5m' });
    await run.becomesActive();
    await run.report(run.complete('CPU exhausted'));
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'gave_up' }, parts: [{}] });
  });

  it("takes the end that the user's own template decides, and starts no other part", async () => {
    const customBaseUrl = 'https://example.com/template';
    const run = await recordings.start({}, { source: { type: 'room', room: 'lesson', customBaseUrl } });
    await run.becomesActive();
    await run.sleep(HOUR_MS);
    await run.report(run.complete('Source closed'));
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'finished' }, parts: [{}] });
    expect(run.count('dispatch')).toBe(1);
  });

  it('is no failure when the room ends before anybody published', async () => {
    const run = await recordings.start({ inspectRoom: () => ({ room: 'gone' }) });
    await run.untilAccepted();
    await run.report(run.snapshot('ABORTED', { errorCode: 412, error: 'Start signal not received' }));
    expect(await run.result()).toMatchObject({ stage: 'expired', reason: { code: 'nothing_to_record' } });
    expect(run.published.at(-1)).toBe('ABORTED');
  });

  it.each([
    ['by a report of its own', true],
    ['by the last one', false],
  ])(
    'says that a file is in backup storage, and is shorter than what was recorded until it was being stored, told %s',
    async (_, apart) => {
      const run = await recordings.start();
      await run.becomesActive();
      const startedAtMs = await run.now();
      await run.sleep(HOUR_MS);
      const endingAtMs = startedAtMs + HOUR_MS;
      if (apart) await run.report(run.snapshot('ENDING', { startedAtMs, updatedAtMs: endingAtMs }));
      await run.sleep(10 * MINUTE_MS);
      const file = { filename: 'a.mp4', location: 'https://spare/a.mp4', sizeBytes: 1, durationMs: HOUR_MS - 60_000 };
      const endedAtMs = startedAtMs + HOUR_MS + 10 * MINUTE_MS;
      const stored = { files: [file], backup: 'all' as const, manifestLocation: 'https://spare/EG.json' };
      const told = apart ? stored : { ...stored, endingAtMs };
      await run.report(run.complete('StopEgress API', { startedAtMs, endedAtMs, ...told }));
      const view = await run.result();
      expect(view.stage).toBe('completed');
      const [part] = view.parts;
      expect(part).toMatchObject({ files: [{ storage: 'backup' }], manifestLocation: 'https://spare/EG.json' });
      expect((part?.endingAtMs ?? 0) - (part?.startedAtMs ?? 0)).toBe(HOUR_MS);
      expect(part?.warnings).toEqual([
        { code: 'backup_storage_used', message: expect.any(String) },
        { code: 'file_shorter', message: expect.stringContaining('59m of the 1h') },
      ]);
    },
  );

  it('says that storage refused the file, in its own words, and records nothing more after a stop on the worker', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    const error = 'S3 upload failed: AccessDenied';
    const startedAtMs = await run.now();
    await run.report(
      run.snapshot('FAILED', { errorCode: 400, error, details: 'End reason: StopEgress API', startedAtMs }),
    );
    const { stage, reason } = await run.result();
    expect({ stage, code: reason?.code }).toEqual({ stage: 'failed', code: 'upload_failed' });
    expect(reason?.message).toContain(error);
    expect(run.count('dispatch')).toBe(1);
  });

  it('completes with what it has when the room ended before the next part could start', async () => {
    let room: 'alive' | 'gone' = 'alive';
    const run = await recordings.start({
      dispatch: fullFrom(2),
      inspectRoom: () => ({ room }),
    });
    await run.becomesActive();
    await run.report(run.complete('CPU exhausted'));
    await run.until(({ stage }) => stage === 'waiting');
    room = 'gone';
    await run.look('room_finished');
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'finished' }, parts: [{}] });
  });

  it('does not start a part after its own end', async () => {
    const run = await recordings.start({ dispatch: fullFrom(2) }, { maxDuration: '10m', startWithin: '2h' });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.report(run.complete('CPU exhausted'));
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
    expect((view.endedAtMs ?? 0) - (view.startedAtMs ?? 0)).toBeLessThan(11 * MINUTE_MS);
  });
});

describe('maxDuration', () => {
  it('stops the egress and completes with its file', async () => {
    const run = await recordings.start(endsWhenStopped, { maxDuration: '10m' });
    await run.becomesActive();
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' }, parts: [{ files: [{}] }] });
    expect(run.stopped).toEqual([run.egressId()]);
    expect((view.endedAtMs ?? 0) - (view.startedAtMs ?? 0)).toBeGreaterThanOrEqual(10 * MINUTE_MS);
    expect(run.count('inspectRoom')).toBe(0);
  });

  it('needs no timer after the stop when the end comes with its answer, nor one before it when media flows late', async () => {
    const run = await recordings.start(
      {
        stopPart: async (_, __, r) => {
          await r.report(r.complete('StopEgress API'));
          return r.snapshot('ENDING');
        },
      },
      { maxDuration: '1h' },
    );
    await run.becomesActive(0, 600);
    await run.result();
    expect(run.inputs('stopPart')).toEqual([{ egressId: run.egressId(), waitMs: 10_000 }]);
    expect(countActions(await run.handle.fetchHistory()).by).toMatchObject({ TIMER_STARTED: 1 });
  });

  it('needs no second timer when media flowed before the start was answered', async () => {
    const run = await recordings.start({
      ...endsWhenStopped,
      dispatch: async (_, { attempt }, r) => {
        await r.sleep(1_000);
        return { kind: 'started', egressId: r.egressId(attempt), acceptedAtMs: await r.now(), worker: WORKER };
      },
    });
    const { parts } = await run.untilAccepted();
    const startedAtMs = (parts[0]?.acceptedAtMs ?? 0) - 150;
    await run.report(run.snapshot('ACTIVE', { startedAtMs }));
    await run.until(({ stage }) => stage === 'recording');
    expect((await run.view()).startedAtMs).toBe(startedAtMs);
    await run.cancel();
    await run.result();
    expect(countActions(await run.handle.fetchHistory()).by).toMatchObject({ TIMER_STARTED: 1 });
  });

  it('takes the end from the answer to a stop when its report is lost', async () => {
    const run = await recordings.start(
      { stopPart: (call, _, r) => (call === 1 ? r.snapshot('ENDING') : r.complete('StopEgress API')) },
      { maxDuration: '10m' },
    );
    await run.becomesActive();
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
    expect(run.count('stopPart')).toBe(2);
  });

  it('stops again until the egress ends, when nobody confirmed the first stop', async () => {
    const run = await recordings.start(
      {
        stopPart: async (call, _, r) => {
          if (call <= 2) throw new Error('request timed out');
          await r.report(r.complete('StopEgress API'));
          return null;
        },
      },
      { maxDuration: '10m' },
    );
    await run.becomesActive();
    expect(await run.result()).toMatchObject({ stage: 'completed' });
    expect(run.count('stopPart')).toBe(3);
  });

  it('lets an egress finish its file for as long as a worker shows it', async () => {
    const run = await recordings.start(
      { inspectPart: () => gone({ onWorker: 'yes' }), stopPart: (_, __, r) => r.snapshot('ENDING') },
      { maxDuration: '10m' },
    );
    await run.becomesActive();
    await run.sleep(50 * MINUTE_MS);
    expect((await run.view()).stage).toBe('stopping');
    await run.report(run.complete('StopEgress API'));
    expect((await run.result()).stage).toBe('completed');
    // 15 s after the stop, then 30 s, 1, 2, 4 minutes, then every 5.
    expect(run.count('inspectPart')).toBeLessThan(15);
  });

  it('ends as worker_lost when the worker dies while it stops and nothing was kept', async () => {
    const run = await recordings.start({ inspectPart: () => gone() }, { maxDuration: '10m' });
    await run.becomesActive();
    expect(await run.result()).toMatchObject({ stage: 'failed', reason: { code: 'worker_lost' } });
  });

  it('ends although an egress never does', async () => {
    const run = await recordings.start({}, { maxDuration: '10m' });
    await run.becomesActive();
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'failed', parts: [{ end: { status: 'LOST' } }] });
    expect((view.endedAtMs ?? 0) - (view.startedAtMs ?? 0)).toBeLessThan(7 * HOUR_MS);
  });
});

describe('a look', () => {
  it('starts the next part when two looks agree that the worker is dead', async () => {
    const run = await recordings.start({ inspectPart: (call) => (call <= 2 ? gone() : undefined) });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.look('no worker shows it');
    await run.untilCalled('inspectPart');
    await run.sleep(10_000);
    await run.becomesActive(1);
    const view = await run.view();
    expect(view.parts[0]).toMatchObject({ end: { status: 'LOST' }, files: [] });
    expect(view.parts[0]?.end?.error).toContain('on no worker and not in the room');
    expect(run.count('inspectPart')).toBe(2);
  });

  it('shows when the platform ends the worker, and changes nothing else', async () => {
    const run = await recordings.start({
      inspectPart: () => ({ ...gone({ onWorker: 'yes' }), workerEndsAtMs: 12_345 }),
    });
    await run.becomesActive();
    await run.look('its platform ends the worker');
    const view = await run.until(({ parts }) => parts[0]?.workerEndsAtMs !== undefined);
    expect(view).toMatchObject({ stage: 'recording', parts: [{ workerEndsAtMs: 12_345 }] });
  });

  it('that proves the worker dead starts the next part at once, under the same name in the room, and looks no second time', async () => {
    const run = await recordings.start({ inspectPart: once(() => gone({ inRoom: true, onWorker: 'dead' })) });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.look('its worker died');
    await run.untilAccepted(1);
    expect(run.inputs('dispatch').map(({ keepsIdentity }) => keepsIdentity)).toEqual([false, true]);
    expect(run.count('inspectPart')).toBe(1);
    // What is proven dead needs no stop.
    expect(run.stopped).toEqual([]);
  });

  it('gives the name in the room to nobody while a worker may hold it', async () => {
    const run = await recordings.start({
      inspectPart: once(() => gone({ onWorker: 'dead' })),
      dispatch: (call, input, r) => (call === 2 ? UNKNOWN(call, input, r) : undefined),
    });
    await run.becomesActive();
    await run.look('its worker died');
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.becomesActive(2);
    await run.report(run.complete('CPU exhausted', { attempt: 2 }));
    await run.sleep(10_000);
    await run.untilAccepted(3);
    expect(run.inputs('dispatch').map(({ attempt, keepsIdentity }) => [attempt, keepsIdentity])).toEqual([
      [0, false],
      [1, true],
      [2, false],
      [3, false],
    ]);
  });

  it('gives the name to what follows an egress that has ended, and takes it from one that may come back', async () => {
    const run = await recordings.start({ inspectPart: (call) => (call <= 2 ? gone() : gone({ onWorker: 'dead' })) });
    await run.becomesActive();
    await run.report(run.complete('CPU exhausted'));
    await run.becomesActive(1);
    // Twice nobody shows it, and nobody has seen its worker die: it may wake up, and is stopped should it show.
    await run.look('no worker shows it');
    await run.becomesActive(2);
    await run.look('its worker died');
    await run.until(({ parts }) => parts.at(-1)?.end !== undefined);
    await run.sleep(60_000);
    await run.becomesActive(3);
    expect(run.inputs('dispatch').map(({ keepsIdentity }) => keepsIdentity)).toEqual([false, true, false, false]);
    const asked = run.inputs('inspectPart').map(({ egressId, identity }) => [egressId, identity]);
    expect(asked).toEqual([
      [run.egressId(1), run.id],
      [run.egressId(1), run.id],
      [run.egressId(2), run.egressId(2)],
    ]);
    // It has ended after all, so the name is free.
    await run.report(run.snapshot('FAILED', { attempt: 1 }));
    await run.report(run.complete('CPU exhausted', { attempt: 3 }));
    await run.until(({ parts }) => parts.at(-1)?.end !== undefined);
    await run.sleep(120_000);
    await run.untilAccepted(4);
    expect(run.inputs('dispatch').at(-1)?.keepsIdentity).toBe(true);
  });

  it('begins the next part with the layout that was heard, or that the look finds', async () => {
    const run = await recordings.start({ inspectPart: once(() => gone({ onWorker: 'dead', layout: 'looked' })) });
    await run.becomesActive();
    await run.hearLayout('heard');
    await run.hearLayout({ broken: true });
    await run.report(run.complete('CPU exhausted'));
    await run.becomesActive(1);
    await run.look('its worker died');
    await run.untilAccepted(2);
    expect(run.inputs('dispatch').map(({ layout }) => layout)).toEqual([undefined, 'heard', 'looked']);
  });

  it('believes the report when the end comes between the two looks', async () => {
    const run = await recordings.start({
      inspectPart: () => gone(),
      inspectRoom: () => ({ room: 'gone' }),
    });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    run.hold('inspectPart');
    await run.look();
    await run.untilCalled('inspectPart');
    await run.report(run.complete('Source closed'));
    run.release('inspectPart');
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
  });

  it.each([
    ['it is in the room', { inRoom: true, onWorker: 'unknown' }],
    ['a worker shows it', { inRoom: false, onWorker: 'yes' }],
  ] as const)('changes nothing when %s', async (_, seen) => {
    const run = await recordings.start({ inspectPart: () => gone(seen) });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.look();
    await run.untilCalled('inspectPart');
    await run.sleep(30 * MINUTE_MS);
    expect((await run.view()).stage).toBe('recording');
    expect(run.count('inspectPart')).toBe(1);
  });

  it('waits for an egress too young to be shown', async () => {
    const run = await recordings.start({
      inspectPart: once(() => gone()),
    });
    await run.becomesActive();
    await run.look();
    await run.untilCalled('inspectPart', 1);
    await run.sleep(MINUTE_MS);
    expect(run.count('inspectPart')).toBe(2);
    expect((await run.view()).parts).toHaveLength(1);
  });

  it('gives up a worker that cannot be asked only when its egress is long gone from the room, and stops what may live', async () => {
    const run = await recordings.start({
      inspectPart: (_, { egressId }, r) => (egressId === r.egressId(0) ? gone({ onWorker: 'unknown' }) : undefined),
    });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.look();
    await run.untilCalled('inspectPart');
    await run.sleep(10_000);
    expect((await run.view()).parts).toHaveLength(1);
    await run.sleep(MINUTE_MS);
    await run.until(({ parts }) => parts[1]?.egressId !== undefined);
    await run.untilCalled('stopPart');
    expect(run.stopped).toEqual([run.egressId(0)]);
  });

  it('stops a part that was given up and lives after all, and keeps its file', async () => {
    const run = await recordings.start({ inspectPart: (call) => (call <= 2 ? gone() : undefined) });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.look();
    await run.untilCalled('inspectPart');
    await run.sleep(10_000);
    await run.becomesActive(1);
    await run.untilCalled('stopPart');
    await run.report(run.snapshot('ACTIVE'));
    await run.untilCalled('stopPart', 2);
    await run.report(run.snapshot('ACTIVE'));
    await run.report(run.complete('StopEgress API'));
    const view = await run.until(({ parts }) => parts[0]?.end?.status === 'COMPLETE');
    // Where it might be, and once more where it showed.
    expect(run.stopped).toEqual([run.egressId(0), run.egressId(0)]);
    expect(view.parts[0]?.files).toHaveLength(1);
  });

  it('hears the next part while the lost one is being stopped, and never takes it for a stranger', async () => {
    const run = await recordings.start({
      inspectPart: (call) => (call <= 2 ? gone() : undefined),
      stopPart: async (call, _, running) => {
        if (call === 1) await running.report(running.snapshot('ACTIVE', { attempt: 1 }));
        return null;
      },
    });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.look();
    const { parts } = await run.until(({ parts: all, stage }) => all.length === 2 && stage === 'recording');
    expect(parts[1]?.end).toBeUndefined();
    await run.report(run.complete('StopEgress API', { attempt: 1 }));
    await run.result();
    expect(run.stopped).toEqual([run.egressId(0)]);
  });
});

describe('an egress that does not begin to record', () => {
  const lives = (more: Partial<PartInspection> = {}): PartInspection => ({
    room: 'alive',
    inRoom: true,
    onWorker: 'yes',
    publishes: true,
    ...more,
  });

  it('although somebody publishes is stopped after a second look, and another worker is asked', async () => {
    const run = await recordings.start({ inspectPart: () => lives() });
    await run.untilAccepted();
    await run.sleep(MINUTE_MS);
    await run.look('it does not record');
    await run.untilCalled('inspectPart');
    expect(run.stopped).toEqual([]);
    await run.sleep(HANG_LIMIT_MS);
    await run.becomesActive(1);
    const hungOn = { fleet: 'default', topic: WORKER.topic };
    expect(run.inputs('stopPart')[0]).toEqual({ egressId: run.egressId(), hungOn });
    const { parts } = await run.view();
    expect(parts[0]).toMatchObject({ end: { status: 'HUNG' }, files: [] });
    expect(parts[0]?.end?.error).toContain('does not record although somebody publishes');
    expect(run.count('inspectPart')).toBe(2);
    // What comes of the stop changes nothing, and a file is kept.
    await run.report(run.snapshot('ABORTED', { errorCode: 412, error: 'Stop called before pipeline could start' }));
    await run.report(run.complete('StopEgress API', { attempt: 1 }));
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'completed', parts: [{ end: { status: 'HUNG' } }, { files: [{}] }] });
    expect(run.published).not.toContain('ABORTED');
  });

  it('keeps the file of one that began just when it was given up', async () => {
    const run = await recordings.start({
      inspectPart: () => lives(),
      stopPart: async (call, _, r) => {
        if (call === 1) await r.report(r.complete('StopEgress API'));
        return null;
      },
    });
    await run.untilAccepted();
    await run.sleep(MINUTE_MS);
    await run.look();
    await run.untilCalled('inspectPart');
    await run.sleep(HANG_LIMIT_MS);
    await run.becomesActive(1);
    expect((await run.view()).parts[0]).toMatchObject({ end: { status: 'COMPLETE' }, files: [{}] });
  });

  it('waits in a room where nobody publishes, says so, and records once somebody does', async () => {
    const run = await recordings.start({ inspectPart: () => lives({ publishes: false }) });
    await run.untilAccepted();
    await run.sleep(MINUTE_MS);
    await run.look();
    const { parts } = await run.until((view) => view.parts[0]?.awaitsMediaSinceMs !== undefined);
    await run.sleep(HOUR_MS);
    await run.look();
    await run.untilCalled('inspectPart', 2);
    expect((await run.view()).parts).toEqual(parts);
    await run.becomesActive();
    expect((await run.view()).parts[0]).not.toHaveProperty('awaitsMediaSinceMs');
    expect([run.stopped, run.count('inspectPart')]).toEqual([[], 2]);
  });

  it.each([
    ['it is young', 0, lives()],
    ['nobody can tell who publishes', MINUTE_MS, gone({ onWorker: 'yes' })],
  ] as const)('is left alone when %s', async (_, ageMs, seen) => {
    const run = await recordings.start({ inspectPart: () => seen });
    await run.untilAccepted();
    await run.sleep(ageMs);
    await run.look();
    await run.untilCalled('inspectPart');
    await run.sleep(HOUR_MS);
    expect([run.stopped, run.count('inspectPart')]).toEqual([[], 1]);
  });

  it('on one worker after another is given up as other broken parts are', async () => {
    const run = await recordings.start({ inspectPart: () => lives() });
    for (let attempt = 0; attempt < MAX_SHORT_PARTS; attempt += 1) {
      await run.untilAccepted(attempt);
      await run.sleep(MINUTE_MS);
      await run.look();
      await run.untilCalled('inspectPart', 2 * attempt + 1);
      await run.sleep(HANG_LIMIT_MS + 2 * MINUTE_MS);
    }
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'failed', reason: { code: 'egress_failed' } });
    expect(view.parts).toHaveLength(MAX_SHORT_PARTS);
  });

  it('is stopped as asked when somebody stops it meanwhile', async () => {
    const run = await recordings.start({
      inspectPart: () => lives(),
      stopPart: async (call, _, r) => {
        if (call === 1) return null;
        await r.report(r.snapshot('ABORTED', { errorCode: 412, error: 'Stop called before pipeline could start' }));
        return null;
      },
    });
    run.hold('stopPart');
    await run.untilAccepted();
    await run.sleep(MINUTE_MS);
    await run.look();
    await run.untilCalled('inspectPart');
    await run.sleep(HANG_LIMIT_MS);
    await run.untilCalled('stopPart');
    const stopped = run.stop();
    // Heard before the worker answers: between two parts a stop finds no file, and says so.
    await run.until(({ stage }) => stage === 'stopping');
    run.release('stopPart');
    await stopped;
    expect(await run.result()).toMatchObject({ stage: 'cancelled', reason: { code: 'cancelled' } });
    expect(run.count('dispatch')).toBe(1);
  });
});

describe('cancelled', () => {
  const cancelled = { stage: 'cancelled', reason: { code: 'cancelled' } };

  it('while scheduled: nothing is started', async () => {
    const startAt = new Date((await recordings.env.currentTimeMs()) + HOUR_MS).toISOString();
    const run = await recordings.start({}, { startAt });
    await run.until(({ stage }) => stage === 'scheduled');
    await run.cancel();
    expect(await run.result()).toMatchObject({ ...cancelled, parts: [] });
    expect(run.count('dispatch')).toBe(0);
  });

  it('while a worker is being asked: what it started is stopped, and its file kept', async () => {
    const run = await recordings.start(endsWhenStopped);
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    await run.cancel();
    run.release('dispatch');
    expect(await run.result()).toMatchObject({ ...cancelled, parts: [{ files: [{}] }] });
    expect(run.stopped).toEqual([run.egressId()]);
  });

  it('while an attempt without an answer shows by its report: it is stopped', async () => {
    const run = await recordings.start({
      dispatch: UNKNOWN,
      stopPart: (_, __, r) =>
        r.snapshot('ABORTED', { errorCode: 412, error: 'Stop called before pipeline could start' }),
    });
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    await run.report(run.snapshot('ACTIVE'));
    await run.cancel();
    run.release('dispatch');
    expect(await run.result()).toMatchObject(cancelled);
    expect(run.stopped).toEqual([run.egressId()]);
  });

  it('while an attempt without an answer is given up: nothing more is started', async () => {
    const run = await recordings.start({ dispatch: UNKNOWN });
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    await run.cancel();
    run.release('dispatch');
    expect(await run.result()).toMatchObject({ ...cancelled, parts: [] });
    expect(run.count('dispatch')).toBe(1);
    expect(run.stopped).toEqual([run.egressId()]);
  });

  it.each([
    ['capacity', NO_CAPACITY],
    ['room', { kind: 'room_missing', message: 'no room' }],
  ] as const)('while it waits for %s: it ends at once', async (_, outcome) => {
    const run = await recordings.start({ dispatch: () => outcome });
    await run.until(({ stage }) => stage === 'waiting');
    await run.cancel();
    expect(await run.result()).toMatchObject({ ...cancelled, parts: [] });
    expect(run.count('dispatch')).toBe(1);
  });

  it('while it records: the file is finished and kept', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    expect((await run.cancel()).id).toBe(run.id);
    await run.untilCalled('stopPart');
    expect((await run.view()).stage).toBe('stopping');
    await run.report(run.complete('StopEgress API'));
    expect(await run.result()).toMatchObject({ ...cancelled, parts: [{ files: [{}] }] });
    expect(run.count('stopPart')).toBe(1);
  });

  it('while it stops at its maximum duration: it completes all the same', async () => {
    const run = await recordings.start({}, { maxDuration: '10m' });
    await run.becomesActive();
    await run.sleep(10 * MINUTE_MS + 1_000);
    await run.until(({ stage }) => stage === 'stopping');
    await run.cancel();
    await run.report(run.complete('StopEgress API'));
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
  });

  it('while it records, and storage refuses the file: no success', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.cancel();
    await run.untilCalled('stopPart');
    const error = 'S3 upload failed: AccessDenied';
    await run.report(run.snapshot('FAILED', { errorCode: 400, error, startedAtMs: await run.now() }));
    expect(await run.result()).toMatchObject({ stage: 'failed', reason: { code: 'upload_failed' } });
    expect(run.published.at(-1)).toBe('FAILED');
  });

  it('between two parts: no other part is started, and the first file is kept', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    run.hold('inspectRoom');
    await run.report(run.complete('CPU exhausted'));
    await run.untilCalled('inspectRoom');
    await run.cancel();
    run.release('inspectRoom');
    expect(await run.result()).toMatchObject({ ...cancelled, parts: [{ files: [{}] }] });
    expect(run.count('dispatch')).toBe(1);
  });

  it('by cancelling the workflow in the Web UI: like any other cancel', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.handle.cancel();
    await run.untilCalled('stopPart');
    await run.report(run.complete('StopEgress API'));
    expect(await run.result()).toMatchObject({ ...cancelled, parts: [{ files: [{}] }] });
    expect((await run.handle.describe()).status.name).toBe('COMPLETED');
  });
});
