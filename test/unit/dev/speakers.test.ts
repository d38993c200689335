import { describe, expect, it } from 'vitest';
import { clockText, createPicture } from '../../../src/dev/speakers/picture.ts';
import { createTone } from '../../../src/dev/speakers/tone.ts';
import { hueOf } from '../../../src/dev/speakers.ts';

const settings = { width: 320, height: 180, label: 'planning', hue: 40 };

describe('the picture of a speaker', () => {
  it('is a whole I420 frame', () => {
    expect(createPicture(settings).draw(0, '12:00:00.0').length).toBe(320 * 180 * 1.5);
  });

  it('changes from frame to frame and with the clock', () => {
    const { draw } = createPicture(settings);
    const first = Buffer.from(draw(0, '12:00:00.0'));
    expect(first.equals(draw(1, '12:00:00.0'))).toBe(false);
    expect(first.equals(draw(0, '12:00:00.1'))).toBe(false);
    expect(first.equals(draw(0, '12:00:00.0'))).toBe(true);
  });

  it('differs between rooms', () => {
    const other = createPicture({ ...settings, label: 'standup', hue: hueOf('standup') });
    const pictures = [other, createPicture(settings)].map(({ draw }) =>
      Buffer.from(draw(0, '12:00:00.0')).toString('base64'),
    );
    expect(new Set(pictures).size).toBe(2);
  });

  it('holds names of any length and any writing', () => {
    for (const label of ['', 'x'.repeat(500), 'Besprechung-öäü', '会議']) {
      expect(() => createPicture({ ...settings, label }).draw(9_999, '12:00:00.0')).not.toThrow();
    }
  });

  it('needs even sides', () => {
    expect(() => createPicture({ ...settings, width: 321 })).toThrow('even');
  });

  it('shows the clock to a tenth of a second', () => {
    expect(clockText(new Date(2026, 0, 1, 9, 3, 7, 460))).toBe('09:03:07.4');
  });
});

describe('the tone of a speaker', () => {
  it('goes on from frame to frame without a jump', () => {
    const next = createTone(441, 960);
    const [first, second] = [next(), next()];
    const steps = [...first, ...second].map((sample, i, all) => Math.abs(sample - (all[i - 1] ?? sample)));
    expect(Math.max(...steps)).toBeLessThan(0.25 * 32_767 * ((2 * Math.PI * 441) / 48_000) + 2);
  });
});

describe('the colour of a room', () => {
  it('depends on its name alone', () => {
    expect(hueOf('planning')).toBe(hueOf('planning'));
    expect(hueOf('planning')).not.toBe(hueOf('standup'));
  });
});
