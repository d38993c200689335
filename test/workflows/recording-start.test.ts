// From request to an accepted part: at once, after waiting, after attempts that came to nothing, or not at all.

import { describe, expect, it } from 'vitest';
import { admittedUpdate } from '../../src/workflows/messages.ts';
import {
  DECLINED,
  FULL,
  HOUR_MS,
  MINUTE_MS,
  NO_CAPACITY,
  NOT_GRANTED,
  once,
  REFUSED,
  ROOM_MISSING,
  UNKNOWN,
  WORKER,
} from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();

describe('a worker is free', () => {
  it('starts at once, records, and completes when the room ends', async () => {
    const run = await recordings.start({ inspectRoom: () => ({ room: 'gone' }) });
    await run.becomesActive();
    await run.sleep(10 * MINUTE_MS);
    await run.report(run.complete('Source closed'));
    const view = await run.result();
    expect(view).toMatchObject({
      stage: 'completed',
      reason: { code: 'finished' },
      parts: [{ number: 1, attempts: 1, egressId: run.id, worker: WORKER, files: [{ sizeBytes: 1_000 }] }],
    });
    expect(run.attempts).toEqual([0]);
    expect(run.count('dispatch')).toBe(1);
  });

  it('ends as refused, with what the worker said, when no worker will ever accept the request', async () => {
    const run = await recordings.start({ dispatch: () => REFUSED });
    expect(await run.result()).toMatchObject({
      stage: 'failed',
      reason: { code: 'refused', message: 'w1 answered invalid_argument' },
      parts: [],
    });
    expect(run.attempts).toEqual([0]);
    expect(run.inputs('publishRecord').at(-1)?.state).toMatchObject({ status: 'FAILED', errorCode: 400 });
  });
});

