// From request to an accepted part: at once, after waiting, after answers that prove nothing, or not at all.
import { describe, expect, it } from 'vitest';
import {
  AMBIGUOUS,
  FULL_AT_LIVEKIT,
  HOUR_MS,
  MINUTE_MS,
  NO_CAPACITY,
  REFUSED,
  ROOM_MISSING,
} from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();

describe('a worker is free', () => {
  it('starts at once, records, and completes when the room ends', async () => {
    const run = await recordings.start({ inspectRoom: () => ({ room: 'gone' }) });
    await run.becomesActive();
    await run.sleep(10 * MINUTE_MS);
    await run.webhook(run.complete('Source closed'));
    const view = await run.result();
    expect(view).toMatchObject({
      stage: 'completed',
      reason: { code: 'finished' },
      parts: [{ number: 1, attempts: 1, egressId: run.egressId(), files: [{ sizeBytes: 1_000 }] }],
    });
    expect(run.count('startPart')).toBe(1);
    expect(run.count('requestCapacity')).toBe(1);
  });

  it('ends as refused, with what LiveKit said, when LiveKit will never accept the request', async () => {
    const run = await recordings.start({ startPart: () => REFUSED });
    expect(await run.result()).toMatchObject({ stage: 'failed', reason: { code: 'refused' }, parts: [] });
    expect(run.count('startPart')).toBe(1);
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
    await run.webhook(run.complete('Source closed'));
    const view = await run.result();
    expect(view.stage).toBe('completed');
    expect(view.waiting).toBeUndefined();
    expect(view.parts[0]?.attempts).toBe(1);
    expect(view.spent?.queueMs).toBeGreaterThanOrEqual(30 * MINUTE_MS);
    // 30 s, 1, 2, 4, then every 5 minutes: a lost signal costs minutes, not the recording.
    expect(run.count('requestCapacity')).toBeLessThanOrEqual(12);
    expect(run.count('startPart')).toBe(1);
  });

  it('finds capacity by itself when the signal of the fleet is lost', async () => {
    const run = await recordings.start({ requestCapacity: (call) => (call < 4 ? NO_CAPACITY : undefined) });
    await run.until(({ stage }) => stage === 'waiting');
    await run.sleep(10 * MINUTE_MS);
    await run.until(({ parts }) => parts[0]?.egressId !== undefined);
    expect(run.inputs('startPart').map(({ marker }) => marker.attempt)).toEqual([1]);
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
    expect(run.count('startPart')).toBe(0);
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
      startPart: (call) => (call === 1 ? FULL_AT_LIVEKIT : undefined),
    });
    const first = await run.until(({ stage }) => stage === 'waiting');
    run.hold('startPart');
    await run.admit();
    await run.untilCalled('startPart');
    expect((await run.view()).stage).toBe('waiting');
    run.release('startPart');
    await run.untilCalled('findPart');
    await run.until(({ waiting }) => waiting?.detail === 'no response from servers');
    expect((await run.view()).waiting?.sinceMs).toBe(first.waiting?.sinceMs);
    await run.admit();
    const view = await run.until(({ parts }) => parts[0]?.egressId !== undefined);
    expect(view.parts[0]?.egressId).toBe(run.egressId(1, 2));
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
      startPart: (call) => (call === 1 ? ROOM_MISSING : undefined),
    });
    expect((await run.until(({ stage }) => stage === 'waiting')).waiting?.for).toBe('room');
    expect(run.count('wakeFleet')).toBe(0);
    await run.look('room_started');
    await run.untilCalled('startPart');
    await run.sleep(MINUTE_MS);
    const view = await run.until(({ parts }) => parts[0]?.egressId !== undefined);
    expect(view.parts[0]?.attempts).toBe(1);
  });

  it('expires when the room never appears', async () => {
    const run = await recordings.start({ startPart: () => ROOM_MISSING });
    expect(await run.result()).toMatchObject({ stage: 'expired', reason: { code: 'room_never_appeared' } });
  });

  it('does not take one 404 for the end of a room that lives', async () => {
    const run = await recordings.start({
      requestCapacity: (call) => (call === 1 ? NO_CAPACITY : undefined),
      startPart: (call) => (call === 1 ? ROOM_MISSING : undefined),
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

describe('an answer that proves nothing', () => {
  it('adopts the egress that is found, and starts no second one', async () => {
    const run = await recordings.start({
      startPart: () => AMBIGUOUS,
      findPart: (_, __, r) => r.snapshot('ACTIVE', { startedAtMs: 1_000 }),
    });
    const view = await run.until(({ stage }) => stage === 'recording');
    expect(view.parts[0]).toMatchObject({ egressId: run.egressId(), attempts: 1 });
    expect(run.count('startPart')).toBe(1);
  });

  it('tries again with the next attempt number when nothing appeared', async () => {
    const run = await recordings.start({ startPart: (call) => (call === 1 ? AMBIGUOUS : undefined) });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.until(({ parts }) => parts[0]?.egressId !== undefined);
    expect(run.inputs('startPart').map(({ marker }) => marker.attempt)).toEqual([1, 2]);
    expect(run.inputs('findPart')).toHaveLength(1);
  });

  it('searches after a 503 too, because an earlier try inside LiveKit may have been claimed', async () => {
    const run = await recordings.start({
      startPart: () => FULL_AT_LIVEKIT,
      findPart: (_, __, r) => r.snapshot('STARTING'),
    });
    await run.until(({ parts }) => parts[0]?.egressId !== undefined);
    expect(run.count('startPart')).toBe(1);
  });

  it('takes a start that Temporal gave up on as ambiguous', async () => {
    const run = await recordings.start({
      startPart: () => {
        throw new Error('the process died');
      },
      findPart: (_, __, r) => r.snapshot('ACTIVE'),
    });
    await run.until(({ parts }) => parts[0]?.egressId !== undefined);
    expect(run.count('startPart')).toBe(1);
  });

  it('believes a webhook that comes before the answer, and searches for nothing', async () => {
    const run = await recordings.start({ startPart: () => AMBIGUOUS });
    run.hold('startPart');
    await run.untilCalled('startPart');
    await run.webhook(run.snapshot('STARTING'));
    run.release('startPart');
    await run.until(({ parts }) => parts[0]?.egressId === run.egressId());
    expect(run.count('findPart')).toBe(0);
  });

  it('keeps the further news when webhooks overtake each other before the answer', async () => {
    const run = await recordings.start();
    run.hold('startPart');
    await run.untilCalled('startPart');
    await run.webhook(run.snapshot('ACTIVE', { startedAtMs: await run.now() }));
    await run.webhook(run.snapshot('STARTING'));
    run.release('startPart');
    await run.until(({ stage }) => stage === 'recording');
  });

  it('adopts an egress that appears while it waits', async () => {
    const run = await recordings.start({ startPart: () => AMBIGUOUS });
    await run.until(({ stage }) => stage === 'waiting');
    await run.webhook(run.snapshot('ACTIVE', { startedAtMs: await run.now() }));
    await run.until(({ stage }) => stage === 'recording');
    expect(run.count('startPart')).toBe(1);
  });

  it('adopts an egress that a look finds while it waits', async () => {
    const run = await recordings.start({
      startPart: () => AMBIGUOUS,
      findPart: (call, _, r) => (call === 1 ? undefined : r.snapshot('ACTIVE')),
    });
    await run.until(({ stage }) => stage === 'waiting');
    await run.look('EG_x already records for it');
    await run.until(({ parts }) => parts[0]?.egressId === run.egressId());
    expect(run.count('startPart')).toBe(1);
  });

  it('stops the stranger when two egresses came of one part', async () => {
    const run = await recordings.start({ startPart: (call) => (call === 1 ? AMBIGUOUS : undefined) });
    await run.until(({ stage }) => stage === 'waiting');
    run.hold('startPart');
    await run.admit();
    await run.untilCalled('startPart', 2);
    await run.webhook(run.snapshot('ACTIVE', { attempt: 1 }));
    run.release('startPart');
    await run.untilCalled('stopPart');
    expect(run.stopped).toEqual([run.egressId(1, 1)]);
    expect((await run.view()).parts[0]?.egressId).toBe(run.egressId(1, 2));
  });

  it('stops, once, a stranger that comes to life while the right one records', async () => {
    const run = await recordings.start({ startPart: (call) => (call === 1 ? AMBIGUOUS : undefined) });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.becomesActive(1, 2);
    await run.webhook(run.snapshot('ACTIVE', { attempt: 1 }));
    await run.webhook(run.snapshot('ENDING', { attempt: 1 }));
    await run.untilCalled('stopPart');
    await run.webhook(run.complete('StopEgress API', { attempt: 1 }));
    expect((await run.view()).stage).toBe('recording');
    expect(run.stopped).toEqual([run.egressId(1, 1)]);
  });

  it('goes on when the stranger cannot be stopped', async () => {
    const run = await recordings.start({
      startPart: (call) => (call === 1 ? AMBIGUOUS : undefined),
      stopPart: () => {
        throw new Error('request timed out');
      },
    });
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    await run.becomesActive(1, 2);
    await run.webhook(run.snapshot('ACTIVE', { attempt: 1 }));
    await run.sleep(MINUTE_MS);
    await run.webhook(run.complete('StopEgress API', { attempt: 2 }));
    expect((await run.result()).stage).toBe('completed');
  });
});

describe('a scheduled recording', () => {
  it('tells the fleet at once and starts when it is due', async () => {
    const dueAtMs = (await recordings.env.currentTimeMs()) + 2 * HOUR_MS;
    const run = await recordings.start({}, { startAt: new Date(dueAtMs).toISOString() });
    await run.untilCalled('wakeFleet');
    expect((await run.view()).stage).toBe('scheduled');
    expect(run.count('startPart')).toBe(0);
    await run.sleep(2 * HOUR_MS + 1_000);
    await run.becomesActive();
    const started = run.calls.find(({ name }) => name === 'startPart');
    expect(started?.atMs).toBeGreaterThanOrEqual(dueAtMs);
    expect(started?.atMs).toBeLessThan(dueAtMs + 30_000);
    expect((await run.view()).spent?.queueMs).toBeLessThan(30_000);
  });
});
