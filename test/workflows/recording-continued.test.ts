// A recording whose history gets long goes on in a new run, and nothing of it is lost: not its place, its parts, its end, nor what it
// was told.
import { describe, expect, it } from 'vitest';
import {
  FULL,
  HOUR_MS,
  MINUTE_MS,
  NO_CAPACITY,
  type RecordingRun,
  type Script,
  UNKNOWN,
} from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();

const MAX_EVENTS = 40;
const endsWhenStopped: Script = { stopPart: (_, { egressId }, run) => run.complete('StopEgress API', { egressId }) };

const runIdOf = async (run: RecordingRun) => (await run.handle.describe()).runId;

/** Does something again and again until the history is begun anew, so many times. */
async function untilContinued(run: RecordingRun, act: () => Promise<unknown>, times = 1): Promise<void> {
  for (let done = 0; done < times; done += 1) {
    const before = await runIdOf(run);
    for (let tries = 0; (await runIdOf(run)) === before; tries += 1) {
      if (tries > MAX_EVENTS) throw new Error('the history never began anew');
      await act();
    }
  }
}

describe('a recording with a long history', () => {
  it('waits for a day of refused admissions, and starts with the number that is next', async () => {
    let full = true;
    const run = await recordings.start(
      { dispatch: (call, input, r) => (call === 1 ? UNKNOWN(call, input, r) : full ? NO_CAPACITY : undefined) },
      { startWithin: '24h', maxDuration: '1h', maxEvents: MAX_EVENTS },
    );
    const { requestedAtMs, startDeadlineMs } = await run.until(({ stage }) => stage === 'waiting');
    await untilContinued(run, () => run.admit().then(() => run.sleep(MINUTE_MS)), 3);
    const waiting = await run.until(({ stage }) => stage === 'waiting');
    expect(waiting).toMatchObject({ requestedAtMs, startDeadlineMs, waiting: { for: 'capacity' } });
    full = false;
    await run.admit();
    await run.becomesActive(1);
    expect(new Set(run.attempts)).toEqual(new Set([0, 1]));
    await run.report(run.complete('Source closed', { attempt: 1, roomGone: true }));
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'completed', parts: [{ number: 1, egressId: run.egressId(1), files: [{}] }] });
    expect(run.published).toEqual(['ACTIVE', 'COMPLETE']);
  });

  it('expires at its start deadline all the same', async () => {
    const run = await recordings.start({ dispatch: FULL }, { startWithin: '2h', maxEvents: 30 });
    const { startDeadlineMs } = await run.until(({ stage }) => stage === 'waiting');
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'expired', startDeadlineMs });
    expect(Math.abs((view.endedAtMs ?? 0) - startDeadlineMs)).toBeLessThan(2_000);
  });

  it('is extended as often as anybody likes, each time counts, and it can be cancelled', async () => {
    const run = await recordings.start(endsWhenStopped, { maxDuration: '10m', maxEvents: MAX_EVENTS });
    await run.becomesActive();
    const { endDeadlineMs = 0, startedAtMs, spent } = await run.view();
    let extended = 0;
    await untilContinued(
      run,
      async () => {
        extended += 1;
        await run.extend({ byMs: MINUTE_MS });
      },
      3,
    );
    expect(await run.view()).toMatchObject({
      stage: 'recording',
      endDeadlineMs: endDeadlineMs + extended * MINUTE_MS,
      startedAtMs,
      spent,
    });
    await run.cancel();
    expect(await run.result()).toMatchObject({ stage: 'cancelled', parts: [{ files: [{}] }] });
    expect(run.published).toEqual(['ACTIVE', 'COMPLETE']);
  });

  it('goes on being stopped', async () => {
    const run = await recordings.start(
      { inspectPart: () => ({ room: 'alive', inRoom: false, onWorker: 'yes' }), stopPart: () => null },
      { maxDuration: '10m', maxEvents: MAX_EVENTS },
    );
    await run.becomesActive();
    const { endDeadlineMs = 0 } = await run.view();
    await run.sleep(11 * MINUTE_MS);
    await untilContinued(run, () => run.look().then(() => run.sleep(1_000)));
    expect((await run.view()).stage).toBe('stopping');
    // The six hours that a stop may take count from its beginning.
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'failed', reason: { code: 'worker_lost' } });
    expect((view.endedAtMs ?? 0) - endDeadlineMs).toBeLessThan(6.2 * HOUR_MS);
  });

  it('is still scheduled', async () => {
    const startAt = new Date((await recordings.env.currentTimeMs()) + HOUR_MS).toISOString();
    const run = await recordings.start({}, { startAt, maxEvents: MAX_EVENTS });
    await untilContinued(run, () => run.extend({ byMs: MINUTE_MS }));
    expect((await run.view()).stage).toBe('scheduled');
    await run.sleep(HOUR_MS);
    await run.becomesActive();
    expect((await run.view()).parts[0]?.acceptedAtMs).toBeGreaterThanOrEqual(Date.parse(startAt) - 1_000);
  });
});
