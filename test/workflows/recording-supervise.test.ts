// A part that records: its end, its loss, the next part, and being stopped.
import { describe, expect, it } from 'vitest';
import type { PartInspection } from '../../src/activities/contract.ts';
import { MAX_SHORT_PARTS } from '../../src/recording/delays.ts';
import { HOUR_MS, MINUTE_MS, NO_CAPACITY, type RecordingRun } from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();

const dead = (run: RecordingRun, more: Partial<PartInspection> = {}): PartInspection => ({
  egress: run.snapshot('ACTIVE'),
  room: 'alive',
  inRoom: false,
  onWorker: 'no',
  ...more,
});

describe('the end of a part', () => {
  it('goes on with a next part when the worker ran out of CPU and the room lives', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.webhook(run.complete('CPU exhausted'));
    await run.becomesActive(2);
    await run.sleep(5 * MINUTE_MS);
    await run.webhook(run.complete('StopEgress API', { part: 2 }));
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
    expect(view.parts.map(({ files }) => files.length)).toEqual([1, 1]);
    expect(run.inputs('startPart').map(({ marker }) => [marker.part, marker.attempt])).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });

  it('waits for capacity before the next part, and does not use an admission of long ago', async () => {
    const run = await recordings.start({ requestCapacity: (call) => (call === 2 ? NO_CAPACITY : undefined) });
    await run.becomesActive();
    await run.admit();
    await run.sleep(5 * MINUTE_MS);
    await run.webhook(run.complete('Process killed'));
    await run.until(({ stage }) => stage === 'waiting');
    expect(run.count('startPart')).toBe(1);
    await run.admit();
    await run.becomesActive(2);
  });

  it('gives up after so many short parts in a row, each after a longer pause', async () => {
    const run = await recordings.start({
      startPart: async (_, { marker }, r) => {
        await r.webhook(r.snapshot('FAILED', { ...marker, errorCode: 500, error: 'pipeline frozen' }));
        return undefined;
      },
    });
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'failed', reason: { code: 'egress_failed' } });
    expect(view.parts).toHaveLength(MAX_SHORT_PARTS);
    expect((view.endedAtMs ?? 0) - view.requestedAtMs).toBeGreaterThan(1_000 + 5_000 + 15_000 + 30_000);
  });

  it('completes with what it has when the room ended before the next part could start', async () => {
    let room: 'alive' | 'gone' = 'alive';
    const run = await recordings.start({
      requestCapacity: (call) => (call > 1 ? NO_CAPACITY : undefined),
      inspectRoom: () => ({ room }),
    });
    await run.becomesActive();
    await run.webhook(run.complete('CPU exhausted'));
    await run.until(({ stage }) => stage === 'waiting');
    room = 'gone';
    await run.look('room_finished');
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'finished' }, parts: [{}] });
  });

  it('does not start a part after its own end', async () => {
    const run = await recordings.start(
      { requestCapacity: (call) => (call > 1 ? NO_CAPACITY : undefined) },
      { maxDuration: '10m', startWithin: '2h' },
    );
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.webhook(run.complete('CPU exhausted'));
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
    expect((view.endedAtMs ?? 0) - (view.startedAtMs ?? 0)).toBeLessThan(11 * MINUTE_MS);
  });
});

