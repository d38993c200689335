// Pausing: the part ends and its file is kept, nothing is asked of a worker until it is resumed, and a paused recording ends like any
// other.
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { describe, expect, it } from 'vitest';
import type { RecordingRequestInput } from '../../src/recording/request.ts';
import { FULL, MINUTE_MS, once, type Script, UNKNOWN } from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();

/** The worker answers a stop with the end. */
const STOPS: Script = { stopPart: (_, { egressId }, run) => run.complete('StopEgress API', { egressId }) };

async function pausedAfterMedia(script: Script = {}, request: Partial<RecordingRequestInput> = {}) {
  const run = await recordings.start({ ...STOPS, ...script }, request);
  await run.becomesActive();
  await run.pause('ada');
  await run.until(({ stage }) => stage === 'paused');
  return run;
}

describe('a pause', () => {
  it('ends the part, keeps its file, and a resume begins the next one', async () => {
    const run = await pausedAfterMedia();
    const paused = await run.view();
    expect(paused).toMatchObject({
      stage: 'paused',
      pauses: [{ by: 'ada' }],
      parts: [{ end: { status: 'COMPLETE' } }],
    });
    expect(paused.parts[0]?.files).toHaveLength(1);
    await run.sleep(20 * MINUTE_MS);
    expect(run.attempts).toEqual([0]);
    await run.resume();
    await run.becomesActive(1);
    const view = await run.view();
    expect(view.parts).toHaveLength(2);
    const [pause] = view.pauses ?? [];
    expect((pause?.untilMs ?? 0) - (pause?.sinceMs ?? 0)).toBeGreaterThanOrEqual(20 * MINUTE_MS);
    await run.cancel();
    expect(await run.result()).toMatchObject({ stage: 'cancelled', parts: [{ number: 1 }, { number: 2 }] });
  });

  it('is no end to LiveKit: its record stays active until the recording ends', async () => {
    const run = await pausedAfterMedia();
    await run.resume();
    await run.becomesActive(1);
    await run.stop();
    await run.result();
    expect(run.published.filter((status) => status !== 'ACTIVE')).toEqual(['ENDING', 'COMPLETE']);
  });

  it('is told by the index, so that it is no demand', async () => {
    const run = await pausedAfterMedia();
    expect((await run.indexed()).at(-1)).toBe('paused');
    await run.resume();
    await run.until(({ stage }) => stage === 'starting');
    expect((await run.indexed()).at(-1)).toBe('starting');
  });

  it('asked for twice, or by signal and Update, is one', async () => {
    const run = await pausedAfterMedia();
    await run.pauseBySignal();
    expect((await run.pause('bob')).pauses).toEqual([{ by: 'ada', sinceMs: expect.any(Number) }]);
    await run.resumeBySignal();
    await run.resume();
    await run.becomesActive(1);
    expect((await run.view()).pauses).toHaveLength(1);
  });

  it('of one that waits for capacity leaves the queue; a resume asks at once', async () => {
    const run = await recordings.start({ dispatch: once(FULL) });
    await run.until(({ stage }) => stage === 'waiting');
    expect(await run.pause()).toMatchObject({ stage: 'paused', parts: [] });
    await run.admit();
    await run.sleep(30 * MINUTE_MS);
    expect(run.attempts).toEqual([0]);
    await run.resume();
    await run.untilCalled('dispatch', 2);
    expect(run.inputs('dispatch').at(-1)).toMatchObject({ admitted: false });
  });

  it('while a worker is asked: what it accepted is stopped, and nothing is left of it', async () => {
    const run = await recordings.start({
      stopPart: (_, { egressId }, r) => r.snapshot('ABORTED', { egressId, details: 'End reason: StopEgress API' }),
    });
    run.hold('dispatch');
    await run.untilCalled('dispatch');
    const answered = run.pause();
    run.release('dispatch');
    expect(await answered).toMatchObject({ stage: 'paused', parts: [] });
    expect(run.inputs('stopPart')[0]).toMatchObject({ egressId: run.egressId(0) });
    await run.resume();
    await run.becomesActive(1);
  });

  it('while a start is not answered: the attempt has no grant any more, and is stopped wherever it shows', async () => {
    const run = await recordings.start({ dispatch: once(UNKNOWN) });
    run.hold('findAttempt');
    await run.untilCalled('findAttempt');
    const answered = run.pause();
    run.release('findAttempt');
    await answered;
    await run.report(run.snapshot('ACTIVE', { attempt: 0 }));
    await run.untilCalled('stopPart');
    expect(run.inputs('stopPart')[0]).toMatchObject({ egressId: run.egressId(0) });
    expect((await run.view()).stage).toBe('paused');
  });

  it('is answered once the worker takes no more media, before its file is stored', async () => {
    const run = await recordings.start({ stopPart: () => null });
    await run.becomesActive();
    const answered = run.pause();
    await run.untilCalled('stopPart');
    await run.report(run.snapshot('ENDING', { updatedAtMs: await run.now() }));
    expect(await answered).toMatchObject({ stage: 'recording', parts: [{ endingAtMs: expect.any(Number) }] });
    await run.report(run.complete('StopEgress API'));
    await run.until(({ stage }) => stage === 'paused');
  });

  it('asked for by mistake and taken back goes on with a next part', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.pauseBySignal();
    await run.untilCalled('stopPart');
    await run.resume();
    await run.report(run.complete('StopEgress API'));
    await run.becomesActive(1);
    expect(await run.view()).toMatchObject({ stage: 'recording', parts: [{}, {}] });
  });

  it('is refused before it is due', async () => {
    const startAt = new Date((await recordings.env.currentTimeMs()) + 60 * MINUTE_MS).toISOString();
    const run = await recordings.start({}, { startAt });
    await run.until(({ stage }) => stage === 'scheduled');
    await expect(run.pause()).rejects.toSatisfy(isRefusal('NotPausable'));
    await run.pauseBySignal();
    expect((await run.view()).pauses).toBeUndefined();
  });

  it('is refused once it is being stopped', async () => {
    const run = await recordings.start();
    await run.becomesActive();
    await run.cancel();
    await expect(run.pause()).rejects.toSatisfy(isRefusal('RecordingEnded'));
  });
});

