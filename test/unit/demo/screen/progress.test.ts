import { expect, test } from 'vitest';
import {
  allEnded,
  allRecordingOrBeyond,
  describeWorkers,
  dueAction,
  fleetIsEmpty,
  type Look,
} from '../../../../src/demo/look.ts';
import { liveTable } from '../../../../src/demo/screen/live-table.ts';
import { changedRecordings, changedWorkers, newDecisions, newProblems } from '../../../../src/demo/screen/progress.ts';
import { clip, sizeText, textTable } from '../../../../src/demo/screen/text-table.ts';
import { actorAt, cast, endedView, fleetView, recordingView, startMs, timing, worker } from '../support.ts';

const waiting = { for: 'capacity' as const, sinceMs: startMs, detail: 'no worker is ready' };

function look(changes: Partial<Look> = {}): Look {
  return { atMs: startMs + 5_000, recordings: cast.map(() => undefined), fleet: undefined, ...changes };
}

test('a look that changes nothing adds no line', () => {
  const same = look({ recordings: cast.map((actor) => recordingView(actor)), fleet: fleetView([], ['launching 4']) });
  const later = { ...same, atMs: same.atMs + 400 };
  expect(changedRecordings(same, later, cast)).toEqual([]);
  expect(changedWorkers(same, later)).toEqual([]);
  expect(newDecisions(same, later, cast)).toEqual([]);
});

test('each change of stage is one line with what the recording waits for, or how long it has left', () => {
  const before = look({ recordings: [recordingView(actorAt(0), { stage: 'waiting', waiting })] });
  const after = look({ recordings: [recordingView(actorAt(0))] });
  expect(changedRecordings(undefined, before, cast)).toEqual(['alpha      waiting, for capacity: no worker is ready']);
  expect(changedRecordings(before, after, cast)).toEqual([
    'alpha      recording, EG_alpha, 15 s left, after 7.5 s in the queue',
  ]);
});

test('decisions are told once, oldest first, with rooms in place of ids', () => {
  const before = look({ fleet: fleetView([], ['launching 4']) });
  const after = look({
    recordings: [recordingView(actorAt(0))],
    fleet: fleetView([], ['launching 4', 'admitting EG_alpha', 'draining w-1']),
  });
  expect(newDecisions(before, after, cast)).toEqual(['fleet      admitting alpha', 'fleet      draining w-1']);
});

test('what the fleet could not ask is told once', () => {
  const after = look({ fleet: { ...fleetView([]), problems: ['workers: timed out'] } });
  expect(newProblems(undefined, after)).toEqual(['fleet      ! workers: timed out']);
  expect(newProblems(after, after)).toEqual([]);
});

test('workers are counted by what they do, and those that are gone not at all', () => {
  const workers = [worker('a', 'booting'), worker('b', 'ready'), worker('c', 'ready', true), worker('d', 'gone')];
  expect(describeWorkers(fleetView(workers))).toBe('1 booting, 1 idle, 1 busy');
  expect(describeWorkers(fleetView([worker('a', 'draining', true)]))).toBe('1 draining');
  expect(describeWorkers(fleetView([]))).toBe('none');
});

test('the fleet is empty only when it was seen whole', () => {
  expect(fleetIsEmpty(look())).toBe(false);
  expect(fleetIsEmpty(look({ fleet: fleetView([worker('a', 'gone')]) }))).toBe(true);
  expect(fleetIsEmpty(look({ fleet: { ...fleetView([]), problems: ['workers: timed out'] } }))).toBe(false);
});

test('an action is due once its recording has recorded long enough, never before and never afterwards', () => {
  const cancelled = actorAt(1);
  const view = recordingView(cancelled);
  expect(dueAction(cancelled, timing, view, startMs + timing.cancelAfterMs - 1)).toBeUndefined();
  expect(dueAction(cancelled, timing, view, startMs + timing.cancelAfterMs)).toBe('cancelled');
  expect(dueAction(cancelled, timing, endedView(cancelled), startMs + 60_000)).toBeUndefined();
  expect(dueAction(actorAt(3), timing, recordingView(actorAt(3)), startMs + 60_000)).toBeUndefined();
});

test('a recording that failed before it started keeps nobody waiting for its start', () => {
  const failed = recordingView(actorAt(0), { stage: 'failed', startedAtMs: undefined });
  expect(allRecordingOrBeyond(look({ recordings: [failed, recordingView(actorAt(1))] }))).toBe(true);
  expect(allRecordingOrBeyond(look({ recordings: [recordingView(actorAt(0)), undefined] }))).toBe(false);
  expect(allEnded(look({ recordings: [failed, recordingView(actorAt(1))] }))).toBe(false);
});

test('no line of the live table is wider than the terminal, and it sums up what does not fit', () => {
  const recordings = cast.map((actor) => recordingView(actor, { stage: 'waiting', waiting }));
  const lines = liveTable({ cast, look: look({ recordings, fleet: fleetView([]) }), columns: 30, maxRows: 3 });
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(30);
  expect(lines).toContain('and 2 more');
});

test('the live table shows what is in the file once a recording has ended', () => {
  const recordings = cast.map(endedView);
  const lines = liveTable({ cast, look: look({ recordings, fleet: fleetView([]) }), columns: 120, maxRows: 9 });
  expect(lines.find((line) => line.startsWith('bravo'))).toMatch(/cancelled +8\.0 s {2}cancelled: as it should/);
});

test('columns are as wide as their widest cell', () => {
  const table = textTable(
    [
      { title: 'A', text: (row: { a: string; b: string }) => row.a },
      { title: 'B', text: (row) => row.b, align: 'right' },
    ],
    [
      { a: 'long', b: '1' },
      { a: 'x', b: '100' },
    ],
  );
  expect(table).toEqual(['A       B', 'long    1', 'x     100']);
  expect(clip('abcdef', 4)).toBe('abc…');
  expect(sizeText(1_234_567)).toBe('1.2 MB');
});
