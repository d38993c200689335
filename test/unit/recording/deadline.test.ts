// Extending a recording, and how long it waits before it tries again.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkExtension,
  type Extension,
  extendedDeadline,
  LONGEST_RECORDING_MS,
} from '../../../src/recording/deadline.ts';
import { nextPartDelayMs, queueRecheckMs, roomRecheckMs, stopRecheckMs } from '../../../src/recording/delays.ts';

const START = Date.UTC(2030, 0, 1);
const clock = { startsAtMs: START, endDeadlineMs: START + 3_600_000, nowMs: START + 1_800_000 };

describe('an extension', () => {
  it.each([
    ['by a positive time', { byMs: 60_000 }],
    ['to a later end', { untilMs: START + 7_200_000 }],
    ['to an earlier end that is still to come', { untilMs: START + 1_800_001 }],
    ['to a day after the start', { untilMs: START + LONGEST_RECORDING_MS }],
  ])('%s is fine', (_, extension) => {
    expect(checkExtension(extension, clock)).toBeUndefined();
  });

  it.each([
    [{ byMs: 0 }, 'by must be positive, got 0 ms'],
    [{ byMs: -1 }, 'by must be positive'],
    [{ untilMs: START }, 'is not after now, 2030-01-01T00:30:00.000Z'],
    [{ untilMs: START + LONGEST_RECORDING_MS + 1 }, 'extend to 2030-01-02T00:00:00.000Z or earlier'],
    [{ byMs: 24 * 3_600_000 }, 'at most'],
    [{ byMs: Number.NaN }, 'finite'],
    [{ untilMs: Number.POSITIVE_INFINITY }, 'finite'],
    [{ untilMs: -1e300 }, 'is not after now'],
    [{ byMs: '5' }, 'finite'],
    [{}, 'send {byMs} or {untilMs}'],
    [null, 'send {byMs} or {untilMs}'],
    ['1h', 'send {byMs} or {untilMs}'],
  ])('%j is not: %s', (extension, problem) => {
    expect(checkExtension(extension as Extension, clock)).toContain(problem);
  });

  it('to a time before a start that is still to come is not', () => {
    const early = { ...clock, nowMs: START - 7_200_000 };
    expect(checkExtension({ untilMs: START - 1 }, early)).toContain('is not after its start, 2030-01-01T00:00:00.000Z');
    expect(checkExtension({ untilMs: START }, early)).toContain('is not after its start');
    expect(checkExtension({ untilMs: START + 1 }, early)).toBeUndefined();
  });

  it('of any kind never throws, and an accepted one ends after now and within a day of the start', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), fc.record({ byMs: fc.double() }), fc.record({ untilMs: fc.double() })),
        (any) => {
          const extension = any as Extension;
          if (checkExtension(extension, clock) !== undefined) return;
          const untilMs = extendedDeadline(extension, clock);
          expect(untilMs).toBeGreaterThan(clock.nowMs);
          expect(untilMs).toBeLessThanOrEqual(START + LONGEST_RECORDING_MS);
        },
      ),
    );
  });
});

describe('waiting', () => {
  const first = (delay: (round: number) => number, from = 1) =>
    [0, 1, 2, 3, 4, 5, 6].map((round) => delay(from + round));

  it('for capacity is looked at after 30 s and then less often, at most every 5 minutes', () => {
    expect(first(queueRecheckMs)).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000, 300_000]);
  });

  it('for a room begins with 2 s and ends at a minute, so that a day of it fits a history', () => {
    expect(first(roomRecheckMs)).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  it('for the end after a stop begins with 15 s', () => {
    expect(first(stopRecheckMs)).toEqual([15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
  });

  it('between parts grows with the failures in a row', () => {
    expect(first(nextPartDelayMs, 0)).toEqual([0, 1_000, 10_000, 60_000, 120_000, 120_000, 120_000]);
  });
});
