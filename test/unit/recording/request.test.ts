// The request for a recording: defaults, limits, and errors that name their field.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../../src/recording/duration.ts';
import { dueAtMs, openRecording } from '../../../src/recording/open.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';
import { roomOf } from '../../../src/recording/source.ts';

const room = { type: 'room', room: 'demo' } as const;

/** Field and message of each problem. */
function problems(request: unknown): string[] {
  const result = recordingRequestSchema.safeParse(request);
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('a request', () => {
  it('needs nothing but a source', () => {
    expect(recordingRequestSchema.parse({ source: room })).toEqual({
      source: { type: 'room', room: 'demo', audioOnly: false, videoOnly: false },
      outputs: [{ type: 'file' }],
      startWithin: 15 * 60_000,
      maxDuration: 6 * 3_600_000,
      priority: 3,
      labels: {},
    });
  });

  it.each([
    [{}, 'source'],
    [{ source: { type: 'rooom', room: 'demo' } }, 'source.type'],
    [{ source: { type: 'room' } }, 'source.room'],
    [{ source: { type: 'room', room: '' } }, 'source.room'],
    [{ source: { type: 'room', room: 'a'.repeat(257) } }, 'source.room'],
    [{ source: { type: 'room', room: 'a\u0007' } }, 'source.room'],
    [{ source: { ...room, audioOnly: true, videoOnly: true } }, 'source.videoOnly'],
    [{ source: { ...room, customBaseUrl: 'ftp://x' } }, 'source.customBaseUrl'],
    [{ source: { type: 'participant', room: 'demo' } }, 'source.identity'],
    [{ source: { type: 'tracks', room: 'demo' } }, 'source'],
    [{ source: { type: 'web', url: 'javascript:alert(1)' } }, 'source.url'],
    [{ source: { type: 'web', url: '/page' } }, 'source.url'],
    [{ source: room, outputs: [] }, 'outputs'],
    [{ source: room, outputs: [{ type: 'file' }, { type: 'file' }] }, 'outputs'],
    [{ source: room, outputs: [{ type: 'file', path: '../x' }] }, 'outputs.0.path'],
    [{ source: room, outputs: [{ type: 'file', path: '{nope}' }] }, 'outputs.0.path'],
    [{ source: room, encoding: { preset: 'H264_4K' } }, 'encoding.preset'],
    [{ source: room, encoding: { preset: 'H264_720P_30', width: 1280 } }, 'encoding'],
    [{ source: room, encoding: { width: 5 } }, 'encoding.width'],
    [{ source: room, startAt: 'tomorrow' }, 'startAt'],
    [{ source: room, startAt: '2030-01-31T09:00:00' }, 'startAt'],
    [{ source: room, startAt: '2030-02-30T09:00:00Z' }, 'startAt'],
    [{ source: room, startWithin: 15 }, 'startWithin'],
    [{ source: room, startWithin: 'soon' }, 'startWithin'],
    [{ source: room, startWithin: '0s' }, 'startWithin'],
    [{ source: room, maxDuration: '25h' }, 'maxDuration'],
    [{ source: room, maxDuration: '99999999999999999999999999999d' }, 'maxDuration'],
    [{ source: room, priority: 0 }, 'priority'],
    [{ source: room, priority: 2.5 }, 'priority'],
    [{ source: room, labels: { 'no spaces': 'x' } }, 'labels.no spaces'],
    [{ source: room, labels: Object.fromEntries([...'abcdefghijklmnopqrstu'].map((key) => [key, 'x'])) }, 'labels'],
    [{ source: room, labels: Object.fromEntries([...'abcdefghi'].map((key) => [key, 'x'.repeat(255)])) }, 'labels'],
    [{ source: room, webhookUrl: 'mailto:me@example.com' }, 'webhookUrl'],
  ])('%j is refused, and %s is named', (request, field) => {
    const found = problems(request);
    expect(found.map((problem) => problem.split(':')[0])).toEqual([field]);
    expect(found[0]).not.toMatch(/Invalid input$/);
  });

  it('is refused when it carries what nobody knows, such as keys of a storage', () => {
    expect(problems({ source: room, outputs: [{ type: 'file', accessKey: 'x' }] })[0]).toContain('accessKey');
  });

  it('says which durations are possible', () => {
    expect(problems({ source: room, maxDuration: '2d' })).toEqual(['maxDuration: must be between 1s and 1d']);
  });

  it('for a web page has no room', () => {
    const { source } = recordingRequestSchema.parse({ source: { type: 'web', url: 'https://example.com' } });
    expect(roomOf(source)).toBeUndefined();
  });
});

describe('a duration', () => {
  it.each([
    ['90s', 90_000],
    ['15m', 900_000],
    ['1h30m', 5_400_000],
    ['1500ms', 1_500],
    ['2d', 172_800_000],
    ['1m1ms', 60_001],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', '5', 'h', '-5m', '1.5h', '5 m', '5m ', '5M', '1h30', '1e3s'])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it('is written with its two largest units', () => {
    expect([0, 900, 1_000, 90_000, 5_400_000, 86_400_000, 90_061_000].map(formatDuration)).toEqual([
      '0ms',
      '900ms',
      '1s',
      '1m30s',
      '1h30m',
      '1d',
      '1d1h',
    ]);
  });

  it('of at most two units reads back as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 23 }), fc.integer({ min: 0, max: 59 }), (hours, minutes) => {
        const ms = hours * 3_600_000 + minutes * 60_000;
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe('the first view of a recording', () => {
  const opening = (startAt?: string) => ({
    id: 'r1',
    fleet: 'default',
    request: recordingRequestSchema.parse({ source: room, ...(startAt === undefined ? {} : { startAt }) }),
    requestedAtMs: Date.UTC(2030, 0, 1),
  });

  it('is scheduled until startAt, and the time to find capacity counts from there', () => {
    const view = openRecording(opening('2030-01-01T10:00:00+01:00'));
    expect(view).toMatchObject({ stage: 'scheduled', startDeadlineMs: Date.UTC(2030, 0, 1, 9, 15) });
  });

  it('starts now when startAt is past', () => {
    expect(openRecording(opening('2029-12-31T00:00:00Z')).stage).toBe('starting');
    expect(dueAtMs(opening('2029-12-31T00:00:00Z'))).toBe(Date.UTC(2030, 0, 1));
  });
});
