// Whatever the world does not answer: a deadline passes, a cancel is heard, and StopEgress goes out.
import { describe, expect, it } from 'vitest';
import { FULL, HOUR_MS, MINUTE_MS, NO_CAPACITY, ROOM_MISSING, type Script } from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();

const never = () => {
  throw new Error('LiveKit does not answer');
};
const endsWhenStopped: Script = { stopPart: (_, { egressId }, run) => run.complete('StopEgress API', { egressId }) };

describe('while nobody can look at the egress', () => {
  it('a cancel stops it', async () => {
    const run = await recordings.start({ ...endsWhenStopped, inspectPart: never });
    await run.becomesActive();
    await run.look();
    await run.untilCalled('inspectPart');
    await run.cancel();
    expect(await run.result()).toMatchObject({ stage: 'cancelled', parts: [{ files: [{}] }] });
    expect(run.stopped).toEqual([run.egressId()]);
  });

  it('it is stopped at its maximum duration, to the second', async () => {
    const run = await recordings.start({ ...endsWhenStopped, inspectPart: never }, { maxDuration: '10m' });
    await run.becomesActive();
    await run.sleep(9 * MINUTE_MS + 50_000);
    await run.look();
    const { startedAtMs = 0, endedAtMs = 0, ...view } = await run.result();
    expect(view).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
    expect(endedAtMs - startedAtMs).toBeLessThan(10 * MINUTE_MS + 2_000);
  });

  it('it is looked at again less and less often, and its end is believed when it is told', async () => {
    const run = await recordings.start({ inspectPart: never }, { maxDuration: '24h' });
    await run.becomesActive();
    await run.look();
    await run.sleep(3 * HOUR_MS);
    const { events } = await run.handle.fetchHistory();
    expect(events?.length).toBeLessThan(600);
    await run.report(run.complete('Source closed', { roomGone: true }));
    expect((await run.result()).stage).toBe('completed');
  });

  it('a stop that is not confirmed is repeated all the same', async () => {
    const run = await recordings.start({ inspectPart: never }, { maxDuration: '10m' });
    await run.becomesActive();
    await run.sleep(11 * MINUTE_MS);
    await run.untilCalled('stopPart', 2);
    await run.report(run.complete('StopEgress API'));
    expect((await run.result()).stage).toBe('completed');
  });
});

describe('while nobody can say whether the room lives', () => {
  it.each([
    ['a cancel ends what waits', 'cancel', { stage: 'cancelled' }],
    ['what waits expires', 'wait', { stage: 'expired', reason: { code: 'start_deadline' } }],
  ] as const)('%s', async (_, how, ends) => {
    const run = await recordings.start({ dispatch: FULL, inspectRoom: never }, { startWithin: '10m' });
    await run.until(({ stage }) => stage === 'waiting');
    await run.look('room_finished');
    await run.untilCalled('inspectRoom');
    if (how === 'cancel') await run.cancel();
    const view = await run.result();
    expect(view).toMatchObject(ends);
    expect((view.endedAtMs ?? 0) - view.requestedAtMs).toBeLessThan(10 * MINUTE_MS + 2_000);
  });

  it.each([
    ['a cancel ends what lost its part, with its file', 'cancel', { stage: 'cancelled' }],
    ['what lost its part completes with its file at the end of its time', 'wait', { reason: { code: 'max_duration' } }],
  ] as const)('%s', async (_, how, ends) => {
    const run = await recordings.start({ inspectRoom: never }, { maxDuration: '1h' });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.report(run.complete('CPU exhausted'));
    await run.untilCalled('inspectRoom', 2);
    if (how === 'cancel') await run.cancel();
    expect(await run.result()).toMatchObject({ ...ends, parts: [{ files: [{}] }] });
    expect(run.attempts).toEqual([0]);
  });

  it('what lost its part goes on once LiveKit answers again', async () => {
    const run = await recordings.start({
      inspectRoom: (call) => {
        if (call < 20) throw new Error('LiveKit does not answer');
        return undefined;
      },
    });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.report(run.complete('CPU exhausted'));
    await run.sleep(10 * MINUTE_MS);
    await run.becomesActive(1);
  });

  it('a room that was missing once is waited for until it expires', async () => {
    const run = await recordings.start(
      { dispatch: (call) => (call === 1 ? NO_CAPACITY : ROOM_MISSING), inspectRoom: never },
      { startWithin: '10m' },
    );
    await run.until(({ stage }) => stage === 'waiting');
    await run.admit();
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'expired' });
    expect((view.endedAtMs ?? 0) - view.requestedAtMs).toBeLessThan(10 * MINUTE_MS + 2_000);
  });
});

describe('while the fleet cannot be woken', () => {
  it('what is scheduled starts when it is due', async () => {
    const startAt = new Date((await recordings.env.currentTimeMs()) + HOUR_MS).toISOString();
    const run = await recordings.start({ wakeFleet: never }, { startAt });
    await run.sleep(HOUR_MS + 1_000);
    await run.becomesActive();
    expect((await run.view()).parts[0]?.acceptedAtMs).toBeLessThan(Date.parse(startAt) + 2_000);
  });

  it('what is scheduled can be cancelled', async () => {
    const startAt = new Date((await recordings.env.currentTimeMs()) + HOUR_MS).toISOString();
    const run = await recordings.start({ wakeFleet: never }, { startAt });
    await run.untilCalled('wakeFleet');
    await run.cancel();
    expect((await run.result()).stage).toBe('cancelled');
  });
});

describe('while a stray attempt cannot be stopped', () => {
  it('a cancel stops what records', async () => {
    const run = await recordings.start({ dispatch: (call) => (call === 1 ? NO_CAPACITY : undefined) });
    await run.until(({ stage }) => stage === 'waiting');
    await run.report(run.snapshot('ACTIVE'));
    await run.untilCalled('stopPart');
    await run.admit();
    await run.becomesActive(1);
    run.hold('stopPart');
    await run.report(run.snapshot('ACTIVE'));
    await run.untilCalled('stopPart', 1);
    await run.cancel();
    await run.untilCalled('stopPart', 2);
    expect(run.stopped.at(-1)).toBe(run.egressId(1));
    run.release('stopPart');
    await run.report(run.complete('StopEgress API', { attempt: 1 }));
    expect((await run.result()).stage).toBe('cancelled');
  });
});
