import { expect, it } from 'vitest';
import { createNextLooks } from '../../../src/fleet/next-looks.ts';

it('a look comes when a pass of this process has named it, soon, and late enough to see what starts now', () => {
  const looks = createNextLooks();
  expect(looks.comes('default', 0, 30_000)).toBe(false);
  looks.passed('default', 0, 20_000);
  expect(looks.comes('default', 0, 30_000)).toBe(true);
  expect(looks.comes('default', 0, 10_000)).toBe(false);
  expect(looks.comes('default', 19_500, 30_000)).toBe(false);
  expect(looks.comes('default', 25_000, 30_000)).toBe(false);
  expect(looks.comes('gpu', 0, 30_000)).toBe(false);
  looks.passed('default', 1_000, undefined);
  expect(looks.comes('default', 1_000, 30_000)).toBe(false);
});
