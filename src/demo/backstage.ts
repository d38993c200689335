// Everything a demo or `reelkit dev` stands on: components, stack, Reelkit, speakers. Starts them in order with a line each,
// notices when one of them dies, and ends them all. What is recorded is not its business.

import { type ComponentName, installComponents } from '../dev/components.ts';
import { createReelkitService, type ReelkitService, type ReelkitServiceOptions } from '../dev/reelkit-service.ts';
import { type Speaker, startSpeaker } from '../dev/speakers.ts';
import { type Stack, type StackOptions, type StackPart, startStack } from '../dev/stack.ts';
import type { Actor } from './cast.ts';

export type Tell = (line: string) => void;
export type Binaries = Record<(typeof needed)[number], string>;

const needed = ['redis-server', 'livekit-server', 'temporal', 'ffmpeg', 'ffprobe', 'egress'] as const;
/** Looking at what is there already takes less; longer is worth a line, because somebody waits. */
const patienceMs = 15_000;
/** After a change of the sources it bundles the workflows first. */
const reelkitReadyLimitMs = 120_000;
const reelkitStopLimitMs = 6_000;

export interface Backstage {
  readonly stack: Stack;
  readonly reelkit: ReelkitService;
  readonly binaries: Binaries;
  readonly speakers: Speaker[];
  /** A component that ended although nobody asked it to, in words. */
  casualty(): string | undefined;
}

/** What has been started so far, in the order in which it must end: last first. */
export class Closing {
  private readonly steps: (() => Promise<unknown>)[] = [];

  add(step: () => Promise<unknown>): void {
    this.steps.unshift(step);
  }

  /** A step that fails keeps no other from its turn. */
  async run(): Promise<void> {
    for (let step = this.steps.shift(); step; step = this.steps.shift()) await step().catch(() => undefined);
  }
}

export interface BackstageOptions {
  cast: readonly Actor[];
  stack: Omit<StackOptions, 'report'>;
  config: NonNullable<ReelkitServiceOptions['config']>;
  tell: Tell;
  closing: Closing;
}

export async function openBackstage(options: BackstageOptions): Promise<Backstage> {
  const { cast, config, tell, closing } = options;
  const binaries = await install(tell);
  const stack = await startStack({ ...options.stack, report: tell });
  closing.add(() => stack.stop());
  const parts = Object.keys(stack.pids()) as StackPart[];
  const reelkit = await createReelkitService({
    stack,
    egressBin: binaries.egress,
    config,
    readyTimeoutMs: reelkitReadyLimitMs,
  });
  closing.add(() => reelkit.stop(reelkitStopLimitMs));
  const speakers: Speaker[] = [];
  closing.add(() => Promise.allSettled(speakers.map((speaker) => speaker.stop())));
  const addSpeakers = async () => {
    speakers.push(...(await Promise.all(cast.map((actor) => speakerFor(actor, stack)))));
  };
  await Promise.all([
    timed(tell, 'Reelkit', () => reelkit.start()),
    ...(cast.length > 0 ? [timed(tell, `${cast.length} speakers`, addSpeakers)] : []),
  ]);
  return {
    stack,
    reelkit,
    binaries,
    speakers,
    casualty: () => casualtyAmong(parts, stack, reelkit),
  };
}

/** All at once; each is told when it is there, and every so often while it is not. */
async function install(tell: Tell): Promise<Binaries> {
  const found = await Promise.all(needed.map((name) => installOne(name, tell).catch((error: unknown) => ({ error }))));
  const failure = found.find((result) => typeof result === 'object');
  if (failure) throw failure.error;
  return Object.fromEntries(needed.map((name, i) => [name, found[i]])) as Binaries;
}

async function installOne(name: ComponentName, tell: Tell): Promise<string> {
  const startedAt = performance.now();
  const reminder = setInterval(() => tell(`${name}: still at it after ${elapsed(startedAt)}`), patienceMs);
  try {
    const [installed] = await installComponents([name], tell);
    if (!installed) throw new Error(`${name} was not installed`);
    tell(`${name.padEnd(15)} ${installed.version.padEnd(13)} from ${installed.from}, ${elapsed(startedAt)}`);
    return installed.path;
  } finally {
    clearInterval(reminder);
  }
}

async function timed<T>(tell: Tell, what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  tell(`${what} ready after ${elapsed(startedAt)}`);
  return result;
}

function elapsed(sinceMs: number): string {
  return `${((performance.now() - sinceMs) / 1_000).toFixed(1)} s`;
}

function speakerFor({ room, identity, toneHz }: Actor, { livekit, logDir }: Stack): Promise<Speaker> {
  return startSpeaker({ livekit, room, identity, toneHz, logFile: `${logDir}/speakers.log` });
}

function casualtyAmong(parts: readonly StackPart[], stack: Stack, reelkit: ReelkitService): string | undefined {
  if (reelkit.pid() === undefined) return `Reelkit has ended by itself; log: ${reelkit.logFile}`;
  const running = stack.pids();
  const dead = parts.find((part) => running[part] === undefined);
  return dead && `${dead} has ended by itself; log: ${stack.logDir}/${dead}.log`;
}
