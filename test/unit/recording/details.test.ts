// What an operator reads in the Temporal Web UI about an open recording.
import { describe, expect, it } from 'vitest';
import { renderDetails } from '../../../src/recording/details.ts';
import { openRecording } from '../../../src/recording/open.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import { STAGES } from '../../../src/recording/stage.ts';
import type { RecordingView } from '../../../src/recording/view.ts';

const AT = Date.UTC(2030, 0, 31, 9);
const view = (more: Partial<RecordingView> = {}, room = 'demo'): RecordingView => ({
  ...openRecording({
    id: 'EG_abcd1234',
    fleet: 'default',
    request: recordingRequestSchema.parse({ source: { type: 'room', room } }),
    requestedAtMs: AT,
  }),
  ...more,
});
const render = (more: Partial<RecordingView> = {}, room?: string) =>
  renderDetails(view(more, room), { stageSinceMs: AT });

describe('the details', () => {
  it('of one that waits: for what, since when, the last answer, when it expires, and how to give up', () => {
    const text = render({ stage: 'waiting', waiting: { for: 'capacity', sinceMs: AT, detail: 'no worker is ready' } });
    expect(text).toContain('**waiting** since 2030-01-31T09:00:00Z');
    expect(text).toContain('Waiting for **capacity** since 2030-01-31T09:00:00Z: no worker is ready');
    expect(text).toContain('`reelkit fleet explain`');
    expect(text).toContain('It expires at 2030-01-31T09:15:00Z; `reelkit cancel EG_abcd1234` gives up now.');
  });

  it('of one that waits for a worker: its place in the queue, as far as it is known', () => {
    const waiting = { for: 'capacity', sinceMs: AT, detail: 'no worker is ready' } as const;
    const detailsAt = (place: object) =>
      renderDetails(view({ stage: 'waiting', waiting }), {
        stageSinceMs: AT,
        place: { position: 3, seenAtMs: AT + 60_000, ...place },
      });
    expect(detailsAt({ expectedAtMs: AT + 120_000 })).toContain(
      'Place **3** in the queue, a worker expected by 2030-01-31T09:02:00Z, as of 2030-01-31T09:01:00Z',
    );
    expect(detailsAt({})).toContain('Place **3** in the queue, as of');
    expect(render({ stage: 'waiting', waiting })).not.toContain('in the queue');
  });

  it('of one that waits for its room name the room', () => {
    const waiting = { for: 'room', sinceMs: AT, detail: 'requested room does not exist' } as const;
    expect(render({ stage: 'waiting', waiting })).toContain('once room `demo` exists it starts');
  });

  it('of one that records: its egress, its end, its parts and files', () => {
    const text = render({
      stage: 'recording',
      endDeadlineMs: AT + 3_600_000,
      parts: [
        {
          number: 1,
          attempts: 2,
          egressId: 'EG_abcd1234_1',
          startedAtMs: AT,
          files: [{ location: 'a', filename: 'a.mp4', storage: 'default', sizeBytes: 1, durationMs: 61_000 }],
          end: { status: 'COMPLETE', details: 'End reason: CPU exhausted' },
        },
      ],
    });
    expect(text).toContain('Ends by itself at 2030-01-31T10:00:00Z');
    expect(text).toContain(
      '- Part 1, egress `EG_abcd1234_1`, 2 starts, active since 2030-01-31T09:00:00Z, ended COMPLETE (End reason: CPU exhausted), file `a.mp4` 1m1s',
    );
  });

  it('of one for which nobody publishes say that it records once somebody does', () => {
    const part = { number: 1, attempts: 1, egressId: 'EG_abcd1234', awaitsMediaSinceMs: AT, files: [] };
    const text = render({ stage: 'starting', parts: [part] });
    expect(text).toContain('nobody has published since 2030-01-31T09:00:00Z');
    expect(text).toContain('What to do: nothing, it records once somebody publishes in room `demo`');
  });

  it('say what to do at every open stage', () => {
    for (const stage of STAGES)
      expect(/What to do/.test(render({ stage })), stage).toBe(!view({ stage }).reason && isOpen(stage));
  });

  it('of an ended one give the reason', () => {
    expect(render({ stage: 'failed', reason: { code: 'refused', message: 'no such preset' } })).toContain(
      'Reason: **refused**: no such preset',
    );
  });

  it('take names and messages from outside as text, not as Markdown', () => {
    const text = render(
      {
        stage: 'waiting',
        waiting: { for: 'capacity', sinceMs: AT, detail: '# <b>click</b> [here](http://evil)\n\n![x](y)' },
      },
      'a`b',
    );
    expect(text).toContain('\\# \\<b\\>click\\</b\\> \\[here\\](http://evil) !\\[x\\](y)');
    expect(render({ stage: 'waiting', waiting: { for: 'room', sinceMs: AT, detail: '' } }, 'a`b')).toContain('`a b`');
  });

  it('of one that waits for an operator say so', () => {
    const waiting = { for: 'capacity', sinceMs: AT, detail: 'unauthorized', needs: 'operator' } as const;
    expect(render({ stage: 'waiting', waiting })).toContain('An operator must act');
  });

  it('stay short for a part of many files', () => {
    const files = Array.from({ length: 5_000 }, () => ({
      filename: 'x'.repeat(300),
      location: 'x',
      storage: 'local',
      sizeBytes: 1,
      durationMs: 1,
    }));
    const parts = Array.from({ length: 100 }, (_, index) => ({ number: index + 1, attempts: 1, files }));
    expect(render({ stage: 'recording', parts }).length).toBeLessThan(7_000);
  });

  it('stay short for a recording of many parts', () => {
    const parts = Array.from({ length: 100 }, (_, index) => ({ number: index + 1, attempts: 1, files: [] }));
    const text = render({ stage: 'recording', parts });
    expect(text).toContain('(90 earlier parts)');
    expect(text).toContain('Part 100');
    expect(text.length).toBeLessThan(3_000);
  });
});

function isOpen(stage: string): boolean {
  return !['completed', 'failed', 'cancelled', 'expired'].includes(stage);
}
