// What the end of an egress means: LiveKit's status, error_code and details, the room, the source, and whether we stopped it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EGRESS_STATUSES, type EgressSnapshot } from '../../../src/recording/egress.ts';
import { classifyEnd, type EndFacts } from '../../../src/recording/end-outcome.ts';
import type { RecordingSource } from '../../../src/recording/request.ts';

const SOURCES = {
  room: { type: 'room', room: 'demo', audioOnly: false, videoOnly: false },
  ownTemplate: {
    type: 'room',
    room: 'demo',
    customBaseUrl: 'https://example.com/template',
    audioOnly: false,
    videoOnly: false,
  },
  web: { type: 'web', url: 'https://example.com', awaitStartSignal: false, audioOnly: false, videoOnly: false },
  participant: { type: 'participant', room: 'demo', identity: 'ann', screenShare: false },
  tracks: { type: 'tracks', room: 'demo', audioTrackId: 'TR_1' },
} satisfies Record<string, RecordingSource>;
type SourceName = keyof typeof SOURCES;

const FILE = { filename: 'a.mp4', location: 'a.mp4', sizeBytes: 10, durationMs: 1_000 };

function egress(status: EgressSnapshot['status'], { details, ...more }: Partial<EgressSnapshot> = {}): EgressSnapshot {
  return {
    egressId: 'EG_1',
    status,
    files: [],
    ...(details === undefined ? {} : { details: `End reason: ${details}` }),
    ...more,
  };
}

function classify(
  source: SourceName,
  room: 'alive' | 'gone',
  ended: EgressSnapshot | null,
  more: Partial<EndFacts> = {},
) {
  const outcome = classifyEnd({ source: SOURCES[source], room, egress: ended, ...more });
  if (outcome.kind === 'next_part') return 'next_part';
  if (outcome.kind === 'source_away') return `away, else ${outcome.otherwise.kind}: ${outcome.otherwise.reason}`;
  return `${outcome.kind}: ${outcome.reason}`;
}

