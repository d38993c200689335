import { describe, expect, it } from 'vitest';
import { someAtOnce } from '../../../src/common/some-at-once.ts';

describe('some at once', () => {
  it('runs so many at a time, in the order they came, and all of them', async () => {
    const turn = someAtOnce(2);
    const begun: number[] = [];
    const open: (() => void)[] = [];
    const task = (number: number) => () =>
      new Promise<number>((resolve) => {
        begun.push(number);
        open.push(() => resolve(number));
      });
    const all = Promise.all([1, 2, 3, 4, 5].map((number) => turn(task(number))));
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    for (const expected of [
      [1, 2],
      [1, 2, 3],
      [1, 2, 3, 4],
      [1, 2, 3, 4, 5],
    ]) {
      await settle();
      expect(begun).toEqual(expected);
      open.shift()?.();
    }
    for (const end of open) end();
    expect(await all).toEqual([1, 2, 3, 4, 5]);
  });

  it('goes on after one that failed', async () => {
    const turn = someAtOnce(1);
    const failed = turn(() => Promise.reject(new Error('no')));
    const next = turn(async () => 'next');
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('next');
  });
});

describe('a queue of one', () => {
  it('runs tasks one after the other, and goes on after one that failed', async () => {
    const turn = someAtOnce(1);
    const events: string[] = [];
    const task = (name: string, fails = false) =>
      turn(async () => {
        events.push(`${name} begins`);
        await new Promise((resolve) => setTimeout(resolve, 5));
        events.push(`${name} ends`);
        if (fails) throw new Error(name);
      });
    await Promise.allSettled([task('a', true), task('b')]);
    expect(events).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  });
});
