import { expect, test } from 'vitest';
import { countGoTests, countVitest, sumOf } from '../../support/counts.ts';

const report = (changes: object) =>
  JSON.stringify({ numPassedTests: 3, numFailedTests: 0, testResults: [], ...changes });

test('passed and failed tests of a run are counted', () => {
  expect(countVitest(report({}), 0)).toEqual({ passed: 3, failed: 0 });
});

test('a test file that could not be loaded counts as a failure', () => {
  const broken = { status: 'failed', assertionResults: [] };
  expect(countVitest(report({ testResults: [broken] }), 1)).toEqual({ passed: 3, failed: 1 });
});

test('a run that failed without saying what counts as one failure, never as success', () => {
  expect(countVitest('', 1)).toEqual({ passed: 0, failed: 1 });
  expect(countVitest(report({}), 1)).toEqual({ passed: 3, failed: 1 });
  expect(countGoTests('no events', 2)).toEqual({ passed: 0, failed: 1 });
});

test('Go tests are counted, their packages are not', () => {
  const events = [
    { Action: 'pass', Package: 'a', Test: 'One' },
    { Action: 'pass', Package: 'a' },
    { Action: 'fail', Package: 'b', Test: 'Two' },
    { Action: 'fail', Package: 'b' },
    { Action: 'fail', Package: 'c' },
  ];
  const output = `go: downloading\n${events.map((event) => JSON.stringify(event)).join('\n')}\n`;
  expect(countGoTests(output, 1)).toEqual({ passed: 1, failed: 2 });
});

test('counts add up', () => {
  expect(
    sumOf([
      { passed: 1, failed: 0 },
      { passed: 2, failed: 3 },
    ]),
  ).toEqual({ passed: 3, failed: 3 });
});
