// Who may ask visibility at once, who waits for how long, and who has its turn first.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createVisibilityLimit } from '../../../src/temporal/visibility-limit.ts';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

function limited(perSecond = 10) {
  const limit = createVisibilityLimit(perSecond);
  const went: [name: string, afterMs: number][] = [];
  const startMs = Date.now();
  const enter = (name: string, { withinMs = 30_000, comesFirst = false } = {}) =>
    limit.enter({
      untilMs: Date.now() + withinMs,
      comesFirst,
      go: () => void went.push([name, Date.now() - startMs]),
      tooLate: () => void went.push([`${name} too late`, Date.now() - startMs]),
    });
  const enterMany = (many: number) => {
    for (let index = 0; index < many; index++) enter(`${index}`);
  };
  return { enter, enterMany, went };
}

describe('the limit of visibility calls', () => {
  it('lets two seconds of calls go at once, and then one after the other', () => {
    const { enterMany, went } = limited();
    enterMany(25);
    expect(went).toHaveLength(20);
    vi.advanceTimersByTime(500);
    expect(went.slice(20)).toEqual([
      ['20', 100],
      ['21', 200],
      ['22', 300],
      ['23', 400],
      ['24', 500],
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('has no more room at once after a day than after two seconds', () => {
    const { enterMany, went } = limited();
    vi.advanceTimersByTime(86_400_000);
    enterMany(30);
    expect(went).toHaveLength(20);
  });

  it('gives the next turn to a start of a recording, whoever came before it', () => {
    const { enter, enterMany, went } = limited();
    enterMany(20);
    enter('a list');
    enter('a start', { comesFirst: true });
    vi.advanceTimersByTime(200);
    expect(went.slice(20)).toEqual([
      ['a start', 100],
      ['a list', 200],
    ]);
  });

  it('holds nobody for longer than its deadline, and gives its turn to the next', () => {
    const { enter, enterMany, went } = limited(1);
    enterMany(2);
    enter('hasty', { withinMs: 500 });
    enter('patient');
    vi.advanceTimersByTime(1_000);
    expect(went.slice(2)).toEqual([
      ['hasty too late', 490],
      ['patient', 1_000],
    ]);
  });

  it('sends nobody whose deadline is over or about to be', () => {
    const { enter, went } = limited();
    enter('over', { withinMs: -1 });
    enter('about to be', { withinMs: 5 });
    expect(went.map(([name]) => name)).toEqual(['over too late', 'about to be too late']);
  });

  it('forgets whoever leaves, and says whether it still waited', () => {
    const { enter, enterMany, went } = limited(1);
    enterMany(2);
    const leave = enter('cancelled');
    enter('next');
    expect([leave(), leave()]).toEqual([true, false]);
    vi.advanceTimersByTime(1_000);
    expect(went.slice(2)).toEqual([['next', 1_000]]);
  });

  it('keeps a thousand waiting at most', () => {
    const { enter, enterMany, went } = limited(1);
    enterMany(1_002);
    enter('one more');
    expect(went.slice(2)).toEqual([['one more too late', 0]]);
  });

  it('answers each caller once, also when their time runs out while they are looked through', () => {
    let readings = 0;
    const now = () => Date.now() + readings++;
    const limit = createVisibilityLimit(1, now);
    const answered: number[] = [];
    for (let index = 0; index < 100; index++) {
      const answer = () => void answered.push(index);
      limit.enter({ untilMs: 1_002_000 + 150 * index, comesFirst: false, go: answer, tooLate: answer });
    }
    vi.advanceTimersByTime(60_000);
    expect(answered.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index));
  });
});
