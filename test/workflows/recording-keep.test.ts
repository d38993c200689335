// What outlives the workers of a recording: files that are made again, segments that go, a manifest.
import { describe, expect, it } from 'vitest';
import type { PartInspection } from '../../src/activities/contract.ts';
import { HOUR_MS, MINUTE_MS, NO_CAPACITY, type RecordingRun, type Script } from '../support/recording-env.ts';
import { useRecordings } from '../support/use-recordings.ts';

const recordings = useRecordings();

const KEEP = { keepFolder: 'lessons/.reelkit/EG_x/' };
const dead: PartInspection = { room: 'alive', inRoom: false, onWorker: 'dead' };
const workerDies = (): Script => ({ inspectPart: (call) => (call === 1 ? dead : undefined) });

/** Its worker has said how it names the file. */
async function records(run: RecordingRun, attempt = 0): Promise<void> {
  await run.untilAccepted(attempt);
  const files = [{ filename: `${attempt}.mp4`, location: `${attempt}.mp4`, sizeBytes: 0, durationMs: 0 }];
  await run.report(run.snapshot('ACTIVE', { attempt, files, startedAtMs: await run.now() }));
  await run.until(({ stage }) => stage === 'recording');
}

describe('a part whose worker died', () => {
  it('has its file made again while the next one records', async () => {
    const run = await recordings.start(workerDies(), KEEP);
    await records(run);
    await run.look();
    await run.until(({ parts }) => parts[0]?.files.length === 1);
    await records(run, 1);
    await run.sleep(MINUTE_MS);
    await run.report(run.complete('StopEgress API', { attempt: 1 }));
    const { parts, stage } = await run.result();
    expect(stage).toBe('completed');
    expect(parts).toMatchObject([
      { end: { status: 'LOST' }, files: [{ filename: 'rebuilt 0.mp4', rebuilt: true, sizeBytes: 500 }] },
      { files: [{}] },
    ]);
    expect(run.inputs('rebuildPart')).toMatchObject([
      { attempt: 0, filename: '0.mp4', report: `${run.egressId()} ACTIVE`, wire: 'wire', ...KEEP },
    ]);
    // LiveKit's record holds the file as well.
    expect(run.inputs('publishRecord').at(-1)?.reports[0]).toBe(`${run.egressId()} ACTIVE rebuilt joined`);
  });

  it('and with which the recording ends is completed, not failed', async () => {
    const run = await recordings.start(workerDies(), KEEP);
    run.script.dispatch = (call) => (call > 1 ? NO_CAPACITY : undefined);
    await records(run);
    run.hold('rebuildPart');
    await run.look();
    await run.until(({ stage }) => stage === 'waiting');
    run.script.inspectRoom = () => ({ room: 'gone' });
    await run.look();
    await run.until(({ stage }) => stage === 'stopping');
    run.release('rebuildPart');
    expect(await run.result()).toMatchObject({
      stage: 'completed',
      reason: { code: 'finished', message: expect.stringContaining('was kept') },
      parts: [{ files: [{ rebuilt: true }] }],
    });
    expect(run.published.at(-1)).toBe('COMPLETE');
  });

  it('leaves nothing where only files are wanted', async () => {
    const run = await recordings.start(workerDies(), { ...KEEP, keep: 'file-only' });
    await records(run);
    await run.look();
    await records(run, 1);
    await run.report(run.complete('StopEgress API', { attempt: 1 }));
    expect((await run.result()).parts[0]?.files).toEqual([]);
    expect(run.count('rebuildPart')).toBe(0);
    expect(run.inputs('dispatch')[0]).not.toHaveProperty('keepFolder');
  });

  it('keeps its segments when no file can be made of them', async () => {
    const run = await recordings.start(
      {
        ...workerDies(),
        rebuildPart: () => {
          throw new Error('no ffmpeg here');
        },
      },
      KEEP,
    );
    await records(run);
    await run.look();
    await records(run, 1);
    await run.sleep(HOUR_MS);
    await run.report(run.complete('StopEgress API', { attempt: 1 }));
    const { parts } = await run.result();
    expect(parts[0]).toMatchObject({ files: [], segments: KEEP.keepFolder });
    expect(run.inputs('settleFiles')).toMatchObject([{ unmade: [0] }]);
  });

  it('whose worker comes back with the whole file has that', async () => {
    const run = await recordings.start(workerDies(), KEEP);
    await records(run);
    run.hold('rebuildPart');
    await run.look();
    await records(run, 1);
    await run.report(run.complete('Source closed'));
    await run.until(({ parts }) => parts[0]?.files.length === 1);
    run.release('rebuildPart');
    await run.report(run.complete('StopEgress API', { attempt: 1 }));
    const { parts } = await run.result();
    expect(parts[0]?.files).toMatchObject([{ filename: `${run.egressId()}.mp4` }]);
    expect(parts[0]?.files[0]).not.toHaveProperty('rebuilt');
  });

  it('keeps the file that was made, although its worker says later that it failed', async () => {
    const run = await recordings.start(workerDies(), KEEP);
    await records(run);
    await run.look();
    await run.until(({ parts }) => parts[0]?.files.length === 1);
    await records(run, 1);
    await run.report(run.snapshot('FAILED', { error: 'too late' }));
    await run.report(run.complete('StopEgress API', { attempt: 1 }));
    expect((await run.result()).parts[0]).toMatchObject({ end: { status: 'LOST' }, files: [{ rebuilt: true }] });
  });
});