describe('no worker is free', () => {
  it("shows its place in the queue to whoever looks at its workflow, and leaves the API's to the queue board", async () => {
    const place = { position: 3, expectedAtMs: Date.UTC(2040, 0, 1) };
    const run = await recordings.start({ dispatch: () => ({ ...NO_CAPACITY, place }) });
    const { waiting } = await run.until(({ stage }) => stage === 'waiting');
    expect(waiting).not.toHaveProperty('position');
    const { currentDetails } = await run.handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(currentDetails).toContain('Place **3** in the queue, a worker expected by 2040-01-01T00:00:00Z');
    await run.cancel();
    await run.result();
  });

  it('waits through a boot of 30 minutes and starts when the fleet admits it', async () => {
    const run = await recordings.start(
      { dispatch: FULL, inspectRoom: () => ({ room: 'gone' }) },
      { startWithin: '1h' },
    );
    const waiting = await run.until(({ stage }) => stage === 'waiting');
    expect(waiting.waiting).toMatchObject({ for: 'capacity', detail: 'no worker is ready' });
    await run.sleep(30 * MINUTE_MS);
    expect(await run.view()).toMatchObject({ stage: 'waiting', waiting: { sinceMs: waiting.waiting?.sinceMs } });
    await run.admit();
    await run.becomesActive();
    await run.report(run.complete('Source closed'));
    const view = await run.result();
    expect(view.stage).toBe('completed');
    expect(view.waiting).toBeUndefined();
    expect(view.parts[0]?.attempts).toBe(1);
    expect(view.spent?.queueMs).toBeGreaterThanOrEqual(30 * MINUTE_MS);
    // 30 s, 1, 2, 4, then every 5 minutes: a lost signal costs minutes, not the recording.
    expect(run.count('dispatch')).toBeLessThanOrEqual(13);
  });

  it('begins in the queue, without a step, when nobody had room as it was accepted', async () => {
    const run = await recordings.start({}, { noRoom: 'no worker is ready' });
    const { waiting } = await run.until(({ stage }) => stage === 'waiting');
    expect(waiting).toMatchObject({ for: 'capacity', detail: 'no worker is ready' });
    await run.handle.query('view');
    expect(run.calls.filter(({ name }) => name !== 'publishRecord')).toEqual([]);
    await run.admit();
    await run.becomesActive();
    expect(run.inputs('dispatch')).toMatchObject([{ admitted: true }]);
  });

  it('is woken by an update of the fleet, as by its signal', async () => {
    const run = await recordings.start({}, { noRoom: 'no worker is ready' });
    await run.until(({ stage }) => stage === 'waiting');
    await run.handle.executeUpdate(admittedUpdate, { args: [{}] });
    await run.becomesActive();
    expect(run.inputs('dispatch')).toMatchObject([{ admitted: true }]);
  });

  it('begins in the queue and need not wait when it was admitted before its first task', async () => {
    const run = await recordings.start({}, { noRoom: 'no worker is ready' }, { signal: 'admitted', args: [] });
    await run.becomesActive();
    expect(run.inputs('dispatch')).toMatchObject([{ admitted: true }]);
  });

  it('finds capacity by itself when the signal of the fleet is lost', async () => {
    const run = await recordings.start({ dispatch: (call) => (call < 4 ? NO_CAPACITY : undefined) });
    await run.until(({ stage }) => stage === 'waiting');
    await run.sleep(10 * MINUTE_MS);
    await run.untilAccepted();
    expect(run.attempts).toEqual([0, 0, 0, 0]);
  });

  it('waits while it cannot be looked for a worker, and takes no failed look for a sign that the room exists', async () => {
    let broken = true;
    const run = await recordings.start({
      dispatch: () => {
        return broken ? { kind: 'no_capacity', message: 'the bus is down' } : ROOM_MISSING;
      },
      inspectRoom: () => ({ room: 'gone' }),
    });
    const { waiting } = await run.until(({ stage }) => stage === 'waiting');
    expect(waiting).toMatchObject({ for: 'capacity' });
    expect(waiting?.detail).toContain('the bus is down');
    broken = false;
    expect(await run.result()).toMatchObject({ stage: 'expired', reason: { code: 'room_never_appeared' } });
  });

  it('expires at its start deadline, exactly, and says what was missing', async () => {
    const run = await recordings.start({ dispatch: FULL }, { startWithin: '7m' });
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'expired', reason: { code: 'start_deadline' }, parts: [] });
    expect(view.reason?.message).toContain('no worker is ready');
    expect((view.endedAtMs ?? 0) - view.requestedAtMs).toBeGreaterThanOrEqual(7 * MINUTE_MS);
    expect((view.endedAtMs ?? 0) - view.requestedAtMs).toBeLessThan(7 * MINUTE_MS + 10_000);
  });

  it('starts nothing and expires when its room ends while it waits', async () => {
    let room: 'alive' | 'gone' = 'alive';
    const run = await recordings.start({ dispatch: FULL, inspectRoom: () => ({ room }) });
    await run.until(({ stage }) => stage === 'waiting');
    room = 'gone';
    await run.look('room_finished');
    expect(await run.result()).toMatchObject({ stage: 'expired', reason: { code: 'room_ended' }, parts: [] });
    expect(run.count('dispatch')).toBe(1);
  });

  it('believes no room_finished event of a room that lives on', async () => {
    const run = await recordings.start({ dispatch: FULL });
    await run.until(({ stage }) => stage === 'waiting');
    await run.look('room_finished');
    await run.untilCalled('inspectRoom');
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.untilAccepted();
  });

  it('stays in the queue while an admitted start goes wrong, so that newcomers stand behind it', async () => {
    const run = await recordings.start({
      dispatch: (call) => (call === 1 ? NO_CAPACITY : call === 2 ? NOT_GRANTED : undefined),
    });
    const first = await run.until(({ stage }) => stage === 'waiting');
    run.hold('dispatch');
    await run.admit();
    await run.untilCalled('dispatch');
    expect((await run.view()).stage).toBe('waiting');
    run.release('dispatch');
    await run.until(({ waiting }) => waiting?.detail === 'w1: no worker claimed it');
    expect((await run.view()).waiting?.sinceMs).toBe(first.waiting?.sinceMs);
    await run.admit();
    await run.untilAccepted();
  });

  it('goes on with the next part only before its own end: no start after an extend `until` has passed', async () => {
    const run = await recordings.start({ dispatch: FULL }, { startWithin: '1h' });
    await run.until(({ stage }) => stage === 'waiting');
    await run.extend({ untilMs: (await run.now()) + 5 * MINUTE_MS });
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'expired', reason: { code: 'start_deadline' } });
    expect((view.endedAtMs ?? 0) - view.requestedAtMs).toBeLessThan(15 * MINUTE_MS);
  });
});

