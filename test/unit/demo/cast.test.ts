import { expect, test } from 'vitest';
import { castOf, MAX_ROOMS, requestFor, SOURCES, timingOf, wantedDurationMs } from '../../../src/demo/cast.ts';
import { recordingRequestSchema } from '../../../src/recording/request.ts';

test('six rooms: one is extended, one cancelled, one loses its room, the others are left to their end', () => {
  expect(castOf(6).map(({ role }) => role)).toEqual([
    'extended',
    'cancelled',
    'room_closes',
    'max_duration',
    'max_duration',
    'max_duration',
  ]);
});

test('a single recording is left to its end', () => {
  expect(castOf(1).map(({ role }) => role)).toEqual(['max_duration']);
});

test('however many rooms, names, speakers and tones are all different, and tones can be told apart', () => {
  for (const rooms of [2, 6, 23, 24, MAX_ROOMS]) {
    const cast = castOf(rooms);
    expect(new Set(cast.map(({ room }) => room)).size).toBe(rooms);
    expect(new Set(cast.map(({ identity }) => identity)).size).toBe(rooms);
    const tones = cast.map(({ toneHz }) => toneHz);
    const steps = tones.slice(1).map((tone, i) => tone - (tones[i] ?? 0));
    expect(Math.min(...steps)).toBeGreaterThan(24);
    expect(Math.max(...tones)).toBeLessThan(3_000);
  }
});

test('every source makes a request that the API accepts', () => {
  const [actor] = castOf(1);
  if (!actor) throw new Error('a cast of one');
  for (const kind of SOURCES) {
    const request = requestFor(actor, kind, { audioTrackId: 'TR_a', videoTrackId: 'TR_v' }, timingOf(20_000));
    const parsed = recordingRequestSchema.parse(request);
    expect(parsed.source).toMatchObject({ type: kind, room: 'alpha' });
    expect(parsed.maxDuration).toBe(20_000);
  }
});

test('recordings that are cut short end well before those that are not', () => {
  for (const seconds of [12, 20, 600]) {
    const timing = timingOf(seconds * 1_000);
    const [extended, cancelled, roomCloses, untouched] = castOf(4).map((actor) => wantedDurationMs(actor, timing));
    expect(cancelled).toBeLessThan(roomCloses ?? 0);
    expect(roomCloses).toBeLessThan((untouched ?? 0) - 4_000);
    expect(extended).toBeGreaterThan((untouched ?? 0) + 4_000);
  }
});
