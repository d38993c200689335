// How many tests passed and failed, and what those said that failed, read from what vitest and `go test` write as data. Pure.

export interface Count {
  passed: number;
  failed: number;
}

interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  testResults: {
    name: string;
    status: string;
    message?: string;
    assertionResults: { status: string; fullName: string; failureMessages?: string[] }[];
  }[];
}

/** A file that could not be loaded holds no failed test, and counts as one. A run without a report counts as one failure. */
export function countVitest(report: string, exitCode: number): Count {
  if (report === '') return { passed: 0, failed: exitCode === 0 ? 0 : 1 };
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(report) as VitestReport;
  const broken = testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed'),
  ).length;
  return { passed: numPassedTests, failed: atLeastOne(numFailedTests + broken, exitCode) };
}

/** A log that shows its end alone, as many CI services do, still tells the reason. */
const SAID_CHARS = 700;

/** A line for each test that failed, and for each that passed on its second try: the first failure's message, cut. */
export function troublesOf(report: string): string[] {
  if (report === '') return [];
  const { testResults } = JSON.parse(report) as VitestReport;
  return testResults.flatMap(({ name: file, message, assertionResults }) => {
    const tests = assertionResults.flatMap(({ status, fullName, failureMessages: [first] = [] }) => {
      if (first === undefined) return [];
      return [`${status === 'passed' ? 'second try' : 'FAILED'}: ${fileOf(file)} > ${fullName}: ${cut(first)}`];
    });
    return message ? [...tests, `FAILED: ${fileOf(file)}: ${cut(message)}`] : tests;
  });
}

const fileOf = (path: string) => path.replace(/^.*\/(?=test\/)/, '');
/** On one line, and of the call stack our own files alone. */
const cut = (text: string) =>
  text
    .split('\n')
    .filter((line) => !/^\s+at /.test(line) || /\/test\/|\/src\//.test(line))
    .join(' ')
    .replaceAll(/\s+/g, ' ')
    .slice(0, SAID_CHARS);

interface GoEvent {
  Action: string;
  Package?: string;
  Test?: string;
}

/** Counts tests, not packages; a package that does not build, or fails outside a test, counts as one failure. */
export function countGoTests(output: string, exitCode: number): Count {
  const events = output.split('\n').flatMap(readGoEvent);
  const tests = events.filter((event) => event.Test !== undefined);
  const failedTests = tests.filter((event) => event.Action === 'fail');
  const packagesWithFailedTest = new Set(failedTests.map((event) => event.Package));
  const brokenPackages = events.filter(
    (event) => event.Action === 'fail' && event.Test === undefined && !packagesWithFailedTest.has(event.Package),
  );
  return {
    passed: tests.filter((event) => event.Action === 'pass').length,
    failed: atLeastOne(failedTests.length + brokenPackages.length, exitCode),
  };
}

export function sumOf(counts: readonly Count[]): Count {
  return counts.reduce((sum, { passed, failed }) => ({ passed: sum.passed + passed, failed: sum.failed + failed }), {
    passed: 0,
    failed: 0,
  });
}

/** The build's own errors are plain lines between the events. */
function readGoEvent(line: string): GoEvent[] {
  if (!line.startsWith('{')) return [];
  return [JSON.parse(line) as GoEvent];
}

function atLeastOne(failed: number, exitCode: number): number {
  return exitCode === 0 ? failed : Math.max(1, failed);
}