describe('maxDuration', () => {
  it('stops the egress and completes with its file', async () => {
    const run = await recordings.start(
      {
        stopPart: async (_, __, r) => {
          await r.webhook(r.complete('StopEgress API'));
        },
      },
      { maxDuration: '10m' },
    );
    await run.becomesActive();
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' }, parts: [{ files: [{}] }] });
    expect(run.stopped).toEqual([run.egressId()]);
    expect((view.endedAtMs ?? 0) - (view.startedAtMs ?? 0)).toBeGreaterThanOrEqual(10 * MINUTE_MS);
    expect(run.count('inspectRoom')).toBe(0);
  });

  it('finds the end by looking when its webhook is lost', async () => {
    const run = await recordings.start(
      {
        inspectPart: (_, __, r) => ({
          egress: r.complete('StopEgress API'),
          room: 'alive',
          inRoom: false,
          onWorker: 'no',
        }),
      },
      { maxDuration: '10m' },
    );
    await run.becomesActive();
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
    expect(run.count('inspectPart')).toBe(1);
  });

  it('stops again until the egress ends, when nobody confirmed the first stop', async () => {
    const run = await recordings.start(
      {
        stopPart: async (call, _, r) => {
          if (call <= 2) throw new Error('request timed out');
          await r.webhook(r.complete('StopEgress API'));
        },
      },
      { maxDuration: '10m' },
    );
    await run.becomesActive();
    expect(await run.result()).toMatchObject({ stage: 'completed' });
    expect(run.count('stopPart')).toBe(3);
  });

  it('leaves an egress alone that is finishing its file', async () => {
    let looks = 0;
    const run = await recordings.start(
      {
        inspectPart: (call, _, r) => {
          looks = call;
          return call < 4
            ? { egress: r.snapshot('ENDING'), room: 'alive', inRoom: false, onWorker: 'yes' }
            : { egress: r.complete('StopEgress API'), room: 'alive', inRoom: false, onWorker: 'no' };
        },
      },
      { maxDuration: '10m' },
    );
    await run.becomesActive();
    expect((await run.result()).stage).toBe('completed');
    expect(looks).toBe(4);
    expect(run.count('stopPart')).toBe(1);
  });

  it('ends as worker_lost when the worker dies while it stops and nothing was kept', async () => {
    const run = await recordings.start({ inspectPart: (_, __, r) => dead(r) }, { maxDuration: '10m' });
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
    const run = await recordings.start({ inspectPart: (call, _, r) => (call <= 2 ? dead(r) : undefined) });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.look('no worker shows it');
    await run.untilCalled('inspectPart');
    await run.sleep(10_000);
    await run.becomesActive(2);
    const view = await run.view();
    expect(view.parts[0]).toMatchObject({ end: { status: 'LOST' }, files: [] });
    expect(view.parts[0]?.end?.error).toContain('on no worker and not in the room');
    expect(run.count('inspectPart')).toBe(2);
  });

  it('believes the record when the end comes between the two looks', async () => {
    const run = await recordings.start({
      inspectPart: (_, __, r) => dead(r),
      inspectRoom: () => ({ room: 'gone' }),
    });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    run.hold('inspectPart');
    await run.look();
    await run.untilCalled('inspectPart');
    await run.webhook(run.complete('Source closed'));
    run.release('inspectPart');
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
  });

  it.each([
    ['it is in the room', { inRoom: true, onWorker: 'unknown' }],
    ['a worker shows it', { inRoom: false, onWorker: 'yes' }],
    ['LiveKit has no record, but a worker shows it', { egress: null, onWorker: 'yes' }],
  ] as const)('changes nothing when %s', async (_, seen) => {
    const run = await recordings.start({ inspectPart: (__, ___, r) => dead(r, seen) });
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
      inspectPart: (call, _, r) => (call === 1 ? dead(r, { egress: null }) : undefined),
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
      inspectPart: (_, { marker }, r) => (marker.part === 1 ? dead(r, { onWorker: 'unknown' }) : undefined),
    });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.look();
    await run.untilCalled('inspectPart');
    await run.sleep(30_000);
    expect((await run.view()).parts).toHaveLength(1);
    await run.sleep(2 * MINUTE_MS);
    await run.until(({ parts }) => parts[1]?.egressId !== undefined);
    await run.untilCalled('stopPart');
    expect(run.stopped).toEqual([run.egressId(1)]);
  });

  it('stops a part that was given up and lives after all, and keeps its file', async () => {
    const run = await recordings.start({ inspectPart: (call, _, r) => (call <= 2 ? dead(r) : undefined) });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.look();
    await run.untilCalled('inspectPart');
    await run.sleep(10_000);
    await run.becomesActive(2);
    await run.webhook(run.snapshot('ACTIVE'));
    await run.untilCalled('stopPart');
    await run.webhook(run.complete('StopEgress API'));
    const view = await run.until(({ parts }) => parts[0]?.end?.status === 'COMPLETE');
    expect(run.stopped).toEqual([run.egressId(1)]);
    expect(view.parts[0]?.files).toHaveLength(1);
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
    expect(run.count('startPart')).toBe(0);
  });

  it('while StartEgress is in flight: what it started is stopped, and its file kept', async () => {
    const run = await recordings.start({
      stopPart: async (_, __, r) => {
        await r.webhook(r.complete('StopEgress API'));
      },
    });
    run.hold('startPart');
    await run.untilCalled('startPart');
    await run.cancel();
    run.release('startPart');
    expect(await run.result()).toMatchObject({ ...cancelled, parts: [{ files: [{}] }] });
    expect(run.stopped).toEqual([run.egressId()]);
  });

  it('during the search for an ambiguous start that is found: it is stopped', async () => {
    const run = await recordings.start({
      startPart: () => ({ kind: 'ambiguous', message: 'timeout' }),
      findPart: (_, __, r) => r.snapshot('STARTING'),
      stopPart: async (_, __, r) => {
        await r.webhook(r.snapshot('ABORTED', { errorCode: 412, error: 'Stop called before pipeline could start' }));
      },
    });
    run.hold('findPart');
    await run.untilCalled('findPart');
    await run.cancel();
    run.release('findPart');
    expect(await run.result()).toMatchObject(cancelled);
    expect(run.stopped).toEqual([run.egressId()]);
  });

  it('during the search for an ambiguous start that is not found: nothing more is started', async () => {
    const run = await recordings.start({ startPart: () => ({ kind: 'ambiguous', message: 'timeout' }) });
    run.hold('findPart');
    await run.untilCalled('findPart');
    await run.cancel();
    run.release('findPart');
    expect(await run.result()).toMatchObject({ ...cancelled, parts: [] });
    expect(run.count('startPart')).toBe(1);
    expect(run.stopped).toEqual([]);
  });

  it.each([
    ['capacity', NO_CAPACITY],
    ['room', { kind: 'room_missing', message: 'no room' }],
  ] as const)('while it waits for %s: it ends at once', async (_, outcome) => {
    const run = await recordings.start({ startPart: () => outcome });
    await run.until(({ stage }) => stage === 'waiting');
    await run.cancel();
    expect(await run.result()).toMatchObject({ ...cancelled, parts: [] });
    expect(run.count('startPart')).toBe(1);
  });

  it('while it records: the file is finished and kept', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    expect((await run.cancel()).id).toBe(run.id);
    await run.untilCalled('stopPart');
    expect((await run.view()).stage).toBe('stopping');
    await run.webhook(run.complete('StopEgress API'));
    expect(await run.result()).toMatchObject({ ...cancelled, parts: [{ files: [{}] }] });
    expect(run.count('stopPart')).toBe(1);
  });

  it('while it stops at its maximum duration: it completes all the same', async () => {
    const run = await recordings.start({}, { maxDuration: '10m' });
    await run.becomesActive();
    await run.sleep(10 * MINUTE_MS + 1_000);
    await run.until(({ stage }) => stage === 'stopping');
    await run.cancel();
    await run.webhook(run.complete('StopEgress API'));
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
  });

  it('between two parts: no other part is started, and the first file is kept', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    run.hold('inspectRoom');
    await run.webhook(run.complete('CPU exhausted'));
    await run.untilCalled('inspectRoom');
    await run.cancel();
    run.release('inspectRoom');
    expect(await run.result()).toMatchObject({ ...cancelled, parts: [{ files: [{}] }] });
    expect(run.count('startPart')).toBe(1);
  });

  it('by cancelling the workflow in the Web UI: like any other cancel', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.handle.cancel();
    await run.untilCalled('stopPart');
    await run.webhook(run.complete('StopEgress API'));
    expect(await run.result()).toMatchObject({ ...cancelled, parts: [{ files: [{}] }] });
    expect((await run.handle.describe()).status.name).toBe('COMPLETED');
  });
});
