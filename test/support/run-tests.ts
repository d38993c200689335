// `make check` and `make test`: runs every step, goes on after a failure, and closes with the line "N passed, N failed" over all of them.
// A step that is not a test run (types, lint, …) counts as one test. Needs no stdin; exit status 0 only when nothing failed.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { type Count, countGoTests, countVitest, sumOf, troublesOf } from './counts.ts';

interface Step {
  name: string;
  command: readonly string[];
  cwd?: string;
  /** How many tests the run held, from what it wrote; by default the step is one test, passed when it exits 0. */
  count?: (stdout: string, exitCode: number) => Promise<Count> | Count;
  /** Shown while it runs, not only when it fails. */
  live?: boolean;
}

const bin = (name: string) => join('node_modules', '.bin', name);
const reports = await mkdtemp(join(tmpdir(), 'reelkit-tests-'));

const quickSteps: Step[] = [
  { name: 'types', command: [bin('tsc'), '--noEmit'] },
  // Loading modules once for all files is most of the difference between one minute and half of it.
  vitest('unit', false, ['--maxWorkers=2', '--no-isolate', '--testTimeout=20000']),
  { name: 'lint', command: [bin('biome'), 'check', '.', '--error-on-warnings'] },
  { name: 'dependency rules', command: [bin('depcruise'), 'src', '--config', '.dependency-cruiser.cjs'] },
  ...(existsSync('knip.json') ? [{ name: 'unused code', command: [bin('knip')] }] : []),
];
const slowSteps: Step[] = [
  { name: 'components', command: ['node', '--import', 'tsx', 'src/dev/install.ts'], live: true },
  vitest('workflows', true),
  vitest('contract', true),
  vitest('e2e', true),
  vitest('e2e-alone', true),
  ...(await goSteps()),
];
/** Two cores are what a small machine has; more at once only slows each of them down. */
const quickAtOnce = 2;
/** Told again at the end. */
const troubles: string[] = [];

process.exitCode = await main(process.argv[2] ?? 'check');

async function main(which: string): Promise<number> {
  try {
    const quick = await inParallel(quickSteps, quickAtOnce);
    const slow: Count[] = [];
    if (which === 'all') for (const step of slowSteps) slow.push(await run(step));
    for (const line of troubles) say(line);
    const total = sumOf([...quick, ...slow]);
    say(`${total.passed} passed, ${total.failed} failed`);
    return total.failed > 0 ? 1 : 0;
  } finally {
    await rm(reports, { recursive: true, force: true });
  }
}

async function inParallel(steps: readonly Step[], atOnce: number): Promise<Count[]> {
  const left = [...steps];
  const counts: Count[] = [];
  const runSome = async () => {
    for (let step = left.shift(); step; step = left.shift()) counts.push(await run(step));
  };
  await Promise.all(Array.from({ length: atOnce }, runSome));
  return counts;
}

async function run({ name, command, cwd, count, live }: Step): Promise<Count> {
  const startedAt = performance.now();
  if (live) say(`\n--- ${name}`);
  const [file = '', ...args] = command;
  const result = await execa(file, args, {
    cwd,
    reject: false,
    stdin: 'ignore',
    all: true,
    ...(live ? { stdout: ['pipe', 'inherit'] as const, stderr: ['pipe', 'inherit'] as const } : {}),
  });
  const exitCode = result.exitCode ?? 1;
  const counted = await (count?.(String(result.stdout ?? ''), exitCode) ?? asOneTest(exitCode));
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (counted.failed > 0 && !live) say(`\n--- ${name}\n${result.all || result.originalMessage}`);
  say(
    `${counted.failed > 0 ? 'FAILED' : 'ok'}  ${name}: ${counted.passed} passed, ${counted.failed} failed, ${seconds} s`,
  );
  return counted;
}

function asOneTest(exitCode: number): Count {
  return exitCode === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

function vitest(project: string, live: boolean, args: readonly string[] = []): Step {
  const report = join(reports, `${project}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  return {
    name: `${project} tests`,
    command: [bin('vitest'), 'run', '--project', project, '--passWithNoTests', ...args, ...reporters],
    live,
    async count(_, exitCode) {
      const written = await readFile(report, 'utf8').catch(() => '');
      troubles.push(...troublesOf(written));
      return countVitest(written, exitCode);
    },
  };
}

async function goSteps(): Promise<Step[]> {
  const folder = 'worker-standin';
  if (!existsSync(join(folder, 'go.mod'))) return [];
  const found = await execa('go', ['version'], { reject: false, stdin: 'ignore' });
  if (found.exitCode !== 0) {
    say(`${folder}: its Go tests are left out, because Go is not installed`);
    return [];
  }
  const command = ['go', 'test', '-json', './...'];
  return [{ name: `${folder} tests`, command, cwd: folder, count: countGoTests }];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
