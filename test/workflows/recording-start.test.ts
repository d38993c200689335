// From request to an accepted part: at once, after waiting, after answers that prove nothing, or not at all.
import { describe, expect, it } from 'vitest';
import { declined, HOUR_MS, MINUTE_MS, NO_CAPACITY, REFUSED, ROOM_MISSING, unknown } from '../support/recording-env.ts';
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
      parts: [{ number: 1, attempts: 1, egressId: run.egressId(), files: [{ sizeBytes: 1_000 }] }],
    });
    expect(run.count('dispatch')).toBe(1);
    expect(run.count('requestCapacity')).toBe(1);
  });

  it('ends as refused, with what the worker said, when no worker will ever accept the request', async () => {
    const run = await recordings.start({ dispatch: () => REFUSED });
    expect(await run.result()).toMatchObject({ stage: 'failed', reason: { code: 'refused' }, parts: [] });
    expect(run.inputs('publishRecord').at(-1)?.state).toMatchObject({ status: 'FAILED', errorCode: 400 });
    expect(run.count('dispatch')).toBe(1);
  });
});

describe('no worker is free', () => {
  it('waits through a boot of 30 minutes and starts when the fleet admits it', async () => {
    const run = await recordings.start(
      { requestCapacity: () => NO_CAPACITY, inspectRoom: () => ({ room: 'gone' }) },
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
    expect(run.count('requestCapacity')).toBeLessThanOrEqual(12);
    expect(run.count('dispatch')).toBe(1);
  });

  it('finds capacity by itself when the signal of the fleet is lost', async () => {
    const run = await recordings.start({ requestCapacity: (call) => (call < 4 ? NO_CAPACITY : undefined) });
    await run.until(({ stage }) => stage === 'waiting');
    await run.sleep(10 * MINUTE_MS);
    await run.until(({ parts }) => parts[0]?.egressId !== undefined);
    expect(run.inputs('dispatch').map(({ attempt }) => attempt)).toEqual([0]);
    expect(run.count('requestCapacity')).toBe(4);
  });

  it('expires at its start deadline, exactly, and says what was missing', async () => {
    const run = await recordings.start({ requestCapacity: () => NO_CAPACITY }, { startWithin: '7m' });
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'expired', reason: { code: 'start_deadline' }, parts: [] });
    expect(view.reason?.message).toContain('no worker is ready');
    expect((view.endedAtMs ?? 0) - view.requestedAtMs).toBeGreaterThanOrEqual(7 * MINUTE_MS);
    expect((view.endedAtMs ?? 0) - view.requestedAtMs).toBeLessThan(7 * MINUTE_MS + 10_000);
  });

  it('starts nothing and expires when its room ends while it waits', async () => {
    let room: 'alive' | 'gone' = 'alive';
    const run = await recordings.start({ requestCapacity: () => NO_CAPACITY, inspectRoom: () => ({ room }) });
    await run.until(({ stage }) => stage === 'waiting');
    room = 'gone';
    await run.look('room_finished');
    expect(await run.result()).toMatchObject({ stage: 'expired', reason: { code: 'room_ended' }, parts: [] });
    expect(run.count('dispatch')).toBe(0);
  });

  it('believes no room_finished event of a room that lives on', async () => {
    const run = await recordings.start({ requestCapacity: () => NO_CAPACITY });
    await run.until(({ stage }) => stage === 'waiting');
    await run.look('room_finished');
    await run.untilCalled('inspectRoom');
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.until(({ parts }) => parts[0]?.egressId !== undefined);
  });

  it('stays in the queue while an admitted start goes wrong, so that newcomers stand behind it', async () => {
    const run = await recordings.start({
      requestCapacity: () => NO_CAPACITY,
      dispatch: (call, input) => (call === 1 ? declined(input) : undefined),
    });
    const first = await run.until(({ stage }) => stage === 'waiting');
    run.hold('dispatch');
    await run.admit();
    await run.untilCalled('dispatch');
    expect((await run.view()).stage).toBe('waiting');
    run.release('dispatch');
    await run.until(({ waiting }) => waiting?.detail === 'not enough CPU');
    expect((await run.view()).waiting?.sinceMs).toBe(first.waiting?.sinceMs);
    await run.admit();
    await run.until(({ parts }) => parts[0]?.egressId === run.egressId(1));
  });

  it('asks again within seconds when it was admitted and found no worker after all', async () => {
    const run = await recordings.start({
      requestCapacity: (call) => (call === 1 ? NO_CAPACITY : undefined),
      dispatch: (call) => (call === 1 ? NO_CAPACITY : undefined),
    });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.untilCalled('dispatch');
    await run.sleep(2_000);
    await run.until(({ parts }) => parts[0]?.egressId === run.egressId());
    expect(run.inputs('dispatch').map(({ attempt, admitted }) => [attempt, admitted])).toEqual([
      [0, true],
      [0, false],
    ]);
  });

  it('goes on with the next part only before its own end: no start after an extend `until` has passed', async () => {
    const run = await recordings.start({ requestCapacity: () => NO_CAPACITY }, { startWithin: '1h' });
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
      requestCapacity: (call) => (call === 1 ? ROOM_MISSING : undefined),
      dispatch: (call) => (call === 1 ? ROOM_MISSING : undefined),
    });
    expect((await run.until(({ stage }) => stage === 'waiting')).waiting?.for).toBe('room');
    expect(run.count('wakeFleet')).toBe(0);
    await run.look('room_started');
    await run.untilCalled('dispatch');
    await run.sleep(MINUTE_MS);
    const view = await run.until(({ parts }) => parts[0]?.egressId !== undefined);
    expect(view.parts[0]?.attempts).toBe(1);
  });

  it('expires when the room never appears', async () => {
    const run = await recordings.start({ dispatch: () => ROOM_MISSING });
    expect(await run.result()).toMatchObject({ stage: 'expired', reason: { code: 'room_never_appeared' } });
  });

  it('does not take one 404 for the end of a room that lives', async () => {
    const run = await recordings.start({
      requestCapacity: (call) => (call === 1 ? NO_CAPACITY : undefined),
      dispatch: (call) => (call === 1 ? ROOM_MISSING : undefined),
      inspectRoom: () => ({ room: 'alive' }),
    });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.sleep(MINUTE_MS);
    await run.until(({ parts }) => parts[0]?.egressId !== undefined);
  });

  it('takes a 404 of a room that is gone from the list as its end', async () => {
    const run = await recordings.start({
      requestCapacity: (call) => (call === 1 ? NO_CAPACITY : ROOM_MISSING),
      inspectRoom: () => ({ room: 'gone' }),
    });
    expect(await run.result()).toMatchObject({ stage: 'expired', reason: { code: 'room_ended' } });
  });
});

