// What is on file of a recording whose workflow was ended in Temporal stays known.
import { describe, expect, it } from 'vitest';
import type { EgressSnapshot } from '../../../src/recording/egress.ts';
import { openRecording } from '../../../src/recording/open.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import { terminatedView } from '../../../src/recording/terminated.ts';
import type { PartView, RecordingView } from '../../../src/recording/view.ts';

const ID = 'EG_abcd1234';
const file = (name: string, sizeBytes = 10) => ({
  filename: name,
  location: `/r/${name}`,
  sizeBytes,
  durationMs: 1_000,
});
const first: PartView = {
  number: 1,
  attempts: 1,
  egressId: ID,
  startedAtMs: 1_000,
  endedAtMs: 5_000,
  files: [{ ...file('a.mp4'), storage: 'default' }],
  end: { status: 'COMPLETE', details: 'End reason: CPU exhausted' },
};
const second: PartView = { number: 2, attempts: 1, egressId: `${ID}_1`, startedAtMs: 6_000, files: [] };

const known = (more: Partial<RecordingView> = {}): RecordingView => ({
  ...openRecording({
    id: ID,
    fleet: 'default',
    request: recordingRequestSchema.parse({ source: { type: 'room', room: 'lesson' } }),
    requestedAtMs: 0,
  }),
  stage: 'recording',
  startedAtMs: 1_000,
  parts: [first, second],
  ...more,
});
const record = (more: Partial<EgressSnapshot> = {}): EgressSnapshot => ({
  egressId: ID,
  status: 'COMPLETE',
  details: 'End reason: StopEgress API',
  endedAtMs: 9_000,
  files: [file('a.mp4'), file('a-1.mp4'), file('empty.mp4', 0)],
  ...more,
});
const message = 'its workflow did not end by itself';

describe('a recording that was terminated', () => {
  it('keeps its parts and their files, and says when and why it ended', () => {
    const view = terminatedView(known(), { message, atMs: 8_000 });
    expect(view).toMatchObject({ stage: 'failed', reason: { code: 'terminated', message }, endedAtMs: 8_000 });
    expect(view.parts).toEqual([first, second]);
    expect(view.startedAtMs).toBe(1_000);
  });

  it('has the file that its last worker finished afterwards from the record of LiveKit, and each file once', () => {
    const { parts } = terminatedView(known(), { message, atMs: 8_000, record: record() });
    expect(parts[0]).toEqual(first);
    expect(parts[1]).toMatchObject({ end: { status: 'COMPLETE' }, endedAtMs: 9_000 });
    expect(parts[1]?.files).toEqual([{ ...file('a-1.mp4'), storage: 'unknown' }]);
  });

  it.each<[string, Partial<RecordingView>, Partial<EgressSnapshot>]>([
    ['LiveKit still calls it active', {}, { status: 'ACTIVE' }],
    ['its last part has ended', { parts: [first] }, {}],
    ['its last part never started', { parts: [{ number: 1, attempts: 0, files: [] }] }, {}],
    ['it had none', { parts: [] }, {}],
  ])('takes nothing from that record when %s', (_, more, said) => {
    const before = known(more);
    expect(terminatedView(before, { message, record: record(said) }).parts).toEqual(before.parts);
  });

  it('waits for nothing any more', () => {
    const waiting = { for: 'capacity', sinceMs: 1, detail: 'no worker is ready' } as const;
    expect(terminatedView(known({ stage: 'waiting', waiting }), { message })).not.toHaveProperty('waiting');
  });
});