describe('a paused recording', () => {
  it.each([
    ['stop', 'completed', 'stopped'],
    ['cancel', 'cancelled', 'cancelled'],
  ] as const)('ends at a %s, with the file of its part', async (how, stage, code) => {
    const run = await pausedAfterMedia();
    await run[how]();
    expect(await run.result()).toMatchObject({
      stage,
      reason: { code },
      parts: [{ files: [{}] }],
      pauses: [{ untilMs: expect.any(Number) }],
    });
  });

  it('ends with its room', async () => {
    const run = await pausedAfterMedia({ inspectRoom: (call) => ({ room: call > 1 ? 'gone' : 'alive' }) });
    await run.look('room_finished');
    expect(await run.result()).toMatchObject({ stage: 'completed', reason: { code: 'finished' } });
  });

  it('ends at its maximum duration, which goes on', async () => {
    const run = await pausedAfterMedia({}, { maxDuration: '30m' });
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'completed', reason: { code: 'max_duration' } });
    expect((view.endedAtMs ?? 0) - (view.startedAtMs ?? 0)).toBeLessThan(32 * MINUTE_MS);
  });

  it('that never recorded is cancelled by a stop', async () => {
    const run = await recordings.start({ dispatch: FULL });
    await run.until(({ stage }) => stage === 'waiting');
    await run.pause();
    await run.stop();
    expect(await run.result()).toMatchObject({ stage: 'cancelled', parts: [] });
    expect(run.published.at(-1)).toBe('ABORTED');
  });

  it('whose file storage refused fails when it ends, with the reason', async () => {
    const run = await recordings.start({
      stopPart: (_, { egressId }, r) =>
        r.snapshot('FAILED', { egressId, errorCode: 400, error: 'upload failed: 403', startedAtMs: 1 }),
    });
    await run.becomesActive();
    await run.pause();
    await run.until(({ stage }) => stage === 'paused');
    await run.stop();
    const { stage, reason } = await run.result();
    expect(stage).toBe('failed');
    expect(reason?.message).toContain('upload failed: 403');
  });

  it('goes on in a run with a new history as if nothing had happened', async () => {
    const run = await recordings.start(STOPS, { maxEvents: 20 });
    await run.becomesActive();
    await run.pause();
    await run.until(({ stage }) => stage === 'paused');
    for (let looks = 1; looks <= 4; looks += 1) {
      await run.look();
      await run.untilCalled('inspectRoom', looks + 1);
    }
    expect((await run.view()).stage).toBe('paused');
    await run.resume();
    await run.becomesActive(1);
    expect((await run.view()).parts).toHaveLength(2);
  });
});

function isRefusal(type: string): (error: unknown) => boolean {
  return (error) => error instanceof WorkflowUpdateFailedError && (error.cause as { type?: string }).type === type;
}
