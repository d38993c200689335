// reelkit dev: the local stack and Reelkit kept running, with the commands to try. Recordings and their history survive a restart.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../common/error-message.ts';
import { type Backstage, Closing, openBackstage } from '../demo/backstage.ts';
import { castOf, MAX_ROOMS } from '../demo/cast.ts';
import { environmentFile, welcome } from '../demo/dev-texts.ts';
import { Interrupted, interruptedStatus, leaveNothing, watchForInterruption } from '../demo/interrupt.ts';
import { isAlive } from '../dev/components/store.ts';
import { reportToStderr, reportToStdout } from '../dev/reporter.ts';
import { CliError, usageError } from './errors.ts';

export interface DevArguments {
  port?: string;
  rooms?: string;
  workers?: string;
}

const config = {
  fleet: { minWorkers: 0, cooldown: '30s', bootTimeout: '60s', busyInterval: '1s', watchInterval: '10s' },
  capacity: { coresPerWorker: 4, bootDelay: '2s' },
  shutdownGrace: '4s',
};
const lookEveryMs = 1_000;

/** Runs until Ctrl-C, or until one of its parts dies. */
export async function dev(args: DevArguments): Promise<never> {
  const port = wholeNumber('--port', args.port ?? '8080', 1, 65_535);
  const rooms = wholeNumber('--rooms', args.rooms ?? '2', 0, MAX_ROOMS);
  const maxWorkers = wholeNumber('--workers', args.workers ?? '4', 1, MAX_ROOMS);
  const stateDir = join(process.cwd(), '.reelkit', 'dev');
  await claim(stateDir);
  const { signal, happened } = watchForInterruption(stateDir);
  const closing = new Closing();
  let isUp = false;
  const run = async () => {
    const backstage = await openBackstage({
      cast: castOf(rooms),
      stack: { stateDir, ports: { api: port }, redisPersistence: true },
      config: { ...config, fleet: { ...config.fleet, maxWorkers } },
      tell: reportToStdout,
      closing,
    });
    await explain(backstage, rooms);
    isUp = true;
    for (let casualty: string | undefined; !casualty; casualty = backstage.casualty()) {
      await sleep(lookEveryMs, undefined, { signal });
    }
    throw new Error(`${backstage.casualty()}; ending the rest`);
  };
  const status = await Promise.race([run(), happened]).catch((error: unknown) => {
    reportToStderr(error instanceof Interrupted ? 'Ending everything' : messageOf(error));
    if (!(error instanceof Interrupted)) return 1;
    // Ctrl-C is the way to end it once it is up.
    return isUp ? 0 : interruptedStatus;
  });
  await closing.run();
  await leaveNothing(stateDir);
  await rm(pidFileOf(stateDir), { force: true });
  process.exit(status);
}

async function explain({ stack, reelkit }: Backstage, rooms: number): Promise<void> {
  const file = join(stack.stateDir, 'env');
  await writeFile(
    file,
    environmentFile({ ...stack.env, REELKIT_URL: stack.api.url, REELKIT_CONFIG: reelkit.configFile }),
    { mode: 0o600 },
  );
  const lines = welcome({
    apiUrl: stack.api.url,
    webUiUrl: stack.temporal.uiUrl,
    livekitUrl: stack.livekit.url,
    environmentFile: relative(process.cwd(), file),
    recordingsDir: reelkit.recordingsDir,
    logDir: stack.logDir,
    rooms: castOf(rooms).map(({ room }) => room),
  });
  for (const line of lines) reportToStdout(line);
}

/** A second one on the same state would end the processes of the first. */
async function claim(stateDir: string): Promise<void> {
  const file = pidFileOf(stateDir);
  const owner = Number(await readFile(file, 'utf8').catch(() => ''));
  if (owner > 0 && owner !== process.pid && isAlive(owner)) {
    throw new CliError(`reelkit dev runs already (process ${owner})`, [`use it, or end it: kill ${owner}`]);
  }
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await writeFile(file, String(process.pid));
}

function pidFileOf(stateDir: string): string {
  return join(stateDir, 'pid');
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw usageError(`${option} ${text} is not possible`, `give a whole number from ${least} to ${most}`);
}
