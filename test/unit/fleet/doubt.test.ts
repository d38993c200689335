// For how long a worker is doubted, and from when on it is no capacity.
import { describe, expect, it } from 'vitest';
import {
  type Doubt,
  type DoubtCode,
  isLastChoice,
  isPassedOver,
  isSetAside,
  nextDoubt,
  whyDoubted,
} from '../../../src/fleet/doubt.ts';

const NOW = 1_000_000;

/** Doubted so many times, each as soon as the one before was over; what was said of each. */
function inARow(code: DoubtCode, times: number) {
  const row: { forMs: number; setAside: boolean; passedOver: boolean }[] = [];
  let doubt: Doubt | undefined;
  let nowMs = NOW;
  for (let index = 0; index < times; index++) {
    doubt = nextDoubt(doubt, code, nowMs);
    row.push({
      forMs: doubt.untilMs - nowMs,
      setAside: isSetAside(doubt, nowMs),
      passedOver: isPassedOver(doubt, nowMs),
    });
    nowMs = doubt.untilMs;
  }
  return row;
}

describe('a worker that is doubted', () => {
  it('is passed over where it does not take starts, and set aside at the third', () => {
    expect(inARow('not_taken', 3)).toEqual([
      { forMs: 2_000, setAside: false, passedOver: true },
      { forMs: 4_000, setAside: false, passedOver: true },
      { forMs: 600_000, setAside: true, passedOver: true },
    ]);
  });

  it('is still tried where recordings failed, and set aside at the third', () => {
    expect(inARow('fails', 3)).toEqual([
      { forMs: 10_000, setAside: false, passedOver: false },
      { forMs: 20_000, setAside: false, passedOver: false },
      { forMs: 600_000, setAside: true, passedOver: true },
    ]);
  });

  it('is set aside at once where one hung, longer each time', () => {
    expect(inARow('hangs', 4).map(({ forMs }) => forMs)).toEqual([60_000, 120_000, 600_000, 600_000]);
    expect(inARow('hangs', 4).every(({ setAside, passedOver }) => setAside && passedOver)).toBe(true);
  });

  it('is the last choice after a failure or a hang, also when its time is over', () => {
    const last = (['not_taken', 'fails', 'hangs'] as const).filter((code) =>
      isLastChoice(nextDoubt(undefined, code, NOW)),
    );
    expect(last).toEqual(['fails', 'hangs']);
  });

  it('says what happened and for how long', () => {
    const hung = nextDoubt(undefined, 'hangs', NOW);
    expect(whyDoubted(hung, NOW)).toBe('what it started last never began to record: it is set aside for 1m');
    expect(whyDoubted(hung, hung.untilMs)).toBe('what it started last never began to record: it is tried again');
  });
});
