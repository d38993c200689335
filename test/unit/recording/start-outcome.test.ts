// One row for each row of LiveKit's error matrix (facts of LiveKit, section 1.5) and for what was measured (section 0).
import { describe, expect, it } from 'vitest';
import { classifyStart, type StartReply } from '../../../src/recording/start-outcome.ts';

const error = (httpStatus: number, twirpCode: string | undefined, message: string): StartReply => ({
  kind: 'error',
  httpStatus,
  message,
  ...(twirpCode === undefined ? {} : { twirpCode }),
});

describe('an answer of LiveKit', () => {
  it('that accepts the request means started, at the time of the answer', () => {
    expect(classifyStart({ kind: 'accepted', egressId: 'EG_1', atMs: 5 })).toEqual({
      kind: 'started',
      egressId: 'EG_1',
      acceptedAtMs: 5,
    });
  });

  it.each([
    // section 1.5
    ['no worker connected', error(503, 'unavailable', 'no response from servers'), 'no_capacity'],
    ['every worker full, draining or disabled', error(503, 'unavailable', 'no response from servers'), 'no_capacity'],
    ['the race for a worker lost every time', error(503, 'unavailable', 'not enough CPU'), 'no_capacity'],
    ['the worker shut down after its claim', error(503, 'unavailable', 'server is shutting down'), 'no_capacity'],
    ['a bad request', error(400, 'invalid_argument', 'request has missing or invalid field: output'), 'refused'],
    ['a missing room', error(404, 'not_found', 'requested room does not exist'), 'room_missing'],
    ['a handler that does not start', error(500, 'internal', 'handler failed to start'), 'ambiguous'],
    ['a handler that hangs', error(408, 'deadline_exceeded', 'request timed out'), 'ambiguous'],
    ['a worker that died after its claim', error(408, 'deadline_exceeded', 'request timed out'), 'ambiguous'],
    ['Redis down', error(500, 'internal', 'dial tcp 10.0.0.1:6379: connect: connection refused'), 'ambiguous'],
    ['Redis down, a web page', error(503, 'unavailable', 'no response from servers'), 'no_capacity'],
    ['LiveKit without Redis', error(503, 'unavailable', 'no response from servers'), 'no_capacity'],
    ['LiveKit without Redis, as its list says it', error(500, 'internal', 'egress not connected'), 'ambiguous'],
    ['a token without roomRecord', error(401, 'unauthenticated', 'permissions denied'), 'refused'],
    ['a grant LiveKit does not give', error(403, 'permission_denied', 'permissions denied'), 'refused'],
    // section 0, measured
    ['408 canceled: four of four were running', error(408, 'canceled', 'request canceled'), 'ambiguous'],
    ['500 unknown', error(500, 'unknown', 'dial tcp 127.0.0.1:6379: connect: connection refused'), 'ambiguous'],
    ['409: it runs already', error(409, 'already_exists', 'egress already exists'), 'ambiguous'],
    ['412', error(412, 'failed_precondition', 'egress with status EGRESS_ABORTED cannot be stopped'), 'ambiguous'],
    ['429', error(429, 'resource_exhausted', 'too many requests'), 'ambiguous'],
    ['a call this LiveKit does not know', error(404, 'bad_route', 'no handler for path'), 'refused'],
    ['a body this LiveKit cannot read', error(400, 'malformed', 'failed to parse request proto'), 'refused'],
    ['something else that was not found', error(404, 'not_found', 'track not found'), 'refused'],
    ['a code of later days', error(418, 'teapot', 'short and stout'), 'ambiguous'],
    // not LiveKit
    ['a token with a wrong signature, in plain text', error(401, undefined, 'Unauthorized'), 'refused'],
    ["a proxy's 502", error(502, undefined, 'Bad Gateway'), 'ambiguous'],
    ["a proxy's 503", error(503, undefined, 'Service Unavailable'), 'ambiguous'],
    ["a proxy's 504", error(504, undefined, 'Gateway Timeout'), 'ambiguous'],
    ["a proxy's 404", error(404, undefined, 'Not Found'), 'ambiguous'],
    ["a proxy's 413", error(413, undefined, 'Payload Too Large'), 'ambiguous'],
    // no answer
    ['no answer in time', { kind: 'timeout' }, 'ambiguous'],
    ['a connection that broke', { kind: 'network', message: 'read ECONNRESET' }, 'ambiguous'],
    ['a connection that was refused', { kind: 'network', message: 'connect ECONNREFUSED' }, 'ambiguous'],
  ] as [string, StartReply, string][])('%s', (_, reply, kind) => {
    expect(classifyStart(reply).kind).toBe(kind);
  });

  it('503 is no proof that nothing was started', () => {
    expect(classifyStart(error(503, 'unavailable', 'no response from servers'))).toMatchObject({ sent: true });
  });

  it('is quoted with status, code and message', () => {
    expect(classifyStart(error(408, 'canceled', 'request canceled'))).toMatchObject({
      message: 'LiveKit answered 408 canceled: request canceled',
    });
    expect(classifyStart(error(502, undefined, 'Bad Gateway'))).toMatchObject({
      message: 'LiveKit answered 502 without a code: Bad Gateway',
    });
  });
});
