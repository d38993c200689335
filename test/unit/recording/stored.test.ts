// Where a part's files are, and what is missing of them.
import { describe, expect, it } from 'vitest';
import type { EgressReport } from '../../../src/recording/egress.ts';
import type { RecordingOutput } from '../../../src/recording/request.ts';
import { storedFiles, warningsOf } from '../../../src/recording/stored.ts';

const MINUTE_MS = 60_000;
const FILE = { filename: 'a.mp4', location: 'https://b/a.mp4', sizeBytes: 1, durationMs: 5 * MINUTE_MS };
const report = (more: Partial<EgressReport> = {}): EgressReport => ({
  egressId: 'EG_x',
  status: 'COMPLETE',
  files: [FILE],
  ...more,
});
const named: RecordingOutput[] = [{ type: 'file', storage: 'archive' }];
const brought = [
  { type: 'file', storage: { type: 'gcs', bucket: 'b', credentials: '', prefix: '' } },
] satisfies RecordingOutput[];

describe('a file', () => {
  it.each([
    ['the storage that was named', named, 'api', undefined, 'archive'],
    ['the one that the request brought', brought, 'api', undefined, 'inline'],
    ['where LiveKit was told', [{ type: 'file' }], 'livekit', undefined, 'livekit'],
    ["the worker's backup", named, 'api', 'all', 'backup'],
    ['one of two, when other outputs were written as well', named, 'api', 'some', 'unknown'],
    ["the worker's backup, whoever asked", [{ type: 'file' }], 'livekit', 'all', 'backup'],
  ] as const)('is in %s', (_, outputs, origin, backup, storage) => {
    expect(storedFiles(report(backup ? { backup } : {}), outputs, origin)).toEqual([{ ...FILE, storage }]);
  });

  it('that is empty is none', () => {
    expect(storedFiles(report({ files: [{ ...FILE, sizeBytes: 0 }] }), named, 'api')).toEqual([]);
  });
});

describe('a part', () => {
  const part = (lastedMs: number | undefined, durations: number[]) => ({
    number: 1,
    attempts: 1,
    startedAtMs: 1_000,
    ...(lastedMs === undefined ? {} : { endingAtMs: 1_000 + lastedMs }),
    // However long the upload took.
    endedAtMs: 90 * MINUTE_MS,
    files: durations.map((durationMs) => ({ ...FILE, durationMs, storage: 'archive' })),
  });

  it.each([
    ['a file as long as it lasted', 5 * MINUTE_MS, [5 * MINUTE_MS], []],
    ['a file 10 s shorter', 5 * MINUTE_MS, [5 * MINUTE_MS - 10_000], []],
    ['a file more than 10 s shorter', 5 * MINUTE_MS, [5 * MINUTE_MS - 10_001], ['file_shorter']],
    ['a file that is longer', 5 * MINUTE_MS, [6 * MINUTE_MS], []],
    ['no file', 5 * MINUTE_MS, [], []],
    ['an end that nobody saw coming', undefined, [1], []],
  ])('with %s', (_, lastedMs, durations, codes) => {
    expect(warningsOf(part(lastedMs, durations), report()).map(({ code }) => code)).toEqual(codes);
  });

  it('says how much there is, and what may have become of the rest', () => {
    const [warning] = warningsOf(part(5 * MINUTE_MS, [4 * MINUTE_MS]), report());
    expect(warning?.message).toMatch(/holds 4m of the 5m that were recorded: nobody sent .*, or the worker lost it/);
  });

  it.each([
    ['all', /fetch the file from there/],
    ['some', /their locations tell which/],
  ] as const)("names the worker's backup storage: used for %s", (backup, text) => {
    const warnings = warningsOf(part(MINUTE_MS, [MINUTE_MS]), report({ backup }));
    expect(warnings).toEqual([{ code: 'backup_storage_used', message: expect.stringMatching(text) }]);
  });
});