describe('an egress that nobody of us stopped', () => {
  it.each([
    ['COMPLETE', 'Source closed', 'room', 'gone', 'completed: finished'],
    ['COMPLETE', 'Source closed', 'room', 'alive', 'next_part'],
    ['COMPLETE', 'Source closed', 'participant', 'alive', 'away, else completed: finished'],
    ['COMPLETE', 'Source closed', 'participant', 'gone', 'completed: finished'],
    ['COMPLETE', 'Source closed', 'tracks', 'alive', 'completed: finished'],
    ['COMPLETE', 'Source closed', 'web', 'alive', 'completed: finished'],
    ['COMPLETE', 'StopEgress API', 'room', 'alive', 'completed: stopped'],
    ['COMPLETE', 'StopEgress API', 'room', 'gone', 'completed: stopped'],
    ['COMPLETE', 'Process killed', 'room', 'alive', 'next_part'],
    ['COMPLETE', 'Process killed', 'room', 'gone', 'completed: finished'],
    ['COMPLETE', 'CPU exhausted', 'participant', 'alive', 'next_part'],
    ['COMPLETE', 'CPU exhausted', 'participant', 'gone', 'completed: finished'],
    ['COMPLETE', 'Session limit reached', 'web', 'alive', 'next_part'],
    ['COMPLETE', 'Failure', 'tracks', 'alive', 'next_part'],
    ['COMPLETE', 'All streams stopped', 'room', 'alive', 'completed: stopped'],
    ['COMPLETE', 'All streams stopped', 'room', 'gone', 'completed: stopped'],
    ['COMPLETE', undefined, 'room', 'alive', 'next_part'],
    ['COMPLETE', undefined, 'room', 'gone', 'completed: finished'],
    ['LIMIT_REACHED', 'Session limit reached', 'room', 'alive', 'next_part'],
    ['LIMIT_REACHED', 'Session limit reached', 'room', 'gone', 'completed: finished'],
    ['ABORTED', undefined, 'room', 'alive', 'next_part'],
    ['ABORTED', undefined, 'room', 'gone', 'expired: nothing_to_record'],
    // The page never said that it is ready, and nobody knows why.
    ['ABORTED', 'Source closed', 'room', 'alive', 'next_part'],
    ['ABORTED', 'Source closed', 'ownTemplate', 'alive', 'expired: nothing_to_record'],
    ['COMPLETE', 'Source closed', 'ownTemplate', 'alive', 'completed: finished'],
    ['COMPLETE', 'Source closed', 'ownTemplate', 'gone', 'completed: finished'],
    ['COMPLETE', 'CPU exhausted', 'ownTemplate', 'alive', 'next_part'],
  ] as const)('%s (%s), a %s, the room %s: %s', (status, details, source, room, expected) => {
    expect(classify(source, room, egress(status, details === undefined ? {} : { details }))).toBe(expected);
  });

  it.each([
    [0, 'could not connect', 'alive', 'next_part'],
    [0, 'could not connect', 'gone', 'failed: egress_failed'],
    [400, 'request has missing or invalid field: output', 'alive', 'failed: refused'],
    [400, 'page load error: net::ERR_CONNECTION_REFUSED', 'alive', 'next_part'],
    [403, 'server is shutting down', 'alive', 'next_part'],
    [403, 'CPU exhausted: 3.90 cores used', 'alive', 'next_part'],
    [403, 'OOM: 5.10 GB used', 'alive', 'next_part'],
    [403, 'participant egress is disabled', 'alive', 'failed: refused'],
    [404, 'participant nobody not found', 'alive', 'away, else expired: source_missing'],
    [404, 'participant nobody not found', 'gone', 'expired: source_missing'],
    [500, 'pipeline frozen', 'alive', 'next_part'],
    [500, 'signal: killed', 'gone', 'failed: egress_failed'],
    [503, 'recording ended early: connection to room failed', 'alive', 'next_part'],
    [599, 'of later days', 'alive', 'next_part'],
  ] as const)('FAILED %i "%s", the room %s: %s', (errorCode, error, room, expected) => {
    expect(classify('participant', room, egress('FAILED', { errorCode, error }))).toBe(expected);
  });

  it('that was given up because it never recorded goes on elsewhere, whatever it says when it is stopped', () => {
    const hung = { hung: true } as const;
    for (const ended of [
      null,
      egress('ABORTED', { details: 'StopEgress API' }),
      egress('COMPLETE', { details: 'StopEgress API' }),
    ]) {
      expect(classify('room', 'alive', ended, hung)).toBe('next_part');
      expect(classify('room', 'gone', ended, hung)).toBe('failed: egress_failed');
      expect(classify('room', 'gone', ended, { ...hung, hasEarlierFiles: true })).toBe('completed: finished');
    }
  });

  it('FAILED with the room gone completes when there is a file, and says that it may be cut short', () => {
    const ended = egress('FAILED', { errorCode: 403, error: 'server is shutting down', files: [FILE] });
    const outcome = classifyEnd({ source: SOURCES.room, room: 'gone', egress: ended });
    expect(outcome).toMatchObject({ kind: 'completed', reason: 'finished' });
    expect(outcome.message).toContain('may be cut short');
  });

  it('a last part without a file completes when an earlier part left one', () => {
    const facts = { source: SOURCES.room, room: 'gone', egress: null, hasEarlierFiles: true } as const;
    expect(classifyEnd(facts)).toMatchObject({ kind: 'completed', reason: 'finished' });
    expect(classifyEnd(facts).message).toContain('the last part has no file');
  });

  it('a participant that left before the next part began is the end, not a failure', () => {
    const ended = egress('FAILED', { errorCode: 404, error: 'participant ann not found' });
    const left = { hasRecorded: true, hasEarlierFiles: true };
    expect(classify('participant', 'alive', ended, left)).toBe('away, else completed: finished');
    expect(classify('participant', 'gone', ended, left)).toBe('completed: finished');
    expect(classify('participant', 'gone', ended, { hasRecorded: true })).toBe('failed: source_missing');
  });

  it('a track that is gone never comes back: the next one has another id', () => {
    const ended = egress('FAILED', { errorCode: 404, error: 'track TR_1 not found' });
    expect(classify('tracks', 'alive', ended)).toBe('away, else expired: source_missing');
    expect(classify('tracks', 'alive', ended, { hasRecorded: true, hasEarlierFiles: true })).toBe(
      'completed: finished',
    );
  });

  it('a dead worker leads to the next part while the room lives', () => {
    expect(classify('room', 'alive', null)).toBe('next_part');
    expect(classify('room', 'gone', null)).toBe('failed: worker_lost');
  });
});

