// What one dispatch to a worker meant: each psrpc code, and what is known without an answer.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classifyStart, type DispatchReply, httpStatusOf } from '../../../src/recording/start-outcome.ts';

const worker = { id: 'w1', topic: 'topic-1' };
const attempt = { egressId: 'EG_00000001_2', worker };
const error = (code: string): DispatchReply => ({ kind: 'error', code, message: 'of the worker' });

describe('a worker', () => {
  it('that accepts the request has it, from the time of its answer', () => {
    expect(classifyStart({ kind: 'accepted', atMs: 5 }, { ...attempt, roomId: 'RM_1' })).toEqual({
      kind: 'started',
      egressId: 'EG_00000001_2',
      acceptedAtMs: 5,
      worker,
      roomId: 'RM_1',
    });
    expect(classifyStart({ kind: 'accepted', atMs: 5 }, attempt)).not.toHaveProperty('roomId');
  });

  it.each([
    // The request itself is wrong: every worker would say so.
    ['invalid_argument', 'refused', 400],
    ['malformed_request', 'refused', 400],
    ['permission_denied', 'refused', 403],
    ['not_found', 'refused', 404],
    ['failed_precondition', 'refused', 412],
    ['unimplemented', 'refused', 0],
    // This worker cannot; its handler is gone, so the id is used up.
    ['internal', 'declined', undefined],
    ['resource_exhausted', 'declined', undefined],
    ['unavailable', 'declined', undefined],
    ['canceled', 'declined', undefined],
    ['aborted', 'declined', undefined],
    ['unauthenticated', 'declined', undefined],
    ['unknown', 'declined', undefined],
    ['of later days', 'declined', undefined],
    // It may run.
    ['already_exists', 'unknown', undefined],
    ['deadline_exceeded', 'unknown', undefined],
  ] as const)('that answers %s: %s', (code, kind, errorCode) => {
    const outcome = classifyStart(error(code), attempt);
    expect(outcome).toMatchObject({ kind, message: `w1 answered ${code}: of the worker` });
    if (outcome.kind === 'refused') expect(outcome.errorCode).toBe(errorCode);
    else expect(outcome).toMatchObject({ egressId: attempt.egressId });
  });

  it('that was granted the start and does not answer may run it', () => {
    expect(classifyStart({ kind: 'no_answer', message: 'no response in 30 s' }, attempt)).toEqual({
      kind: 'unknown',
      egressId: attempt.egressId,
      message: 'w1 was granted the start and did not answer: no response in 30 s',
    });
  });

  it('that was not granted the start runs nothing, and uses up no id', () => {
    expect(classifyStart({ kind: 'not_granted', message: 'no claim' }, attempt)).toEqual({
      kind: 'no_capacity',
      message: 'w1: no claim',
    });
  });
});

it('whatever code a worker answers, an attempt is started by an acceptance alone', () => {
  fc.assert(fc.property(fc.string(), (code) => classifyStart(error(code), attempt).kind !== 'started'));
});

it('psrpc codes have the numbers that EgressInfo tells; unknown ones have none', () => {
  expect(['invalid_argument', 'resource_exhausted', 'internal', 'toString', ''].map(httpStatusOf)).toEqual([
    400, 429, 500, 0, 0,
  ]);
});
