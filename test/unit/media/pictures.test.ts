// Which picture of the sheet a player shows when.
import { expect, it } from 'vitest';
import { cuesOf } from '../../../src/media/pictures.ts';

const tile = { width: 160, height: 90 };

it('a sheet says which of its pictures is of which time, row by row', () => {
  const cues = cuesOf({ durationMs: 3_600_500, everyMs: 300_000, tile, sheet: 'sprite.jpg' }).split('\n\n');
  expect(cues[0]).toBe('WEBVTT');
  expect(cues[1]).toBe('00:00:00.000 --> 00:05:00.000\nsprite.jpg#xywh=0,0,160,90');
  expect(cues[12]).toBe('00:55:00.000 --> 01:00:00.000\nsprite.jpg#xywh=160,90,160,90');
  expect(cues[13]).toBe('01:00:00.000 --> 01:00:00.500\nsprite.jpg#xywh=320,90,160,90\n');
  expect(cues).toHaveLength(14);
});