describe('the room is not there', () => {
  it('waits for a room that appears later', async () => {
    const run = await recordings.start({
      dispatch: once(() => ROOM_MISSING),
    });
    expect((await run.until(({ stage }) => stage === 'waiting')).waiting?.for).toBe('room');
    expect(run.count('wakeFleet')).toBe(0);
    await run.look('room_started');
    await run.untilCalled('dispatch');
    await run.sleep(MINUTE_MS);
    const view = await run.untilAccepted();
    expect(view.parts[0]?.attempts).toBe(1);
  });

  it('expires when the room never appears', async () => {
    const run = await recordings.start({ dispatch: () => ROOM_MISSING });
    expect(await run.result()).toMatchObject({ stage: 'expired', reason: { code: 'room_never_appeared' } });
  });

  it('binds itself to the room that it saw first, and hands its sid to every look and start', async () => {
    const run = await recordings.start({
      dispatch: (call) => (call === 1 ? ROOM_MISSING : call === 2 ? { ...NO_CAPACITY, roomId: 'RM_first' } : undefined),
    });
    await run.until(({ waiting }) => waiting?.for === 'room');
    await run.look('room_started');
    await run.until(({ waiting }) => waiting?.for === 'capacity');
    await run.look('room_finished');
    await run.untilCalled('inspectRoom');
    expect(run.inputs('inspectRoom')[0]?.roomId).toBe('RM_first');
    await run.admit();
    await run.untilAccepted();
    expect(run.inputs('dispatch').map(({ roomId }) => roomId)).toEqual([undefined, undefined, 'RM_first']);
  });

  it('does not take one 404 for the end of a room that lives', async () => {
    const run = await recordings.start({
      dispatch: (call) => (call === 1 ? NO_CAPACITY : call === 2 ? ROOM_MISSING : undefined),
      inspectRoom: () => ({ room: 'alive' }),
    });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.sleep(MINUTE_MS);
    await run.untilAccepted();
  });

  it('does not end with a room that nobody has seen, when the first look was cut short', async () => {
    const run = await recordings.start({
      dispatch: (call) => {
        if (call === 1) throw new Error('the process died');
        return call === 2 ? ROOM_MISSING : undefined;
      },
      inspectRoom: () => ({ room: 'gone' }),
    });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.until(({ waiting }) => waiting?.for === 'room');
    await run.untilAccepted(1);
  });

  it('takes a 404 of a room that is gone from the list as its end', async () => {
    const run = await recordings.start({
      dispatch: (call) => (call === 1 ? NO_CAPACITY : ROOM_MISSING),
      inspectRoom: () => ({ room: 'gone' }),
    });
    expect(await run.result()).toMatchObject({ stage: 'expired', reason: { code: 'room_ended' } });
  });
});

describe('an attempt that no worker was granted', () => {
  it('is made again under the same id, because nothing can run under it', async () => {
    const run = await recordings.start({ dispatch: once(() => NOT_GRANTED) });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    const view = await run.untilAccepted(0);
    expect(run.attempts).toEqual([0, 0]);
    expect(view.parts[0]?.attempts).toBe(1);
    expect(run.stopped).toEqual([]);
  });
});

describe('an attempt that its worker declined', () => {
  it('is followed by one with the next id, and needs no stop', async () => {
    const run = await recordings.start({ dispatch: once(DECLINED) });
    const { waiting } = await run.until(({ stage }) => stage === 'waiting');
    expect(waiting).toMatchObject({ for: 'capacity', detail: 'w1 answered internal: handler failed to start' });
    await run.admit();
    const view = await run.untilAccepted(1);
    expect(run.attempts).toEqual([0, 1]);
    expect(view.parts[0]?.attempts).toBe(2);
    expect(run.stopped).toEqual([]);
  });

  it('and reported as failed leaves no trace: the early report of the next one is believed', async () => {
    const run = await recordings.start({
      dispatch: async (call, input, r) => {
        if (call === 1) {
          await r.report(r.snapshot('FAILED', { errorCode: 500, error: 'handler failed to start' }));
          return DECLINED(call, input, r);
        }
        await r.report(r.snapshot('ACTIVE', { attempt: 1, startedAtMs: await r.now() }));
        return UNKNOWN(call, input, r);
      },
    });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    const view = await run.until(({ stage }) => stage === 'recording');
    expect(view.parts).toMatchObject([{ number: 1, egressId: run.egressId(1) }]);
    expect(run.attempts).toEqual([0, 1]);
  });
});