describe('an egress that we stopped', () => {
  it.each([
    ['cancelled', egress('COMPLETE', { details: 'StopEgress API' }), 'completed: cancelled'],
    ['cancelled', egress('ABORTED', { errorCode: 412 }), 'completed: cancelled'],
    ['cancelled', egress('FAILED', { errorCode: 500 }), 'completed: cancelled'],
    ['cancelled', null, 'completed: cancelled'],
    ['max_duration', egress('COMPLETE', { details: 'StopEgress API' }), 'completed: max_duration'],
    ['max_duration', egress('COMPLETE', { details: 'Source closed' }), 'completed: max_duration'],
    ['max_duration', egress('LIMIT_REACHED'), 'completed: max_duration'],
    ['max_duration', egress('FAILED', { errorCode: 503, files: [FILE] }), 'completed: max_duration'],
    ['max_duration', egress('ABORTED', { errorCode: 412 }), 'expired: nothing_to_record'],
    ['max_duration', null, 'failed: worker_lost'],
    ['participants_left', egress('COMPLETE', { details: 'StopEgress API' }), 'completed: participants_left'],
    ['participants_left', egress('ABORTED', { errorCode: 412 }), 'expired: nothing_to_record'],
    ['participants_left', null, 'failed: worker_lost'],
    ['stopped', egress('COMPLETE', { details: 'StopEgress API' }), 'completed: stopped'],
    ['stopped', egress('COMPLETE', { details: 'Source closed' }), 'completed: stopped'],
    ['stopped', egress('LIMIT_REACHED'), 'completed: stopped'],
    ['stopped', egress('FAILED', { errorCode: 503, files: [FILE] }), 'completed: stopped'],
    // Stopped before it recorded: what LiveKit calls ABORTED.
    ['stopped', egress('ABORTED', { errorCode: 412 }), 'completed: cancelled'],
    ['stopped', null, 'failed: worker_lost'],
  ] as const)('for %s', (stopping, ended, expected) => {
    for (const source of Object.keys(SOURCES) as SourceName[]) {
      expect(classify(source, 'gone', ended, { stopping })).toBe(expected);
    }
  });

  it.each(['max_duration', 'stopped'] as const)('for %s completes with the files of earlier parts', (stopping) => {
    for (const ended of [null, egress('ABORTED', { errorCode: 412 }), egress('FAILED', { errorCode: 500 })])
      expect(classify('room', 'gone', ended, { stopping, hasEarlierFiles: true })).toBe(`completed: ${stopping}`);
  });
});

