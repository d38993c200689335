import { expect, test } from 'vitest';
import type { Evidence, FileEvidence, RecordingEvidence } from '../../../../src/demo/checks/evidence.ts';
import { judge } from '../../../../src/demo/checks/expectations.ts';
import { closingLine, failureLines, resultData, resultTable } from '../../../../src/demo/screen/report.ts';
import { actorAt, endedView, flawlessEvidence, recordingEvidence } from '../support.ts';

const extended = 0;
const cancelled = 1;
const roomCloses = 2;
const untouched = 3;

function with_(i: number, changes: Partial<RecordingEvidence>): Evidence {
  const evidence = flawlessEvidence();
  const recordings = evidence.recordings.map((one, at) => (at === i ? { ...one, ...changes } : one));
  return { ...evidence, recordings };
}

function withFile(i: number, changes: Partial<FileEvidence>): Evidence {
  const [file] = recordingEvidence(actorAt(i)).files;
  if (!file) throw new Error('flawless evidence has a file');
  return with_(i, { files: [{ ...file, ...changes }] });
}

function media(durationSeconds: number, types: readonly ('video' | 'audio')[] = ['video', 'audio']) {
  return { durationSeconds, sizeBytes: 1_000, streams: types.map((type) => ({ type, codec: 'x' })) };
}

/** What did not hold, as `about: expected …; seen …`. */
function failuresOf(evidence: Evidence): string[] {
  return judge(evidence).map(({ about, expected, seen }) => `${about}: expected ${expected}; seen ${seen}`);
}

test('a demo in which everything held has no failures and says so', () => {
  const evidence = flawlessEvidence();
  expect(judge(evidence)).toEqual([]);
  expect(closingLine({ evidence, failures: [], elapsedMs: 1 })).toBe('4/4 recordings verified');
});

test('a recording that was not accepted is told with the answer', () => {
  const evidence = with_(untouched, { view: undefined, requestProblem: '429 too many', files: [] });
  expect(failuresOf({ ...evidence, egressIds: ['EG_alpha'] })).toEqual([
    'delta: expected the request to be accepted; seen 429 too many',
  ]);
});

test('another end than the role asks for is told with its reason', () => {
  const view = {
    ...endedView(actorAt(cancelled)),
    stage: 'failed' as const,
    reason: { code: 'worker_lost' as const, message: 'the worker died' },
  };
  expect(failuresOf(with_(cancelled, { view }))).toEqual([
    'bravo: expected cancelled (cancelled); seen failed, worker_lost: the worker died',
  ]);
});

test('a recording that still waits is told with what it waits for', () => {
  const view = {
    ...endedView(actorAt(untouched)),
    stage: 'waiting' as const,
    reason: undefined,
    parts: [],
    waiting: { for: 'capacity' as const, sinceMs: 1, detail: 'no worker is ready' },
  };
  expect(failuresOf(with_(untouched, { view, files: [] }))[0]).toBe(
    'delta: expected completed (max_duration); seen waiting, no worker is ready',
  );
});

test('a second part is a failure, because nothing should have died, and says how the first one ended', () => {
  const view = endedView(actorAt(untouched));
  const [part] = view.parts;
  if (!part) throw new Error('it has a part');
  const lost = { ...part, egressId: 'EG_lost', files: [], end: { status: 'LOST', error: 'on no worker' } };
  const parts = [lost, { ...part, number: 2 }];
  expect(failuresOf(with_(untouched, { view: { ...view, parts } }))[0]).toMatch(
    /^delta: expected one part with one file; seen part 1 \(EG_lost\): LOST on no worker, 0 files; part 2/,
  );
});

test('the extended recording must really be longer than its first maxDuration', () => {
  const failures = failuresOf(withFile(extended, { media: media(20), toldDurationMs: 20_000 }));
  expect(failures).toContain('alpha: expected at least 28.0 s in its files; seen 20.0 s');
});

test('files must last as long as from start to stop, within 2 s', () => {
  const lengths = { 5.9: 1, 6.1: 0, 9.9: 0, 10.1: 1 };
  for (const [seconds, failures] of Object.entries(lengths)) {
    const evidence = withFile(cancelled, { media: media(Number(seconds)), toldDurationMs: Number(seconds) * 1_000 });
    const byStop = failuresOf(evidence).filter((line) => line.includes('from its start to its stop'));
    expect(byStop, `${seconds} s`).toHaveLength(failures);
  }
});

test('a room that was closed is measured to the moment of closing', () => {
  const evidence = with_(roomCloses, { actedAtMs: (endedView(actorAt(roomCloses)).startedAtMs ?? 0) + 15_000 });
  expect(failuresOf(evidence)).toEqual([
    'charlie: expected 15.0 s in its files, the time from its start to its stop; seen 10.0 s',
  ]);
});

