// How long a stop waits for the end of what it stopped.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDepartures } from '../../../src/livekit/departures.ts';

const LIMIT_MS = 10_000;
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function stopOf(egressId: string, departures = createDepartures(), stop: () => Promise<string> = async () => 'ENDING') {
  const seen = { departures, answer: '', problem: '' };
  departures
    .after(egressId, LIMIT_MS, stop, (answer) => answer === 'ENDING')
    .then(
      (answer) => {
        seen.answer = answer;
      },
      (error: unknown) => {
        seen.problem = String(error);
      },
    );
  return seen;
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('a stop that waits for the end', () => {
  it('is over as soon as the recording has the last report', async () => {
    const seen = stopOf('EG_a');
    await pass(5_000);
    expect(seen.answer).toBe('');
    seen.departures.told('EG_a');
    await pass(0);
    expect(seen.answer).toBe('ENDING');
  });

  it('misses no end that comes before its own answer', async () => {
    const departures = createDepartures();
    const seen = stopOf('EG_a', departures, async () => {
      departures.told('EG_a');
      return 'ENDING';
    });
    await pass(0);
    expect(seen.answer).toBe('ENDING');
  });

  it('leaves a moment to the process that hears the report, when the egress has left the bus', async () => {
    const seen = stopOf('EG_a');
    await pass(0);
    seen.departures.left(['EG_a', 'EG_b']);
    await pass(100);
    expect(seen.answer).toBe('');
    await pass(1_000);
    expect(seen.answer).toBe('ENDING');
  });

  it('ends without an end after its limit, at once when there is none to come, and with what the stop failed with', async () => {
    const seen = [
      stopOf('EG_a'),
      stopOf('EG_b', undefined, async () => 'nothing runs'),
      stopOf('EG_c', undefined, () => Promise.reject(new Error('away'))),
    ];
    await pass(0);
    expect(seen.map(({ answer, problem }) => answer + problem)).toEqual(['', 'nothing runs', 'Error: away']);
    await pass(LIMIT_MS);
    expect(seen[0]?.answer).toBe('ENDING');
  });

  it('waits for no more than fifty at once: the others are answered when they are out', async () => {
    const departures = createDepartures();
    const seen = Array.from({ length: 60 }, (_, index) => stopOf(`EG_${index}`, departures));
    await pass(0);
    expect(seen.filter(({ answer }) => answer === '')).toHaveLength(50);
  });
});