describe('several parts', () => {
  async function inTwoParts(run: RecordingRun): Promise<void> {
    await records(run);
    await run.sleep(MINUTE_MS);
    await run.report(run.complete('CPU exhausted'));
    await records(run, 1);
    await run.sleep(MINUTE_MS);
    await run.report(run.complete('StopEgress API', { attempt: 1 }));
  }

  it('become one file beside them, of which LiveKit knows as well', async () => {
    const run = await recordings.start({}, KEEP);
    await inTwoParts(run);
    const { joined, parts, stage } = await run.result();
    expect([stage, joined]).toMatchObject(['completed', { filename: 'joined.mp4', seams: [{ atMs: 4_000 }] }]);
    expect(parts.flatMap(({ files }) => files).some(({ removed }) => removed)).toBe(false);
    expect(run.inputs('joinParts')).toMatchObject([
      { isAlone: false, parts: [{ number: 1, path: `${run.egressId()}.mp4`, durationMs: 5_000 }, { number: 2 }] },
    ]);
    expect(run.inputs('publishRecord').at(-1)?.reports).toEqual([
      `${run.egressId()} COMPLETE joined`,
      `${run.egressId(1)} COMPLETE joined`,
    ]);
    expect(run.inputs('settleFiles')).toMatchObject([{ removed: [] }]);
  });

  it('are removed after the end where only the joined file is wanted', async () => {
    const run = await recordings.start({}, { ...KEEP, output: 'joined' });
    await inTwoParts(run);
    const { parts } = await run.result();
    expect(parts).toMatchObject([{ files: [{ removed: true }] }, { files: [{ removed: true }] }]);
    expect(run.inputs('settleFiles')).toMatchObject([{ removed: [0, 1].map((n) => `${run.egressId(n)}.mp4`) }]);
  });

  it('stay what they are when they cannot be joined, and the recording says why', async () => {
    const run = await recordings.start(
      {
        joinParts: () => {
          throw new Error('the disk is full');
        },
      },
      { ...KEEP, output: 'joined' },
    );
    await inTwoParts(run);
    const view = await run.result();
    expect(view).toMatchObject({ stage: 'completed', joinProblem: 'the disk is full' });
    expect(view.joined).toBeUndefined();
    expect(run.inputs('settleFiles')).toMatchObject([{ removed: [] }]);
  });

  it('are left alone where parts are asked for', async () => {
    const run = await recordings.start({}, { ...KEEP, output: 'parts' });
    await inTwoParts(run);
    await run.result();
    expect(run.count('joinParts')).toBe(0);
  });
});

describe('the end of a recording', () => {
  it('writes the manifest beside the file and removes what was kept', async () => {
    const run = await recordings.start({}, KEEP);
    await records(run);
    await run.report(run.complete('StopEgress API'));
    await run.result();
    expect(run.count('rebuildPart')).toBe(0);
    const [settled] = run.inputs('settleFiles');
    expect(settled).toMatchObject({ ...KEEP, unmade: [], manifest: { path: `${run.egressId()}.recording.json` } });
    expect(JSON.parse(settled?.manifest?.text ?? '')).toMatchObject({ recording: run.id, stage: 'completed' });
  });

  it('waits for no storage, and is no demand while that is away', async () => {
    const run = await recordings.start(
      {
        settleFiles: (call) => {
          if (call < 4) throw new Error('503 Slow Down');
          return undefined;
        },
      },
      KEEP,
    );
    await records(run);
    await run.report(run.complete('StopEgress API'));
    await run.untilPublished('COMPLETE');
    expect((await run.result()).stage).toBe('completed');
    expect(run.count('settleFiles')).toBe(4);
    expect((await run.indexed()).at(-1)).toBe('completed');
  });

  it('asks no storage for a recording that never had a worker, or that keeps nothing', async () => {
    const never = await recordings.start({ dispatch: () => NO_CAPACITY }, KEEP);
    await never.until(({ stage }) => stage === 'waiting');
    await never.cancel();
    await never.result();
    const plain = await recordings.start(workerDies());
    await records(plain);
    await plain.look();
    await records(plain, 1);
    await plain.report(plain.complete('StopEgress API', { attempt: 1 }));
    await plain.result();
    for (const run of [never, plain]) expect([run.count('settleFiles'), run.count('rebuildPart')]).toEqual([0, 0]);
  });
});
