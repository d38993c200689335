import { expect, test } from 'vitest';
import { countGoTests, countVitest, sumOf, troublesOf } from '../../support/counts.ts';

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

test('what failed is told with its reason on one line, and so is what passed on its second try', () => {
  const test = (status: string, fullName: string, ...failureMessages: string[]) => ({
    status,
    fullName,
    failureMessages,
  });
  const testResults = [
    {
      name: '/somewhere/test/e2e/a.test.ts',
      status: 'failed',
      assertionResults: [
        test('passed', 'good'),
        test('passed', 'flaky', 'Error: too late\n    at /x/test/a.ts:1\n    at node_modules/b.js:2'),
        test('failed', 'bad', 'Error: not\nso', 'Error: again'),
      ],
    },
    { name: '/somewhere/test/e2e/b.test.ts', status: 'failed', message: 'no such module', assertionResults: [] },
  ];
  expect(troublesOf(report({ testResults }))).toEqual([
    'second try: test/e2e/a.test.ts > flaky: Error: too late at /x/test/a.ts:1',
    'FAILED: test/e2e/a.test.ts > bad: Error: not so',
    'FAILED: test/e2e/b.test.ts: no such module',
  ]);
  expect(troublesOf('')).toEqual([]);
});

test('counts add up', () => {
  expect(
    sumOf([
      { passed: 1, failed: 0 },
      { passed: 2, failed: 3 },
    ]),
  ).toEqual({ passed: 3, failed: 3 });
});
