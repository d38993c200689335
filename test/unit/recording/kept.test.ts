// Which parts are made again, and what that means for the recording.
import { describe, expect, it } from 'vitest';
import { endWithRebuilt, manifestName, rebuiltName, wantsRebuild } from '../../../src/recording/kept.ts';
import { gapsOf, renderManifest } from '../../../src/recording/manifest.ts';
import type { PartView, RecordingView } from '../../../src/recording/view.ts';

const file = { filename: 'a.mp4', location: 'a.mp4', storage: 'disk', sizeBytes: 1, durationMs: 10_000 };
const part = (more: Partial<PartView> = {}): PartView => ({
  number: 1,
  attempts: 1,
  egressId: 'EG_1',
  startedAtMs: 1_000,
  files: [],
  end: { status: 'LOST' },
  ...more,
});

describe('a part', () => {
  it('is made again when it recorded and left no file', () => {
    expect(wantsRebuild(part())).toBe(true);
    expect(wantsRebuild(part({ files: [file] }))).toBe(false);
    expect(wantsRebuild(part({ end: { status: 'HUNG' } }))).toBe(false);
    const { startedAtMs: _, ...unstarted } = part();
    expect(wantsRebuild(unstarted)).toBe(false);
  });

  it('never gets the name that its worker may still write', () => {
    expect(rebuiltName('lessons/a.b/c.mp4')).toBe('lessons/a.b/c-rebuilt.mp4');
    expect(rebuiltName('lessons/a.b/c')).toBe('lessons/a.b/c-rebuilt.mp4');
    expect(manifestName('lessons/c.mp4')).toBe('lessons/c.recording.json');
  });
});

describe('a recording that ended for want of a file', () => {
  it.each([
    ['worker_lost', undefined, 'finished'],
    ['worker_lost', 'stopped', 'stopped'],
    ['egress_failed', undefined, 'finished'],
    ['upload_failed', undefined, 'upload_failed'],
    ['start_deadline', undefined, 'gave_up'],
  ] as const)('as %s (asked to end: %s) is completed as %s', (reason, asked, as) => {
    const end = endWithRebuilt({ stage: 'failed', reason, message: 'it failed' }, asked);
    expect(end).toMatchObject({
      stage: 'completed',
      reason: as,
      message: expect.stringMatching(/^it failed; .* kept$/),
    });
  });

  it('otherwise stays as it is', () => {
    const end = { stage: 'cancelled', reason: 'cancelled', message: 'm' } as const;
    expect(endWithRebuilt(end, undefined)).toBe(end);
  });
});

describe('the manifest', () => {
  const parts = [
    part({ files: [{ ...file, rebuilt: true }] }),
    part({ number: 2, startedAtMs: 15_000, files: [file], end: { status: 'COMPLETE' } }),
    part({ number: 3, startedAtMs: 20_000, files: [file], end: { status: 'COMPLETE' } }),
    part({ number: 4, startedAtMs: 40_000, files: [file], end: { status: 'COMPLETE' } }),
  ];

  it('tells what is missing and why, and what is there twice', () => {
    const pauses = [{ sinceMs: 30_000, untilMs: 39_000 }];
    expect(gapsOf({ parts, pauses })).toEqual([
      { from: at(11_000), until: at(15_000), seconds: 4, reason: 'worker_lost' },
      { from: at(30_000), until: at(40_000), seconds: 10, reason: 'paused' },
    ]);
    const view = { id: 'EG_1', request: { source: { type: 'room' }, labels: {} }, parts, pauses } as unknown;
    const manifest = JSON.parse(renderManifest(view as RecordingView));
    expect(manifest).toMatchObject({
      version: 1,
      recording: 'EG_1',
      parts: [{ number: 1, files: [{ bytes: 1, seconds: 10, rebuilt: true }] }, {}, {}, {}],
      overlaps: [{ from: at(20_000), until: at(25_000), seconds: 5 }],
    });
  });
});

function at(ms: number): string {
  return new Date(ms).toISOString();
}
