// Whether an egress is alive: every combination of what the room and the workers say, young and old, in doubt or not.
import { describe, expect, it } from 'vitest';
import { CONFIRM_MS, doubtRecheckMs, judgeSighting, type Sighting } from '../../../src/recording/loss.ts';

const OLD_MS = 3_600_000;
const base: Sighting = {
  inRoom: false,
  onWorker: 'no',
  mayUpload: false,
  roomGone: false,
  hasRoom: true,
  ageMs: OLD_MS,
  doubtForMs: 0,
};

describe('an egress', () => {
  it.each([
    // inRoom, onWorker, age, doubt for: verdict
    [true, 'yes', OLD_MS, 0, 'alive'],
    [false, 'yes', OLD_MS, OLD_MS, 'alive'],
    [false, 'yes', 1_000, 0, 'alive'],
    [true, 'unknown', OLD_MS, 0, 'alive'],
    [true, 'unknown', 1_000, 0, 'alive'],
    [true, 'no', OLD_MS, 0, 'unsure'],
    [true, 'no', OLD_MS, CONFIRM_MS, 'lost'], // a recorder that died stays in the room for 20.5 s
    [true, 'dead', OLD_MS, 0, 'lost'],
    [false, 'dead', 100, 0, 'lost'],
    [false, 'no', 1_000, 0, 'unsure'], // a look that began before it showed
    [false, 'no', 1_000, CONFIRM_MS, 'unsure'],
    [false, 'no', OLD_MS, 0, 'unsure'],
    [false, 'no', OLD_MS, CONFIRM_MS - 1, 'unsure'],
    [false, 'no', OLD_MS, CONFIRM_MS, 'lost'],
    [false, 'unknown', 1_000, 0, 'unsure'],
    [false, 'unknown', OLD_MS, 0, 'unsure'],
    [false, 'unknown', OLD_MS, 14_999, 'unsure'],
    [false, 'unknown', OLD_MS, 15_000, 'lost'],
  ] as const)(
    'in its room: %s, on a worker: %s, %i ms old, in doubt for %i ms: %s',
    (inRoom, onWorker, ageMs, doubtForMs, verdict) => {
      expect(judgeSighting({ ...base, inRoom, onWorker, ageMs, doubtForMs })).toBe(verdict);
    },
  );

  it('that has left its room to upload may do so for an hour on a worker that cannot be asked', () => {
    const uploading: Sighting = { ...base, mayUpload: true, onWorker: 'unknown' };
    expect(judgeSighting({ ...uploading, doubtForMs: 3_599_999 })).toBe('unsure');
    expect(judgeSighting({ ...uploading, doubtForMs: 3_600_000 })).toBe('lost');
  });

  it.each([{ mayUpload: true }, { roomGone: true }])(
    'after which nothing can follow waits for its report: %o',
    (more) => {
      expect(judgeSighting({ ...base, ...more, doubtForMs: 90_000 })).toBe('unsure');
      expect(judgeSighting({ ...base, ...more, doubtForMs: 100_000 })).toBe('lost');
    },
  );

  it('of a web page, which has no room to be seen in, gets the same patience', () => {
    expect(judgeSighting({ ...base, hasRoom: false, onWorker: 'unknown', doubtForMs: 60_000 })).toBe('unsure');
    expect(judgeSighting({ ...base, hasRoom: false, doubtForMs: CONFIRM_MS })).toBe('lost');
  });
});

it('doubt looks again after 5 s, then less and less often', () => {
  expect([1, 2, 3, 4, 9].map(doubtRecheckMs)).toEqual([5_000, 10_000, 20_000, 40_000, 300_000]);
});
