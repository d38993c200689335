// The bodies of webhooks: bounded, and the same whoever sends them when.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openRecording } from '../../../../src/recording/open.ts';
import { recordingRequestSchema } from '../../../../src/recording/request.ts';
import { STAGES } from '../../../../src/recording/stage.ts';
import type { PartView, RecordingView } from '../../../../src/recording/view.ts';
import { Deliveries } from '../../../../src/recording/webhooks/deliveries.ts';
import { EventLog } from '../../../../src/recording/webhooks/event-log.ts';
import { eventOfStage, isLast, MAX_BODY_BYTES, webhookEvent } from '../../../../src/recording/webhooks/events.ts';
import { WEBHOOK_EVENTS } from '../../../../src/recording/webhooks/names.ts';
import { receiversOf, shownAddress } from '../../../../src/recording/webhooks/receivers.ts';
import { retryDelayMs } from '../../../../src/recording/webhooks/retry.ts';

const request = recordingRequestSchema.parse({ source: { type: 'room', room: 'lesson' } });
const view = openRecording({ id: 'EG_abcdefghijkl', fleet: 'default', request, requestedAtMs: 1_000 });

function partOf(number: number, text: string): PartView {
  return { number, attempts: 1, files: [], end: { status: 'FAILED', error: text, details: text } };
}

describe('a body', () => {
  it('stays within its bound whatever a recording went through', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100 }),
        fc.string({ unit: 'grapheme', maxLength: 3_000 }),
        fc.integer({ min: 0, max: 8 }),
        (parts, text, outputs) => {
          const large: RecordingView = {
            ...view,
            request: {
              ...request,
              outputs: Array.from({ length: outputs }, () => ({ type: 'stream', urls: Array(16).fill(text) })),
            },
            waiting: { for: 'capacity', sinceMs: 0, detail: text },
            reason: { code: 'egress_failed', message: text },
            parts: Array.from({ length: parts }, (_, index) => partOf(index + 1, text)),
          };
          const { body } = webhookEvent('recording.failed', 1, large, 0);
          expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MAX_BODY_BYTES);
          expect(JSON.parse(body)).toMatchObject({ event: 'recording.failed', recording: { id: view.id } });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('says what it left out', () => {
    const parts = Array.from({ length: 30 }, (_, index) => partOf(index + 1, 'x'));
    const { recording } = JSON.parse(webhookEvent('recording.completed', 1, { ...view, parts }, 0).body);
    expect([recording.parts.length, recording.parts.at(-1).number, recording.partsLeftOut]).toEqual([20, 30, 10]);
  });
});

it('every stage has its event, and the last ones are those of its ends', () => {
  const events = STAGES.map((stage) => eventOfStage({ ...view, stage }));
  expect(events.every((event) => WEBHOOK_EVENTS.includes(event))).toBe(true);
  expect(events.filter(isLast)).toEqual(
    ['completed', 'failed', 'cancelled', 'expired'].map((end) => `recording.${end}`),
  );
});

describe('the log of a recording', () => {
  it('keeps nothing for nobody, and numbers what it does not keep', () => {
    const nobody = new EventLog([], 0);
    nobody.noteStage(view, 0);
    expect(nobody.hasNews).toBe(false);
    const one = new EventLog([{ kind: 'configured', name: 'a', events: ['recording.part_ended'] }], 0);
    one.noteStage(view, 0);
    one.notePartEnded(view, 0);
    expect(one.take().map(({ sequence, id }) => [sequence, id])).toEqual([[2, 'EV_abcdefghijkl_2']]);
    expect(one.hasNews).toBe(false);
  });

  it('of a run that was reset repeats no id of the run before', () => {
    const [first, again] = [0, 1_000].map((offset) => {
      const log = new EventLog([{ kind: 'configured', name: 'a' }], offset);
      log.noteStage(view, 0);
      return log.take()[0]?.id;
    });
    expect(first).not.toBe(again);
  });
});

describe('receivers', () => {
  it('of the configuration hear of what they match, beside that of the request', () => {
    const rules = [
      { name: 'all' },
      { name: 'exams', match: { room: 'exam-*' } },
      { name: 'course', match: { labels: { course: '7' } } },
    ];
    const told = receiversOf(rules, { source: 'room', room: 'exam-1', labels: {} }, { url: 'https://a/' });
    expect(told.map((one) => (one.kind === 'configured' ? one.name : one.url))).toEqual(['https://a/', 'all', 'exams']);
  });

  it.each([
    ['https://example.com/', 'https://example.com/'],
    ['https://example.com/hooks/T0/B0/abc', 'https://example.com/{...}'],
    ['https://example.com:8443/?token=abc', 'https://example.com:8443/{...}'],
  ])('at %s are shown as %s', (url, shown) => {
    expect(shownAddress(url)).toBe(shown);
  });
});

describe('a delivery', () => {
  it('that is announced twice is one', () => {
    const deliveries = new Deliveries([{ kind: 'configured', name: 'a' }]);
    const event = webhookEvent('recording.started', 1, view, 0);
    deliveries.add(event);
    deliveries.add(event);
    expect(deliveries.shown()).toHaveLength(1);
  });

  it('hands on no more than a payload may hold', () => {
    const deliveries = new Deliveries([{ kind: 'configured', name: 'a' }]);
    for (let sequence = 1; sequence <= 100; sequence += 1)
      deliveries.add({ ...webhookEvent('recording.started', sequence, view, 0), body: 'x'.repeat(MAX_BODY_BYTES) });
    const kept = deliveries.handedOn();
    expect(Buffer.byteLength(JSON.stringify(kept))).toBeLessThan(1_100_000);
    expect(kept.at(-1)?.sequence).toBe(100);
  });

  it('waits longer from try to try, between a half and the whole, and ten minutes at most', () => {
    expect([1, 2, 3].map((tries) => [retryDelayMs(tries, 0), retryDelayMs(tries, 1)])).toEqual([
      [500, 1_000],
      [1_000, 2_000],
      [2_000, 4_000],
    ]);
    expect(retryDelayMs(1_000, 1)).toBe(600_000);
    expect(retryDelayMs(1, 0, 30_000)).toBe(30_000);
  });
});
