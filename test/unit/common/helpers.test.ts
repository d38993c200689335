// The small helpers that every room may use.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, withJitter } from '../../../src/common/backoff.ts';
import { defined } from '../../../src/common/defined.ts';

describe('a back-off', () => {
  it('doubles from the first wait to the longest', () => {
    const waits = [1, 2, 3, 4, 5].map((nth) => backoffMs({ firstMs: 1_000, maxMs: 5_000 }, nth));
    expect(waits).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
  });

  it('is finite, never above its limit and never shorter than the one before, with jitter within half of it', () => {
    fc.assert(
      fc.property(
        fc.nat(1e9),
        fc.nat(1e9),
        fc.integer(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (a, b, nth, at) => {
          const backoff = { firstMs: Math.min(a, b), maxMs: Math.max(a, b) };
          const ms = backoffMs(backoff, nth);
          expect(ms).toBeLessThanOrEqual(backoff.maxMs);
          expect(backoffMs(backoff, nth + 1)).toBeGreaterThanOrEqual(ms);
          const jittered = withJitter(ms, () => at);
          expect(jittered).toBeGreaterThanOrEqual(Math.floor(ms / 2));
          expect(jittered).toBeLessThanOrEqual(ms);
        },
      ),
    );
  });
});

it('optional fields that are not known are absent', () => {
  expect(Object.keys(defined({ a: 1, b: undefined, c: null, d: false, e: '' }))).toEqual(['a', 'c', 'd', 'e']);
});
