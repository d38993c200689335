// A participant or a track that is not in the room: it is waited for before the first part, and for a while after it left.
import { describe, expect, it } from 'vitest';
import { MINUTE_MS, type RecordingRun, type Script } from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();
const ann = { type: 'participant', room: 'lesson', identity: 'ann' } as const;

const away = { room: 'alive', source: 'away' } as const;
const here = { room: 'alive', source: 'here' } as const;

/** As a worker does that has looked for 30 s. */
const notFound = (run: RecordingRun, attempt = 0) =>
  run.report(run.snapshot('FAILED', { attempt, errorCode: 404, error: 'participant ann not found' }));

describe('a participant that has not joined', () => {
  it('is waited for, without a worker, and recorded from when it is there', async () => {
    let seen: typeof away | typeof here = away;
    const run = await recordings.start({ lookForSource: () => seen }, { source: ann });
    await run.untilAccepted();
    await notFound(run);
    const { waiting, parts } = await run.until(({ stage }) => stage === 'waiting');
    expect([waiting?.for, parts]).toEqual(['source', []]);
    expect(run.inputs('lookForSource')[0]).toMatchObject({ recordingId: run.id, roomId: `RM_${run.id}` });
    await run.sleep(10 * MINUTE_MS);
    seen = here;
    await run.look('its source is in the room');
    await run.becomesActive(1);
    await run.report(run.complete('Source closed', { attempt: 1, roomGone: true }));
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'completed', reason: { code: 'finished' }, parts: [{ number: 1 }] });
    // To LiveKit it is one egress that began late.
    expect(run.inputs('publishRecord').at(-1)).toMatchObject({
      retries: 0,
      reports: [expect.stringContaining('COMPLETE')],
    });
    // The signal may be lost: it looks by itself, and not often.
    expect(run.count('lookForSource')).toBeLessThan(7);
  });

  it('expires the recording when it does not come within startWithin', async () => {
    const run = await recordings.start({ lookForSource: () => away }, { source: ann, startWithin: '10m' });
    await run.untilAccepted();
    await notFound(run);
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'expired', reason: { code: 'source_missing' }, parts: [] });
    expect((view.endedAtMs ?? 0) - view.requestedAtMs).toBeGreaterThanOrEqual(10 * MINUTE_MS);
    expect(run.inputs('publishRecord').at(-1)?.state).toMatchObject({
      status: 'FAILED',
      errorCode: 404,
      error: 'participant ann not found',
    });
  });

  it('expires it with its room', async () => {
    const run = await recordings.start({ lookForSource: () => ({ room: 'gone', source: 'away' }) }, { source: ann });
    await run.untilAccepted();
    await notFound(run);
    expect(await run.result()).toMatchObject({ stage: 'expired', reason: { code: 'room_ended' }, parts: [] });
  });

  it('may be called off meanwhile', async () => {
    const run = await recordings.start({ lookForSource: () => away }, { source: ann });
    await run.untilAccepted();
    await notFound(run);
    await run.until(({ waiting }) => waiting?.for === 'source');
    await run.cancel();
    expect(await run.result()).toMatchObject({ stage: 'cancelled', reason: { code: 'cancelled' }, parts: [] });
  });
});