describe('an attempt without an answer', () => {
  it('is given up, stopped where it shows, and followed by one with the next id', async () => {
    const run = await recordings.start({ dispatch: once(UNKNOWN) });
    await run.until(({ stage }) => stage === 'waiting');
    expect(run.stopped).toEqual([run.egressId(0)]);
    await run.admit();
    await run.untilAccepted(1);
    expect(run.attempts).toEqual([0, 1]);
  });

  it('is the same when Temporal gave up on its dispatch', async () => {
    const run = await recordings.start({
      dispatch: once(() => {
        throw new Error('the process died');
      }),
    });
    const { waiting } = await run.until(({ stage }) => stage === 'waiting');
    expect(waiting?.detail).toContain('the process died');
    expect(run.stopped).toEqual([run.egressId(0)]);
    await run.admit();
    await run.untilAccepted(1);
  });

  it('goes on when it cannot be stopped', async () => {
    const run = await recordings.start({
      dispatch: once(UNKNOWN),
      stopPart: () => {
        throw new Error('request timed out');
      },
    });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.becomesActive(1);
    await run.report(run.complete('StopEgress API', { attempt: 1 }));
    expect((await run.result()).stage).toBe('completed');
  });

  it('is believed when its report came before: it is adopted, and nobody else is started', async () => {
    const run = await recordings.start({ dispatch: UNKNOWN });
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    await run.report(run.snapshot('ACTIVE', { startedAtMs: await run.now() }));
    run.release('dispatch');
    const view = await run.until(({ stage }) => stage === 'recording');
    expect(view.parts).toMatchObject([{ egressId: run.id, attempts: 1 }]);
    expect(run.attempts).toEqual([0]);
    expect(run.stopped).toEqual([]);
  });

  it('is adopted when a worker says that it runs: nobody else is started, nothing is stopped', async () => {
    const run = await recordings.start({
      dispatch: once(() => {
        throw new Error('the process died');
      }),
      findAttempt: () => ({ worker: WORKER }),
    });
    const view = await run.untilAccepted(0);
    expect(view.parts).toMatchObject([{ egressId: run.id, worker: WORKER, attempts: 1 }]);
    expect(run.attempts).toEqual([0]);
    expect(run.stopped).toEqual([]);
    expect(run.inputs('findAttempt')).toEqual([{ egressId: run.id, fleet: 'default' }]);
  });

  it('and is adopted, and dies a second later, is followed by a next part as any other', async () => {
    const run = await recordings.start({ dispatch: once(UNKNOWN), findAttempt: () => ({}) });
    await run.untilAccepted(0);
    await run.report(run.snapshot('FAILED', { errorCode: 500, error: 'no record' }));
    const { parts } = await run.untilAccepted(1);
    expect(parts).toMatchObject([{ egressId: run.id, end: { status: 'FAILED' } }, { egressId: run.egressId(1) }]);
  });

  it('and reports while workers are asked for it is no stranger', async () => {
    const run = await recordings.start({ dispatch: once(UNKNOWN) });
    run.hold('findAttempt');
    await run.untilCalled('findAttempt');
    await run.report(run.snapshot('ACTIVE', { startedAtMs: await run.now() }));
    run.release('findAttempt');
    const view = await run.until(({ stage }) => stage === 'recording');
    expect(view.parts).toMatchObject([{ egressId: run.id, attempts: 1 }]);
    expect(run.stopped).toEqual([]);
  });

  it('is given up when no worker can be asked for it', async () => {
    const run = await recordings.start({
      dispatch: once(UNKNOWN),
      findAttempt: () => {
        throw new Error('Redis is away');
      },
    });
    await run.until(({ stage }) => stage === 'waiting');
    expect(run.stopped).toEqual([run.egressId(0)]);
    await run.admit();
    await run.untilAccepted(1);
  });

  it('that shows while its recording waits for the next is stopped then and there', async () => {
    const run = await recordings.start({
      dispatch: (call, input, r) => (call === 1 ? UNKNOWN(call, input, r) : NO_CAPACITY),
    });
    await run.until(({ stage }) => stage === 'waiting');
    await run.untilCalled('stopPart');
    await run.report(run.snapshot('ACTIVE'));
    await run.untilCalled('stopPart', 2);
    await run.look('the fleet saw it', run.egressId(0));
    await run.untilCalled('stopPart', 3);
    await run.look('of somebody else', 'EG_otherone1234');
    expect((await run.view()).stage).toBe('waiting');
    expect(new Set(run.stopped)).toEqual(new Set([run.egressId(0)]));
  });

  it('that only reported STARTING may yet come to nothing: it is given up', async () => {
    const run = await recordings.start({ dispatch: once(UNKNOWN) });
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    await run.report(run.snapshot('STARTING'));
    run.release('dispatch');
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.untilAccepted(1);
    expect(run.stopped).toEqual([run.egressId(0)]);
  });

  it('that reports late, while the next one is made, is stopped where it shows', async () => {
    const run = await recordings.start({ dispatch: once(UNKNOWN) });
    await run.until(({ stage }) => stage === 'waiting');
    run.hold('dispatch');
    await run.admit();
    await run.untilCalled('dispatch', 2);
    await run.report(run.snapshot('ACTIVE'));
    run.release('dispatch');
    await run.becomesActive(1);
    expect(new Set(run.stopped)).toEqual(new Set([run.egressId(0)]));
    expect((await run.view()).parts).toMatchObject([{ egressId: run.egressId(1) }]);
  });

  it('that reports late, more than once, is told to stop once more and no more', async () => {
    const run = await recordings.start({ dispatch: once(UNKNOWN) });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.becomesActive(1);
    await run.report(run.snapshot('ACTIVE'));
    await run.untilCalled('stopPart', 2);
    await run.report(run.snapshot('ACTIVE'));
    await run.report(run.snapshot('ENDING'));
    await run.report(run.complete('StopEgress API'));
    await run.sleep(MINUTE_MS);
    expect((await run.view()).stage).toBe('recording');
    expect(run.stopped).toEqual([run.egressId(0), run.egressId(0)]);
  });
});