describe('a file that storage refused', () => {
  const ERROR = 'S3 upload failed: AccessDenied: storage class unsupported';
  const refused = (details: string | undefined, more: Partial<EgressSnapshot> = {}) =>
    egress('FAILED', { errorCode: 400, error: ERROR, startedAtMs: 1, ...(details ? { details } : {}), ...more });

  it.each([
    ['somebody stopped it on its worker', 'room', 'alive', 'StopEgress API', 'failed: upload_failed'],
    ['the participant left', 'participant', 'alive', 'Source closed', 'away, else failed: upload_failed'],
    ['the participant left with its room', 'participant', 'gone', 'Source closed', 'failed: upload_failed'],
    ['the room ended', 'room', 'gone', 'Source closed', 'failed: upload_failed'],
    ['its template ended it', 'ownTemplate', 'alive', 'Source closed', 'failed: upload_failed'],
    ['the recorder lost a room that lives', 'room', 'alive', 'Source closed', 'next_part'],
    ['the worker gave it up', 'participant', 'alive', 'CPU exhausted', 'next_part'],
    ['nobody knows, the room lives', 'participant', 'alive', undefined, 'next_part'],
    ['nobody knows, the room is gone', 'participant', 'gone', undefined, 'failed: upload_failed'],
  ] as const)('after %s, a %s, the room %s', (_, source, room, details, expected) => {
    expect(classify(source, room, refused(details))).toBe(expected);
  });

  it.each([
    ['cancelled', 'failed: upload_failed', 'completed: cancelled'],
    ['stopped', 'failed: upload_failed', 'completed: upload_failed'],
    ['max_duration', 'failed: upload_failed', 'completed: upload_failed'],
  ] as const)('after it was %s: %s, and with files of earlier parts %s', (stopping, alone, withOthers) => {
    for (const details of ['StopEgress API', 'Source closed', undefined]) {
      expect(classify('room', 'alive', refused(details), { stopping })).toBe(alone);
      expect(classify('room', 'alive', refused(details), { stopping, hasEarlierFiles: true })).toBe(withOthers);
    }
  });

  it("is told of in the storage's own words", () => {
    const facts = { source: SOURCES.room, room: 'gone', egress: refused('Source closed') } as const;
    expect(classifyEnd(facts).message).toContain(ERROR);
    expect(classifyEnd({ ...facts, stopping: 'cancelled' }).message).toContain(ERROR);
  });

  it('is no failure of all when another output was kept', () => {
    expect(classify('room', 'gone', refused('Source closed', { files: [FILE] }))).toBe('completed: upload_failed');
  });

  it('is what 400 means only once media flowed: a page that does not load is another matter', () => {
    const early = egress('FAILED', { errorCode: 400, error: 'page load error: timeout' });
    expect(classify('room', 'alive', early)).toBe('next_part');
  });
});

describe('whatever LiveKit says', () => {
  const anyEgress = fc.record({
    status: fc.constantFrom(...EGRESS_STATUSES),
    details: fc.string(),
    error: fc.string(),
    errorCode: fc.integer({ min: 0, max: 600 }),
  });

  it('a stopped recording never goes on with a next part', () => {
    fc.assert(
      fc.property(
        anyEgress,
        fc.constantFrom(...Object.values(SOURCES)),
        fc.constantFrom('cancelled', 'max_duration', 'stopped', 'participants_left'),
        fc.constantFrom('alive', 'gone'),
        ({ status, ...more }, source, stopping, room) =>
          classifyEnd({ source, room, stopping, egress: egress(status, more) }).kind.match(/next_part|source_away/) ===
          null,
      ),
    );
  });

  it('what somebody stopped is never recorded again', () => {
    fc.assert(
      fc.property(
        anyEgress,
        fc.constantFrom(...Object.values(SOURCES)),
        fc.option(fc.nat(), { nil: undefined }),
        ({ status, errorCode, error }, source, startedAtMs) =>
          // LIMIT_REACHED and a stop exclude each other.
          status === 'LIMIT_REACHED' ||
          classifyEnd({
            source,
            room: 'alive',
            egress: egress(status, {
              errorCode,
              error,
              details: 'StopEgress API',
              ...(startedAtMs === undefined ? {} : { startedAtMs }),
            }),
          }).kind.match(/next_part|source_away/) === null,
      ),
    );
  });

  it('nothing goes on in a room that is gone', () => {
    fc.assert(
      fc.property(
        fc.option(anyEgress),
        fc.constantFrom(...Object.values(SOURCES)),
        (ended, source) =>
          classifyEnd({ source, room: 'gone', egress: ended && egress(ended.status, ended) }).kind.match(
            /next_part|source_away/,
          ) === null,
      ),
    );
  });
});