describe('a participant that left', () => {
  async function left(script: Script, more: object = {}) {
    const run = await recordings.start(script, { source: ann, ...more });
    await run.becomesActive();
    await run.sleep(5 * MINUTE_MS);
    await run.report(run.complete('Source closed'));
    return run;
  }

  it('and comes back is recorded on, as a next part', async () => {
    let seen: typeof away | typeof here = away;
    const run = await left({ lookForSource: () => seen });
    await run.until(({ waiting }) => waiting?.for === 'source');
    seen = here;
    await run.look('its source is in the room');
    await run.becomesActive(1);
    await run.report(run.complete('Source closed', { attempt: 1, roomGone: true }));
    const { stage, parts } = await run.result();
    expect([stage, parts.map(({ files }) => files.length)]).toEqual(['completed', [1, 1]]);
  });

  it('and is back by the first look is not waited for', async () => {
    const run = await left({ lookForSource: () => here });
    await run.becomesActive(1);
    expect(run.count('lookForSource')).toBe(1);
  });

  it('more often than a broken worker may fail is no broken worker', async () => {
    const run = await recordings.start({ lookForSource: () => here }, { source: ann });
    for (let attempt = 0; attempt < 7; attempt += 1) {
      await run.becomesActive(attempt);
      await run.report(run.complete('Source closed', { attempt }));
      await run.sleep(MINUTE_MS);
    }
    await run.becomesActive(7);
  });

  it.each([
    ['20s', undefined],
    ['10m', '10m'],
  ])('and stays away is the end after %s', async (_, sourceGrace) => {
    const run = await left({ lookForSource: () => away }, sourceGrace ? { sourceGrace } : {});
    const endedAt = await run.now();
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'completed', reason: { code: 'finished' }, parts: [{ files: [{}] }] });
    const graceMs = sourceGrace ? 10 * MINUTE_MS : 20_000;
    expect((view.endedAtMs ?? 0) - endedAt).toBeGreaterThan(graceMs - 5_000);
    expect((view.endedAtMs ?? 0) - endedAt).toBeLessThan(graceMs + 20_000);
  });

  it('is the end at once, and costs no look, without a grace', async () => {
    const run = await left({ lookForSource: () => away }, { sourceGrace: '0s' });
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
    expect(run.count('lookForSource')).toBe(0);
  });

  it('is not waited for past the end of the recording', async () => {
    const run = await left({ lookForSource: () => away }, { sourceGrace: '1h', maxDuration: '7m' });
    const view = await run.result();
    expect((view.endedAtMs ?? 0) - (view.startedAtMs ?? 0)).toBeLessThan(8 * MINUTE_MS);
  });

  it('is waited for no longer once LiveKit is asked to stop: the file is what was asked for', async () => {
    const run = await left({ lookForSource: () => away }, { sourceGrace: '1h' });
    await run.until(({ waiting }) => waiting?.for === 'source');
    await run.stop();
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'stopped' }, parts: [{}] });
    expect(run.published.at(-1)).toBe('COMPLETE');
  });
});

describe('stopWhen', () => {
  const stopWhen = { for: '5m' };
  const endsWhenStopped: Script = { stopPart: (_, { egressId }, run) => run.complete('StopEgress API', { egressId }) };

  it('stops a recording whose participants have left, and keeps its file', async () => {
    const run = await recordings.start(endsWhenStopped, { stopWhen });
    await run.becomesActive();
    await run.participantsLeft();
    expect(await run.result()).toMatchObject({
      stage: 'completed',
      reason: { code: 'participants_left' },
      parts: [{ files: [{}] }],
    });
    expect(run.published.at(-1)).toBe('COMPLETE');
  });

  it('does not stop one that did not ask for it, or has not recorded', async () => {
    const [silent, early] = await Promise.all([
      recordings.start(endsWhenStopped),
      recordings.start(endsWhenStopped, { stopWhen }),
    ]);
    await silent.becomesActive();
    await early.untilAccepted();
    await Promise.all([silent.participantsLeft(), early.participantsLeft()]);
    await early.becomesActive();
    // One clock for both.
    await silent.sleep(MINUTE_MS);
    expect([silent.stopped, early.stopped]).toEqual([[], []]);
  });

  it('ends one that waits for a next part', async () => {
    const run = await recordings.start(
      { dispatch: (call) => (call > 1 ? { kind: 'no_capacity', message: 'full' } : undefined) },
      { stopWhen },
    );
    await run.becomesActive();
    await run.report(run.complete('CPU exhausted'));
    await run.until(({ waiting }) => waiting?.for === 'capacity');
    await run.participantsLeft();
    expect(await run.result()).toMatchObject({
      stage: 'completed',
      reason: { code: 'participants_left' },
      parts: [{}],
    });
  });
});