describe('reports that come before the answer', () => {
  it('that it records need no answer, which then only tells where', async () => {
    const run = await recordings.start();
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    await run.report(run.snapshot('STARTING'));
    expect((await run.view()).stage).toBe('starting');
    await run.report(run.snapshot('ACTIVE', { startedAtMs: await run.now() }));
    const { parts } = await run.until(({ stage }) => stage === 'recording');
    expect(parts).toMatchObject([{ egressId: run.id, attempts: 1 }]);
    expect(parts[0]?.worker).toBeUndefined();
    run.release('dispatch');
    await run.until((view) => view.parts[0]?.worker?.id === WORKER.id);
    expect(run.attempts).toEqual([0]);
  });

  it('that it records hold whatever its start is answered later', async () => {
    const run = await recordings.start({ dispatch: DECLINED });
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    await run.report(run.snapshot('ACTIVE', { startedAtMs: await run.now() }));
    await run.until(({ stage }) => stage === 'recording');
    run.release('dispatch');
    await run.sleep(MINUTE_MS);
    expect(await run.view()).toMatchObject({ stage: 'recording', parts: [{ egressId: run.id }] });
    expect(run.attempts).toEqual([0]);
    expect(run.stopped).toEqual([]);
  });

  it('may overtake each other: the further news is kept', async () => {
    const run = await recordings.start();
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    await run.report(run.snapshot('ACTIVE', { startedAtMs: await run.now() }));
    await run.report(run.snapshot('STARTING'));
    run.release('dispatch');
    await run.until(({ stage }) => stage === 'recording');
  });

  it('and tell its end already make it an ended part', async () => {
    const run = await recordings.start({ inspectRoom: () => ({ room: 'gone' }) });
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    await run.report(run.complete('Source closed'));
    await run.report(run.snapshot('ACTIVE', { startedAtMs: await run.now() }));
    run.release('dispatch');
    expect(await run.result()).toMatchObject({ stage: 'completed', parts: [{ files: [{}] }] });
  });
});

describe('a scheduled recording', () => {
  it('tells the fleet at once and starts when it is due', async () => {
    const dueAtMs = (await recordings.env.currentTimeMs()) + 2 * HOUR_MS;
    const run = await recordings.start({}, { startAt: new Date(dueAtMs).toISOString(), origin: 'api' });
    await run.untilCalled('wakeFleet');
    expect((await run.view()).stage).toBe('scheduled');
    expect(run.count('dispatch')).toBe(0);
    expect(run.published).toEqual([]);
    await run.sleep(2 * HOUR_MS + 1_000);
    await run.becomesActive();
    const started = run.calls.find(({ name }) => name === 'dispatch');
    expect(started?.atMs).toBeGreaterThanOrEqual(dueAtMs);
    expect(started?.atMs).toBeLessThan(dueAtMs + 30_000);
    expect((await run.view()).spent?.queueMs).toBeLessThan(30_000);
  });
});
