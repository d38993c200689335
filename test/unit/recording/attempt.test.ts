// The ids of a recording and of its attempts.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attemptEgressId, parseAttemptEgressId, resetOffset } from '../../../src/recording/attempt.ts';

describe('the id of an attempt', () => {
  it('is the recording itself for the first one, then numbered', () => {
    expect([0, 1, 17].map((attempt) => attemptEgressId('EG_abcd1234', attempt))).toEqual([
      'EG_abcd1234',
      'EG_abcd1234_1',
      'EG_abcd1234_17',
    ]);
  });

  it('tells recording and attempt', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^EG_[A-Za-z0-9]{8,40}$/), fc.integer({ min: 0, max: 999_999 }), (id, attempt) => {
        expect(parseAttemptEgressId(attemptEgressId(id, attempt))).toEqual({ recordingId: id, attempt });
      }),
    );
  });

  it.each([
    '',
    'EG_',
    'EG_short',
    'EG_abcd1234_',
    'EG_abcd1234_0',
    'EG_abcd1234_01',
    'EG_abcd1234_1000000',
    'EG_abcd1234_1_2',
    'RM_abcd1234',
  ])('is not "%s"', (id) => {
    expect(parseAttemptEgressId(id)).toBeUndefined();
  });
});

describe('a run that was reset', () => {
  it('numbers its attempts far from the first ones, within what attempt ids take', () => {
    fc.assert(
      fc.property(fc.uuid(), (runId) => {
        const offset = resetOffset(runId);
        expect(offset).toBeGreaterThanOrEqual(1_000);
        expect(parseAttemptEgressId(attemptEgressId('EG_abcd1234', offset + 9_000))?.attempt).toBe(offset + 9_000);
      }),
    );
  });

  it('and reset again has other numbers', () => {
    expect(resetOffset('11111111-1111-4111-8111-111111111111')).not.toBe(
      resetOffset('11111111-1111-4111-8111-111111111112'),
    );
  });
});
