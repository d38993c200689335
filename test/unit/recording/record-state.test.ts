// What LiveKit's record says, for each stage and each way a recording can end.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EGRESS_STATUSES, isTerminal } from '../../../src/recording/egress.ts';
import { openRecording } from '../../../src/recording/open.ts';
import { type RecordState, recordStateOf } from '../../../src/recording/record-state.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import { END_REASONS, END_STAGES, isEnded, OPEN_STAGES, STAGES } from '../../../src/recording/stage.ts';
import type { PartView, RecordingView } from '../../../src/recording/view.ts';

const FILE = { location: 'a', filename: 'a.mp4', storage: 'default', sizeBytes: 1, durationMs: 1 };
const OPENED = openRecording({
  id: 'EG_abcd1234',
  fleet: 'default',
  request: recordingRequestSchema.parse({ source: { type: 'room', room: 'demo' } }),
  requestedAtMs: 1,
});
const view = (more: Partial<RecordingView>): RecordingView => ({ ...OPENED, ...more });
const part = (end: PartView['end'], files: PartView['files'] = []): PartView => ({
  number: 1,
  attempts: 1,
  files,
  ...(end ? { end } : {}),
});
const reason = (code: (typeof END_REASONS)[number], message = 'why') => ({ code, message });

describe('an open recording', () => {
  it.each([
    ['scheduled', undefined, 'STARTING'],
    ['starting', undefined, 'STARTING'],
    ['waiting', undefined, 'STARTING'],
    ['recording', 5, 'ACTIVE'],
    // Between two parts.
    ['starting', 5, 'ACTIVE'],
    ['waiting', 5, 'ACTIVE'],
    // Nothing is finished that never began; its end follows in a moment.
    ['stopping', undefined, 'STARTING'],
    ['stopping', 5, 'ENDING'],
  ] as const)('that is %s, ACTIVE since %s: %s', (stage, startedAtMs, status) => {
    expect(recordStateOf(view({ stage, ...(startedAtMs ? { startedAtMs } : {}) }))).toEqual({ status });
  });
});

