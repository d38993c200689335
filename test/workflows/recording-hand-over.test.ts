// Make before break: another worker records before the one that goes is stopped.
import { describe, expect, it } from 'vitest';
import { SUCCESSOR_LIMIT_MS } from '../../src/recording/delays.ts';
import { MINUTE_MS, NO_CAPACITY, REFUSED, type RecordingRun, type Script, WORKER } from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();

const OTHER = { id: 'w2', topic: 'topic-2' };
/** As a worker does: it tells how the egress ended. */
const endsWhenStopped: Script = {
  stopPart: async (_, { egressId }, run) => {
    const attempt = egressId === run.egressId() ? 0 : Number(egressId.split('_').at(-1));
    await run.report(run.complete('StopEgress API', { attempt }));
    return null;
  },
};
const elsewhere: Script = {
  ...endsWhenStopped,
  dispatch: (call, { attempt }, run) =>
    call === 1
      ? undefined
      : { kind: 'started', egressId: run.egressId(attempt), acceptedAtMs: Date.now(), worker: OTHER, roomId: 'RM_1' },
};

async function records(run: RecordingRun, attempt: number): Promise<void> {
  await run.report(run.snapshot('ACTIVE', { attempt, startedAtMs: await run.now() }));
}

describe('a recording whose worker goes', () => {
  it('is stopped there only when another worker records', async () => {
    const run = await recordings.start(elsewhere);
    await run.becomesActive();
    await run.handOver();
    await run.untilCalled('dispatch', 2);
    expect(run.inputs('dispatch')[1]).toMatchObject({ attempt: 1, notOn: WORKER.topic, admitted: true });
    expect((await run.view()).parts).toHaveLength(1);
    expect(run.stopped).toEqual([]);
    await records(run, 1);
    await run.until(({ parts }) => parts.length === 2 && parts[0]?.end !== undefined);
    expect(run.stopped).toEqual([run.egressId()]);
    await run.sleep(MINUTE_MS);
    await run.stop();
    const view = await run.result();
    expect(view).toMatchObject({
      stage: 'completed',
      reason: { code: 'stopped' },
      parts: [
        { worker: WORKER, end: { status: 'COMPLETE' }, files: [{}] },
        { worker: OTHER, end: { status: 'COMPLETE' }, files: [{}] },
      ],
    });
    const [before, after] = view.parts;
    expect(after?.startedAtMs).toBeLessThanOrEqual(before?.endedAtMs ?? 0);
    // LiveKit sees one egress that is active all the time.
    expect(new Set(run.published)).toEqual(new Set(['ACTIVE', 'ENDING', 'COMPLETE']));
    expect(run.published.indexOf('ENDING')).toBeGreaterThan(run.published.lastIndexOf('ACTIVE'));
  });

  it('records on there while no other worker has room, and moves as soon as one has', async () => {
    const run = await recordings.start({
      ...elsewhere,
      dispatch: (call, input, it) => (call > 1 && call < 4 ? NO_CAPACITY : elsewhere.dispatch?.(call, input, it)),
    });
    await run.becomesActive();
    await run.handOver();
    await run.untilCalled('dispatch', 2);
    await run.sleep(MINUTE_MS);
    await run.untilCalled('dispatch', 4);
    expect(await run.view()).toMatchObject({ stage: 'recording', parts: [{ number: 1 }] });
    await records(run, 1);
    await run.until(({ parts }) => parts.length === 2 && parts[0]?.end !== undefined);
    await run.stop();
    expect((await run.result()).parts).toHaveLength(2);
  });

  it('stays where it is when the request is refused elsewhere', async () => {
    const run = await recordings.start({
      ...endsWhenStopped,
      dispatch: (call) => (call === 1 ? undefined : REFUSED),
    });
    await run.becomesActive();
    await run.handOver();
    await run.untilCalled('dispatch', 2);
    await run.sleep(10 * MINUTE_MS);
    expect(run.count('dispatch')).toBe(2);
    await run.stop();
    expect((await run.result()).parts).toMatchObject([{ files: [{}] }]);
  });

  it('tries another one when the successor records nothing, or fails', async () => {
    const run = await recordings.start(elsewhere);
    await run.becomesActive();
    await run.handOver();
    await run.untilCalled('dispatch', 2);
    await run.sleep(SUCCESSOR_LIMIT_MS + MINUTE_MS);
    await run.untilCalled('dispatch', 3);
    expect(run.stopped).toEqual([run.egressId(1)]);
    await run.report(run.snapshot('FAILED', { attempt: 2, error: 'Chrome died' }));
    await run.sleep(MINUTE_MS);
    await run.untilCalled('dispatch', 4);
    expect((await run.view()).parts).toHaveLength(1);
    await records(run, 3);
    await run.until(({ parts }) => parts.length === 2 && parts[0]?.end !== undefined);
    await run.stop();
    const { parts } = await run.result();
    expect(parts.map(({ egressId }) => egressId)).toEqual([run.egressId(), run.egressId(3)]);
  });

  it('goes on with the successor when its worker dies before that records', async () => {
    const run = await recordings.start({
      ...elsewhere,
      inspectPart: (_, { egressId }, it) =>
        egressId === it.egressId() && it.count('dispatch') > 1
          ? { room: 'alive', inRoom: false, onWorker: 'dead' }
          : undefined,
    });
    await run.becomesActive();
    await run.handOver();
    await run.untilCalled('dispatch', 2);
    await run.look();
    await run.until(({ parts }) => parts.length === 2);
    await records(run, 1);
    await run.until(({ stage }) => stage === 'recording');
    expect(run.count('dispatch')).toBe(2);
    await run.stop();
    expect((await run.result()).parts).toMatchObject([{ end: { status: 'LOST' } }, { files: [{}] }]);
  });

  it.each([
    ['stopped', (run: RecordingRun) => run.stop()],
    ['cancelled', (run: RecordingRun) => run.cancel()],
    ['paused', (run: RecordingRun) => run.pause()],
  ])('and that is %s meanwhile leaves no successor behind', async (what, ask) => {
    const run = await recordings.start(elsewhere);
    await run.becomesActive();
    await run.handOver();
    await run.untilCalled('dispatch', 2);
    await ask(run);
    await run.until(({ stage }) => stage === 'paused' || stage === 'stopping' || what !== 'paused');
    if (what === 'paused') {
      await run.until(({ stage }) => stage === 'paused');
      await run.untilStopped(1);
      await run.cancel();
    }
    const { parts } = await run.result();
    expect(parts).toMatchObject([{ files: [{}] }]);
    expect(run.stopped).toContain(run.egressId(1));
  });

  it('is handed over once, however often it is told', async () => {
    const run = await recordings.start(elsewhere);
    await run.becomesActive();
    for (let told = 0; told < 3; told += 1) await run.handOver();
    await run.untilCalled('dispatch', 2);
    await records(run, 1);
    await run.until(({ parts }) => parts.length === 2 && parts[0]?.end !== undefined);
    await run.sleep(MINUTE_MS);
    expect(run.count('dispatch')).toBe(2);
    await run.stop();
    await run.result();
  });

  it('that streams stays, because two workers cannot send one stream', async () => {
    const run = await recordings.start(elsewhere, {
      outputs: [{ type: 'stream', urls: ['rtmp://x.example/app/key'] }],
    });
    await run.becomesActive();
    await run.handOver();
    await run.sleep(MINUTE_MS);
    expect(run.count('dispatch')).toBe(1);
    await run.stop();
    await run.result();
  });

  it('whose worker vanishes after the hand-over ends all the same, with what is left', async () => {
    const run = await recordings.start({
      ...elsewhere,
      stopPart: (_, { egressId }, it) =>
        egressId === it.egressId() ? null : elsewhere.stopPart?.(1, { egressId }, it),
      inspectPart: (_, { egressId }, it) =>
        egressId === it.egressId() && it.stopped.includes(egressId)
          ? { room: 'alive', inRoom: false, onWorker: 'dead' }
          : undefined,
    });
    await run.becomesActive();
    await run.handOver();
    await run.untilCalled('dispatch', 2);
    await records(run, 1);
    await run.until(({ parts }) => parts.length === 2);
    await run.stop();
    expect((await run.result()).parts).toMatchObject([{ end: { status: 'LOST' } }, { files: [{}] }]);
  });
});
