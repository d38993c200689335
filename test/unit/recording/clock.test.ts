// Durations by one clock: whatever a worker's clock or a host's says, a part lasts as long as it did.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { between, partEndedAt, requestedAt } from '../../../src/recording/clock.ts';

const DAY_MS = 86_400_000;
const T0 = Date.UTC(2026, 0, 1);
const skew = fc.integer({ min: -DAY_MS, max: DAY_MS });
const HEARD_MS = 50;
const soon = fc.integer({ min: 0, max: 5_000 });
const lasting = fc.integer({ min: 0, max: DAY_MS });

describe('a part of a worker whose clock is wrong', () => {
  const story = fc.record({
    skew,
    toAccept: soon,
    toStart: soon,
    lasting,
    toHear: fc.integer({ min: HEARD_MS, max: 5_000 }),
  });

  it('lasts as long as it did, give or take what its start took', () => {
    fc.assert(
      fc.property(story, ({ skew: wrongMs, toAccept, toStart, lasting: lastedMs, toHear }) => {
        const acceptedMs = T0 + toAccept;
        const startedMs = acceptedMs + toStart;
        const endedMs = startedMs + lastedMs;
        const heardMs = startedMs + HEARD_MS;
        const part = {
          acceptedAtMs: between(T0, acceptedMs + wrongMs, acceptedMs),
          startedAtMs: between(T0, startedMs + wrongMs, heardMs),
        };
        const worker = {
          acceptedAtMs: acceptedMs + wrongMs,
          startedAtMs: startedMs + wrongMs,
          endedAtMs: endedMs + wrongMs,
        };
        const endedAtMs = partEndedAt(part, worker, endedMs + toHear);
        const measuredMs = endedAtMs - part.startedAtMs;
        expect(Math.abs(measuredMs - lastedMs)).toBeLessThanOrEqual(toAccept + toStart + toHear + HEARD_MS);
        expect(endedAtMs).toBeLessThanOrEqual(endedMs + toHear);
        expect(endedAtMs).toBeGreaterThanOrEqual(part.startedAtMs);
      }),
    );
  });

  it('ends exactly when its worker says, where the clocks agree', () => {
    const part = { acceptedAtMs: T0, startedAtMs: T0 + 800 };
    const worker = { acceptedAtMs: T0 - 3, startedAtMs: T0 + 800, endedAtMs: T0 + 60_800 };
    expect(partEndedAt(part, worker, T0 + 90_000)).toBe(T0 + 60_800);
  });

  it('ends when it was heard of, where its worker does not say from when to when it lasted', () => {
    expect(partEndedAt({ acceptedAtMs: T0 }, { endedAtMs: T0 - DAY_MS }, T0 + 5_000)).toBe(T0 + 5_000);
    expect(partEndedAt({}, {}, T0)).toBe(T0);
  });
});

describe('the time of a request', () => {
  it("is the host's where Temporal's clock agrees, else the nearest that can be", () => {
    expect(requestedAt(T0 - 40, T0)).toBe(T0 - 40);
    fc.assert(
      fc.property(skew, (wrongMs) => {
        const atMs = requestedAt(T0 + wrongMs, T0);
        expect(atMs).toBeLessThanOrEqual(T0);
        expect(T0 - atMs).toBeLessThanOrEqual(10_000);
      }),
    );
  });
});