describe('an ended recording', () => {
  const STOPPED = { status: 'COMPLETE', details: 'End reason: StopEgress API' };
  const NEVER_STARTED = {
    status: 'ABORTED',
    error: 'Stop called before pipeline could start',
    errorCode: 412,
    details: 'End reason: StopEgress API',
  };

  it.each([
    ['completed by itself', { stage: 'completed', parts: [part(STOPPED, [FILE])] }, STOPPED],
    [
      'completed without a last word of its worker',
      { stage: 'completed', parts: [part({ status: 'LOST' })] },
      { status: 'COMPLETE' },
    ],
    [
      'completed at a limit of its worker',
      { stage: 'completed', parts: [part({ status: 'LIMIT_REACHED' })] },
      { status: 'LIMIT_REACHED' },
    ],
    [
      'completed with a last part that failed',
      { stage: 'completed', parts: [part(STOPPED, [FILE]), part({ status: 'FAILED', error: 'x' })] },
      { status: 'COMPLETE' },
    ],

    [
      'given up with files of some parts',
      {
        stage: 'completed',
        reason: reason('gave_up'),
        parts: [part(STOPPED, [FILE]), part({ status: 'FAILED', error: 'x', details: 'End reason: Source closed' })],
      },
      { status: 'COMPLETE', details: 'End reason: Failure' },
    ],
    [
      'without its last file, that storage refused',
      { stage: 'completed', reason: reason('upload_failed'), parts: [part(STOPPED, [FILE]), part(STOPPED)] },
      { status: 'COMPLETE', details: 'End reason: Failure' },
    ],
    [
      'refused by storage after a cancel',
      {
        stage: 'failed',
        reason: reason('upload_failed'),
        parts: [part({ ...STOPPED, status: 'FAILED', error: 'S3 upload failed: AccessDenied', errorCode: 400 })],
      },
      { ...STOPPED, status: 'FAILED', error: 'S3 upload failed: AccessDenied', errorCode: 400 },
    ],

    ['cancelled before any part', { stage: 'cancelled', parts: [] }, NEVER_STARTED],
    ['cancelled before its first frame', { stage: 'cancelled', parts: [part({ status: 'ABORTED' })] }, NEVER_STARTED],
    ['cancelled while it recorded', { stage: 'cancelled', parts: [part(STOPPED, [FILE])] }, STOPPED],
    [
      'cancelled, its last part aborted, an earlier one kept',
      { stage: 'cancelled', parts: [part({ status: 'LOST' }, [FILE]), part({ status: 'ABORTED' })] },
      STOPPED,
    ],
    [
      'cancelled, its last part failed with a file',
      { stage: 'cancelled', parts: [part({ status: 'FAILED', error: 'x' }, [FILE])] },
      STOPPED,
    ],
    [
      'cancelled, its worker died, nothing kept',
      { stage: 'cancelled', parts: [part({ status: 'LOST', error: 'gone' })] },
      { status: 'FAILED', error: 'gone', errorCode: 500, details: 'End reason: Failure' },
    ],

    [
      'over before anybody published',
      {
        stage: 'expired',
        reason: reason('nothing_to_record'),
        parts: [part({ status: 'ABORTED', error: 'Start signal not received', details: 'End reason: Source closed' })],
      },
      { status: 'ABORTED', error: 'Start signal not received', errorCode: 412, details: 'End reason: Source closed' },
    ],
    [
      'expired in the queue',
      { stage: 'expired', reason: reason('start_deadline', 'no capacity') },
      { status: 'FAILED', error: 'no capacity', errorCode: 503, details: 'End reason: Failure' },
    ],
    [
      'expired without a room',
      { stage: 'expired', reason: reason('room_never_appeared') },
      { status: 'FAILED', error: 'why', errorCode: 404, details: 'End reason: Failure' },
    ],
    [
      'expired with its room',
      { stage: 'expired', reason: reason('room_ended') },
      { status: 'ABORTED', error: 'why', errorCode: 412, details: 'End reason: Source closed' },
    ],

    [
      'failed as its egress did',
      {
        stage: 'failed',
        reason: reason('egress_failed'),
        parts: [part({ status: 'FAILED', error: 'frozen', errorCode: 503, details: 'End reason: Failure' })],
      },
      { status: 'FAILED', error: 'frozen', errorCode: 503, details: 'End reason: Failure' },
    ],
    [
      'failed with its worker',
      { stage: 'failed', reason: reason('worker_lost', 'the worker died'), parts: [part({ status: 'LOST' })] },
      { status: 'FAILED', error: 'the worker died', errorCode: 500, details: 'End reason: Failure' },
    ],
  ] as [string, Partial<RecordingView>, RecordState][])('that was %s', (_, ended, expected) => {
    expect(recordStateOf(view(ended))).toEqual(expected);
  });

  it('that was refused keeps the code of the refusal', () => {
    const refused = view({ stage: 'failed', reason: reason('refused', 'invalid_argument') });
    expect(recordStateOf(refused, 400)).toMatchObject({ status: 'FAILED', error: 'invalid_argument', errorCode: 400 });
  });
});

describe('whatever happened to its parts', () => {
  const anyEnd = fc.option(
    fc.record({ status: fc.constantFrom(...EGRESS_STATUSES, 'LOST'), error: fc.string(), errorCode: fc.nat(599) }),
    { nil: undefined },
  );
  const anyView = fc
    .record({
      stage: fc.constantFrom(...STAGES),
      parts: fc.array(
        fc.tuple(anyEnd, fc.boolean()).map(([end, kept]) => part(end, kept ? [FILE] : [])),
        { maxLength: 3 },
      ),
      reason: fc.constantFrom(...END_REASONS).map((code) => reason(code)),
      startedAtMs: fc.option(fc.nat(), { nil: undefined }),
    })
    .map(({ startedAtMs, ...more }) => view({ ...more, ...(startedAtMs === undefined ? {} : { startedAtMs }) }));

  it('the record is final exactly when the recording is', () => {
    fc.assert(fc.property(anyView, (any) => isTerminal(recordStateOf(any).status) === isEnded(any.stage)));
  });

  it('a recording that completed, or was called off with a file, is no failure', () => {
    fc.assert(
      fc.property(anyView, (any) => {
        const kept = any.parts.some(({ files }) => files.length > 0);
        if (any.stage !== 'completed' && !(any.stage === 'cancelled' && kept && any.parts.at(-1)?.end)) return true;
        return ['COMPLETE', 'LIMIT_REACHED'].includes(recordStateOf(any).status);
      }),
    );
  });

  it('every stage has a record', () => {
    for (const stage of [...OPEN_STAGES, ...END_STAGES])
      expect(EGRESS_STATUSES).toContain(recordStateOf(view({ stage })).status);
  });
});