test('a file whose length differs from what the recording says is told', () => {
  expect(failuresOf(withFile(untouched, { toldDurationMs: 23_000 }))).toEqual([
    'delta: expected 23.0 s in /files/delta.mp4, as the recording says; seen 20.0 s',
  ]);
});

test('a missing stream is told', () => {
  expect(failuresOf(withFile(untouched, { media: media(20, ['video']), toneHz: undefined }))).toEqual([
    'delta: expected one video and one audio stream in /files/delta.mp4; seen video',
    `delta: expected its room's tone of ${actorAt(untouched).toneHz} Hz in /files/delta.mp4; seen silence`,
  ]);
});

test("the tone of another room is told: the recording has somebody else's sound", () => {
  const failures = failuresOf(withFile(untouched, { toneHz: actorAt(extended).toneHz }));
  expect(failures).toEqual([
    `delta: expected its room's tone of ${actorAt(untouched).toneHz} Hz in /files/delta.mp4; seen 300 Hz`,
  ]);
});

test('a file that cannot be read is told once, with why', () => {
  expect(failuresOf(withFile(untouched, { media: undefined, problem: 'no moov atom' }))).toEqual([
    'delta: expected a readable file /files/delta.mp4; seen no moov atom',
  ]);
});

test('workers that were there before, never came, or stayed are failures of the fleet', () => {
  const evidence: Evidence = {
    ...flawlessEvidence(),
    fleet: { workersBefore: 1, mostWorkers: 0, workersAfter: 2, lastDecision: 'at the maximum' },
  };
  expect(failuresOf(evidence)).toEqual([
    'fleet: expected no worker before the requests; seen 1 worker',
    'fleet: expected workers to be launched; seen none was ever seen',
    'fleet: expected no worker at the end; seen 2 workers; last decision: at the maximum',
  ]);
});

test('an egress that no recording owns was started once too often', () => {
  const evidence = flawlessEvidence();
  expect(failuresOf({ ...evidence, egressIds: [...(evidence.egressIds ?? []), 'EG_twice'] })).toEqual([
    'fleet: expected no egress but those of the recordings; seen EG_twice',
  ]);
});

test('a recording is one egress to LiveKit, also when the second attempt made its file', () => {
  const view = endedView(actorAt(untouched));
  const parts = view.parts.map((part) => ({ ...part, attempts: 2, egressId: `${view.id}_1` }));
  expect(failuresOf(with_(untouched, { view: { ...view, parts } }))).toEqual([]);
});

test('a component that died is told', () => {
  expect(failuresOf({ ...flawlessEvidence(), casualty: 'Reelkit has ended by itself' })).toEqual([
    'fleet: expected every component to live through the demo; seen Reelkit has ended by itself',
  ]);
});

test('each failure names the log to read, and its row says FAILED', () => {
  const evidence = withFile(untouched, { toneHz: undefined });
  const outcome = { evidence, failures: judge(evidence), elapsedMs: 90_000 };
  expect(failureLines(outcome.failures).at(-1)).toBe('  read: workers');
  expect(resultTable(outcome).filter((line) => line.endsWith('verified'))).toHaveLength(3);
  expect(resultTable(outcome).at(-1)).toMatch(/^delta .*FAILED$/);
  expect(closingLine(outcome)).toBe('3/4 recordings verified');
});

test('the result as data says the same, and where the files are kept', () => {
  const evidence = withFile(untouched, { toneHz: undefined });
  const data = resultData({ evidence, failures: judge(evidence), elapsedMs: 90_000.4 }, '/state');
  expect(data).toMatchObject({ ok: false, verified: 3, total: 4, elapsedMs: 90_000, keptIn: '/state' });
  expect(data.recordings.map(({ verified }) => verified)).toEqual([true, true, true, false]);
  expect(JSON.parse(JSON.stringify(data)).recordings[0]).toMatchObject({ room: 'alpha', egressIds: ['EG_alpha'] });
});

test('when something died, that is told first, and recordings still open are told by their stage alone', () => {
  const view = {
    ...endedView(actorAt(cancelled)),
    stage: 'recording' as const,
    reason: undefined,
    endedAtMs: undefined,
  };
  const evidence = { ...with_(cancelled, { view, files: [] }), casualty: 'Reelkit has ended by itself' };
  expect(failuresOf(evidence)).toEqual([
    'fleet: expected every component to live through the demo; seen Reelkit has ended by itself',
    'bravo: expected cancelled (cancelled); seen recording',
  ]);
});
