// reelkit demo: the whole main job on real parts on this machine. Options in, exit status out; the story is in demo/run.ts.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../common/error-message.ts';
import { Closing } from '../demo/backstage.ts';
import { MAX_DURATION_MS, MAX_ROOMS, MIN_DURATION_MS, SOURCES, type SourceKind } from '../demo/cast.ts';
import { Interrupted, interruptedStatus, leaveNothing, watchForInterruption } from '../demo/interrupt.ts';
import { type DemoOptions, runDemo } from '../demo/run.ts';
import { closingLine, failureLines, type Outcome, resultData, resultTable } from '../demo/screen/report.ts';
import { createScreen } from '../demo/screen/screen.ts';
import { reportToStdout } from '../dev/reporter.ts';
import { formatDuration, parseDuration } from '../recording/duration.ts';
import { usageError } from './errors.ts';

export interface DemoArguments {
  rooms?: string;
  source?: string;
  duration?: string;
  keep?: boolean;
  json?: boolean;
}

/** Runs to its end and leaves the process: nothing of the demo may keep it alive. */
export async function demo(args: DemoArguments): Promise<never> {
  const options = readArguments(args);
  const stateDir = await freshStateDir();
  const interruption = watchForInterruption(stateDir);
  const screen = createScreen(args.json ? process.stderr : process.stdout);
  const tell = screen.line;
  const closing = new Closing();
  let status = 1;
  let keep = args.keep ?? false;
  try {
    const parts = { screen, tell, closing, signal: interruption.signal };
    const outcome = await Promise.race([runDemo({ ...options, stateDir }, parts), interruption.happened]);
    for (const line of ['', ...resultTable(outcome), '']) tell(line);
    status = outcome.failures.length === 0 ? 0 : 1;
    keep ||= status !== 0;
    sayOutcome(outcome, args.json ? (keep ? stateDir : '') : undefined, tell);
  } catch (error) {
    screen.draw([]);
    const interrupted = error instanceof Interrupted;
    if (interrupted) status = interruptedStatus;
    else keep = true;
    tell(interrupted ? `${error.message}; ending everything` : messageOf(error));
  }
  await closing.run();
  await tidyUp(stateDir, keep, tell);
  process.exit(status);
}

function sayOutcome(outcome: Outcome, jsonKeptIn: string | undefined, tell: (line: string) => void): void {
  for (const line of failureLines(outcome.failures)) tell(line);
  tell(closingLine(outcome));
  if (jsonKeptIn !== undefined) reportToStdout(JSON.stringify(resultData(outcome, jsonKeptIn), null, 2));
}

async function tidyUp(stateDir: string, keep: boolean, tell: (line: string) => void): Promise<void> {
  await leaveNothing(stateDir);
  if (keep) tell(`Recordings, logs and state are kept in ${stateDir}`);
  else await rm(stateDir, { recursive: true, force: true });
}

async function freshStateDir(): Promise<string> {
  const parent = join(process.cwd(), '.reelkit');
  await mkdir(parent, { recursive: true });
  return mkdtemp(join(parent, 'demo-'));
}

function readArguments(args: DemoArguments): Omit<DemoOptions, 'stateDir'> {
  const rooms = Number(args.rooms ?? 6);
  if (!(Number.isInteger(rooms) && rooms >= 1 && rooms <= MAX_ROOMS)) {
    throw usageError(`--rooms ${args.rooms} is not possible`, `give a whole number from 1 to ${MAX_ROOMS}`);
  }
  const source = args.source ?? 'room';
  if (!(SOURCES as readonly string[]).includes(source)) {
    throw usageError(`--source ${source} is not known`, `give one of ${SOURCES.join(', ')}`);
  }
  const maxDurationMs = parseDuration(args.duration ?? '20s') ?? 0;
  if (maxDurationMs < MIN_DURATION_MS || maxDurationMs > MAX_DURATION_MS) {
    const range = `${formatDuration(MIN_DURATION_MS)} to ${formatDuration(MAX_DURATION_MS)}`;
    throw usageError(`--duration ${args.duration} is not possible`, `give a duration from ${range}, such as 20s`);
  }
  return { rooms, source: source as SourceKind, maxDurationMs };
}
