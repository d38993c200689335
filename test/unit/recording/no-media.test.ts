// An egress that was accepted and does not record: is it waiting for somebody to publish, or does it hang?
import { describe, expect, it } from 'vitest';
import {
  HANG_LIMIT_MS,
  isPublished,
  judgeStart,
  type Publisher,
  START_LIMIT_MS,
  type StartVerdict,
} from '../../../src/recording/no-media.ts';
import type { RecordingSource } from '../../../src/recording/request.ts';

describe('an egress that does not record', () => {
  it.each<[ageMs: number, publishes: boolean | undefined, publishedForMs: number, StartVerdict]>([
    [START_LIMIT_MS - 1, true, HANG_LIMIT_MS, 'fine'],
    [START_LIMIT_MS - 1, false, 0, 'fine'],
    [START_LIMIT_MS, false, 0, 'awaiting'],
    [START_LIMIT_MS, true, 0, 'late'],
    [6 * 3_600_000, true, HANG_LIMIT_MS - 1, 'late'],
    [START_LIMIT_MS, true, HANG_LIMIT_MS, 'hung'],
    [6 * 3_600_000, undefined, HANG_LIMIT_MS, 'fine'],
  ])('after %i ms, somebody publishes: %s, seen for %i ms: %s', (ageMs, publishes, publishedForMs, verdict) => {
    expect(judgeStart({ ageMs, publishes, publishedForMs })).toBe(verdict);
  });
});

const mic = { id: 'TR_a', kind: 'audio' as const, isScreen: false };
const camera = { id: 'TR_v', kind: 'video' as const, isScreen: false };
const screen = { id: 'TR_s', kind: 'video' as const, isScreen: true };
const who = (identity: string, ...sends: Publisher['sends']): Publisher => ({ identity, sends });

describe('somebody publishes what is recorded', () => {
  it.each<[what: string, source: object, others: Publisher[], boolean | undefined]>([
    ['nobody in the room', { type: 'room' }, [], false],
    ['somebody who sends nothing', { type: 'room' }, [who('ann')], false],
    ['one of several', { type: 'room' }, [who('bob'), who('ann', mic)], true],
    ['sound only, and a camera', { type: 'room', audioOnly: true }, [who('ann', camera)], false],
    ['sound only, and a microphone', { type: 'room', audioOnly: true }, [who('ann', mic)], true],
    ['pictures only, and a microphone', { type: 'room', videoOnly: true }, [who('ann', mic)], false],
    ["a template of the user's own", { type: 'room', customBaseUrl: 'https://e.com' }, [who('ann', mic)], undefined],
    ['a page', { type: 'web', url: 'https://e.com' }, [], undefined],
    ['the participant', { type: 'participant', identity: 'ann', screenShare: false }, [who('ann', mic)], true],
    [
      'another participant',
      { type: 'participant', identity: 'ann', screenShare: false },
      [who('ann'), who('bob', mic)],
      false,
    ],
    ['no shared screen', { type: 'participant', identity: 'ann', screenShare: true }, [who('ann', camera)], false],
    ['a shared screen', { type: 'participant', identity: 'ann', screenShare: true }, [who('ann', screen)], true],
    ['the track', { type: 'track', trackId: 'TR_a' }, [who('ann', mic)], true],
    ['another track', { type: 'track', trackId: 'TR_x' }, [who('ann', mic)], false],
    ['one of two tracks', { type: 'tracks', audioTrackId: 'TR_a', videoTrackId: 'TR_v' }, [who('ann', mic)], false],
    ['one of two kinds, where the request alone knows', { type: 'media' }, [who('ann', mic)], false],
    ['both kinds', { type: 'media' }, [who('ann', mic), who('bob', camera)], true],
  ])('%s', (_, source, others, expected) => {
    expect(isPublished({ room: 'lesson', ...source } as RecordingSource, others)).toBe(expected);
  });
});