describe('an attempt without an answer', () => {
  it('is given up and stopped where it shows, and the next one has the next id', async () => {
    const run = await recordings.start({ dispatch: (call, input) => (call === 1 ? unknown(input) : undefined) });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.until(({ parts }) => parts[0]?.egressId === run.egressId(1));
    expect(run.inputs('dispatch').map(({ attempt }) => attempt)).toEqual([0, 1]);
    expect(run.stopped).toEqual([run.egressId(0)]);
    expect((await run.view()).parts[0]?.attempts).toBe(2);
  });

  it('is believed when it reports before it is given up, and nobody else is asked', async () => {
    const run = await recordings.start({ dispatch: (_, input) => unknown(input) });
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    await run.report(run.snapshot('ACTIVE', { startedAtMs: await run.now() }));
    run.release('dispatch');
    const view = await run.until(({ stage }) => stage === 'recording');
    expect(view.parts[0]).toMatchObject({ egressId: run.egressId(), attempts: 1 });
    expect(run.count('dispatch')).toBe(1);
    expect(run.stopped).toEqual([]);
  });

  it('is the same for a dispatch that Temporal gave up on', async () => {
    const run = await recordings.start({
      dispatch: (call) => {
        if (call === 1) throw new Error('the process died');
        return undefined;
      },
    });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.until(({ parts }) => parts[0]?.egressId === run.egressId(1));
    expect(run.stopped).toEqual([run.egressId(0)]);
  });

  it('is stopped again, once, when it comes to life while the next one records', async () => {
    const run = await recordings.start({ dispatch: (call, input) => (call === 1 ? declined(input) : undefined) });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.becomesActive(1);
    await run.report(run.snapshot('ACTIVE'));
    await run.report(run.snapshot('ENDING'));
    await run.untilCalled('stopPart');
    await run.report(run.complete('StopEgress API'));
    expect((await run.view()).stage).toBe('recording');
    expect(run.stopped).toEqual([run.egressId()]);
  });

  it('holds nobody up when it cannot be stopped', async () => {
    const run = await recordings.start({
      dispatch: (call, input) => (call === 1 ? unknown(input) : undefined),
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

  it('has its further news kept when reports overtake each other before the answer', async () => {
    const run = await recordings.start();
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    await run.report(run.snapshot('ACTIVE', { startedAtMs: await run.now() }));
    await run.report(run.snapshot('STARTING'));
    run.release('dispatch');
    await run.until(({ stage }) => stage === 'recording');
  });
});

describe('a scheduled recording', () => {
  it('tells the fleet at once and starts when it is due', async () => {
    const dueAtMs = (await recordings.env.currentTimeMs()) + 2 * HOUR_MS;
    const run = await recordings.start({}, { startAt: new Date(dueAtMs).toISOString() });
    await run.untilCalled('wakeFleet');
    expect((await run.view()).stage).toBe('scheduled');
    expect(run.count('dispatch')).toBe(0);
    await run.sleep(2 * HOUR_MS + 1_000);
    await run.becomesActive();
    const started = run.calls.find(({ name }) => name === 'dispatch');
    expect(started?.atMs).toBeGreaterThanOrEqual(dueAtMs);
    expect(started?.atMs).toBeLessThan(dueAtMs + 30_000);
    expect((await run.view()).spent?.queueMs).toBeLessThan(30_000);
  });
});
