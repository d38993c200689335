// What the answer of a worker meant, row by row: what may run, what is used up, and what no worker will ever take.
import { describe, expect, it } from 'vitest';
import { classifyStart, httpStatusOf } from '../../../src/recording/start-outcome.ts';

const attempt = { egressId: 'EG_abcdefgh_1', worker: { id: 'w1', topic: 't1' } };

describe('the answer of a worker', () => {
  it('that accepts means started, at the time of the answer, on that worker', () => {
    expect(classifyStart({ kind: 'accepted', atMs: 5 }, { ...attempt, roomId: 'RM_x' })).toEqual({
      kind: 'started',
      egressId: 'EG_abcdefgh_1',
      acceptedAtMs: 5,
      worker: attempt.worker,
      roomId: 'RM_x',
    });
  });

  it('that never came to a claim means that nothing can run, under this id or any', () => {
    expect(classifyStart({ kind: 'not_granted', message: 'no claim' }, attempt)).toEqual({
      kind: 'no_capacity',
      message: 'w1: no claim',
    });
  });

  it('that is missing after a grant means that it may run', () => {
    expect(classifyStart({ kind: 'no_answer', message: 'time is over' }, attempt)).toMatchObject({
      kind: 'unknown',
      egressId: 'EG_abcdefgh_1',
    });
  });

  it.each([
    ['invalid_argument', 'refused'],
    ['malformed_request', 'refused'],
    ['permission_denied', 'refused'],
    ['not_found', 'refused'],
    ['failed_precondition', 'refused'],
    ['unimplemented', 'refused'],
    ['already_exists', 'unknown'],
    ['deadline_exceeded', 'unknown'],
    ['unavailable', 'declined'],
    ['internal', 'declined'],
    ['resource_exhausted', 'declined'],
    ['a_code_of_later_days', 'declined'],
  ] as const)('%s: %s, and the worker is quoted', (code, kind) => {
    const outcome = classifyStart({ kind: 'error', code, message: 'words' }, attempt);
    expect(outcome).toMatchObject({ kind, message: `w1 answered ${code}: words` });
  });

  it('that refuses carries the code that LiveKit shows', () => {
    expect(classifyStart({ kind: 'error', code: 'invalid_argument', message: '' }, attempt)).toMatchObject({
      errorCode: 400,
    });
    expect(['permission_denied', 'not_found', 'failed_precondition', 'unavailable', 'odd'].map(httpStatusOf)).toEqual([
      403, 404, 412, 503, 0,
    ]);
  });
});
