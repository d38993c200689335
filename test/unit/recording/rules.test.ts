// What a request that says nothing gets: which rules match, and which of them decides a field.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyRules, matchesGlob, type Rule, type RuleMatch, type RuleSubject } from '../../../src/recording/rules.ts';

const LESSON: RuleSubject = { room: 'lesson-7', source: 'room' };
const matches = (match: RuleMatch, subject: RuleSubject = LESSON) =>
  applyRules([{ match, priority: 1 }], subject).priority === 1;

describe('a rule', () => {
  it('without conditions holds for every request', () => {
    expect(applyRules([{ priority: 4 }], { source: 'web' })).toEqual({ priority: 4 });
  });

  it.each<[RuleMatch, boolean]>([
    [{}, true],
    [{ room: 'lesson-*' }, true],
    [{ room: 'lesson' }, false],
    [{ source: 'room' }, true],
    [{ source: ['web', 'room'] }, true],
    [{ source: ['web', 'tracks'] }, false],
    [{ source: [] }, false],
    [{ room: 'lesson-*', source: 'web' }, false],
    [{ apiKey: 'devkey' }, false],
    [{ labels: { course: '7' } }, false],
  ])('holds when all of %o hold', (match, expected) => {
    expect(matches(match)).toBe(expected);
  });

  it('for rooms never holds for a web page, not even for any room', () => {
    expect(matches({ room: '*' }, { source: 'web' })).toBe(false);
  });

  it('looks at the API key and the labels where a request has them', () => {
    const subject: RuleSubject = { ...LESSON, apiKey: 'devkey', labels: { course: '7b', size: 'l' } };
    expect(matches({ apiKey: 'devkey', labels: { course: '7*' } }, subject)).toBe(true);
    expect(matches({ labels: { course: '7*', other: '*' } }, subject)).toBe(false);
    expect(matches({ labels: { constructor: '*' } }, subject)).toBe(false);
  });
});

describe('several rules', () => {
  const rules: Rule[] = [
    { match: { room: 'exam-*' }, maxDuration: 3_600_000, labels: { kind: 'exam' } },
    { match: { source: 'tracks' }, priority: 5, fleet: 'small', labels: { kind: 'track', cheap: 'yes' } },
    { maxDuration: 7_200_000, startWithin: 60_000, priority: 2, tenant: 'school' },
  ];

  it('decide each field by the first that matches and gives it', () => {
    expect(applyRules(rules, { room: 'exam-1', source: 'tracks' })).toEqual({
      maxDuration: 3_600_000,
      startWithin: 60_000,
      priority: 5,
      fleet: 'small',
      tenant: 'school',
      labels: { kind: 'exam', cheap: 'yes' },
    });
  });

  it('leave out those that do not match', () => {
    expect(applyRules(rules, { source: 'web' })).toEqual({
      maxDuration: 7_200_000,
      startWithin: 60_000,
      priority: 2,
      tenant: 'school',
    });
  });

  it('that are none give nothing', () => {
    expect(applyRules([], LESSON)).toEqual({});
  });

  it('never take a field from a later rule that an earlier one gives', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ priority: fc.integer({ min: 1, max: 5 }) }), { minLength: 1 }), (all) => {
        expect(applyRules(all, LESSON).priority).toBe(all[0]?.priority);
      }),
    );
  });
});

describe('a room pattern', () => {
  it.each([
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['a*', 'a', true],
    ['*a', 'ba', true],
    ['a*c', 'abcbc', true],
    ['a*c', 'abcb', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['?', '🎥', true],
    ['**a**', 'a', true],
    ['a.c', 'abc', false],
    ['A', 'a', false],
    ['[ab]', 'a', false],
  ])('%s against "%s": %s', (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected);
  });

  it('says what a regular expression of the same meaning says', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '.', '\\'), maxLength: 12 });
    fc.assert(
      fc.property(letters, letters, (pattern, text) => {
        const source = [...pattern].map((c) => (c === '*' ? '.*' : c === '?' ? '.' : c.replace(/[.\\]/g, '\\$&')));
        expect(matchesGlob(pattern, text)).toBe(new RegExp(`^${source.join('')}$`, 's').test(text));
      }),
    );
  });

  it('made to take long does not', () => {
    const sinceMs = performance.now();
    expect(matchesGlob('*a'.repeat(128), `${'a'.repeat(255)}b`)).toBe(false);
    expect(performance.now() - sinceMs).toBeLessThan(100);
  });
});
