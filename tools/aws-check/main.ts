// Tries a fleet's platform on a real account: launches one worker as Reelkit does, repeats the launch, watches it boot, ends it, and
// says what all of that took. Run it before Reelkit serves that cluster or group. It touches nothing that it did not launch.
//   node --import tsx tools/aws-check/main.ts reelkit.yaml [--fleet NAME] [--boot-minutes 15] [--price-per-hour 0.20]
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import type { Capacity } from '../../src/capacity/guard.ts';
import type { Worker } from '../../src/capacity/provider.ts';
import { type CapacitySettings, capacitySettings, createCapacity } from '../../src/capacity/registry.ts';
import { messageOf } from '../../src/common/error-message.ts';
import { createAskWorker } from '../../src/service/fleet-sources.ts';

const LOOK_EVERY_MS = 3_000;
/** AWS ends a task in two minutes at most, an instance in several. */
const GONE_LIMIT_MS = 15 * 60_000;

interface Options {
  settings: CapacitySettings;
  /** Its name in the configuration: what it launches is marked with it. */
  fleet: string;
  bootLimitMs: number;
  pricePerHour: number | undefined;
}

class Failed extends Error {}

async function readOptions(): Promise<Options> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      fleet: { type: 'string' },
      'boot-minutes': { type: 'string', default: '15' },
      'price-per-hour': { type: 'string' },
    },
  });
  const [file] = positionals;
  if (!file) throw new Failed('name a configuration file of Reelkit: tools/aws-check/main.ts reelkit.yaml');
  const { name: fleet = 'default', capacity } = fleetIn(parse(await readFile(file, 'utf8')), values.fleet);
  const settings = capacitySettings.safeParse(capacity);
  if (!settings.success)
    throw new Failed(
      `fleet.capacity: ${settings.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('; ')}`,
    );
  const price = values['price-per-hour'];
  return {
    settings: settings.data,
    fleet,
    bootLimitMs: Number(values['boot-minutes']) * 60_000,
    pricePerHour: price === undefined ? undefined : Number(price),
  };
}

interface Document {
  fleet?: Fleet;
  fleets?: Fleet[];
}

interface Fleet {
  name?: string;
  capacity?: unknown;
}

function fleetIn({ fleet, fleets = [] }: Document, wanted: string | undefined): Fleet {
  const found = wanted === undefined ? (fleet ?? fleets[0]) : fleets.find(({ name }) => name === wanted);
  if (!found) throw new Failed(wanted === undefined ? 'has no fleet' : `has no fleet "${wanted}"`);
  return found;
}

async function run({ settings, fleet, bootLimitMs, pricePerHour }: Options, signal: AbortSignal): Promise<void> {
  const token = `aws-check-${randomBytes(4).toString('hex')}`;
  const capacity = await createCapacity(settings, { fleet, askWorker: createAskWorker() });
  const startedAtMs = Date.now();
  let launched: string | undefined;
  try {
    const problems = await capacity.check();
    if (problems.length > 0) throw new Failed(`reelkit doctor would say:\n  ${problems.join('\n  ')}`);
    say('configuration and rights: no problem found');
    for (const warning of capacity.warnings?.() ?? []) say(`worth knowing: ${warning}`);

    launched = await launch(capacity, token);
    say(`launched ${launched}`);
    const again = await launch(capacity, token);
    if (again !== launched) throw new Failed(`the same launch, repeated, made another one: ${again}`);
    say('the same launch, repeated, made nothing');

    const worker = await untilRuns(capacity, launched, { limitMs: bootLimitMs, signal });
    say(`runs after ${seconds(startedAtMs)}: ${worker.id}, ${worker.cpuCores} cores, topic ${worker.topic ?? 'none'}`);
    if (capacity.protect) {
      await capacity.protect(worker.id, true);
      await capacity.protect(worker.id, false);
      say('protected, and released again');
    }
  } finally {
    try {
      if (launched !== undefined) await end(capacity, settings, launched);
    } finally {
      await capacity.close?.();
    }
    const hours = (Date.now() - startedAtMs) / 3_600_000;
    const cost = pricePerHour === undefined ? '' : `, about ${(hours * pricePerHour).toFixed(3)} of your currency`;
    if (launched !== undefined) say(`cost: one worker for ${(hours * 60).toFixed(1)} minutes at most${cost}`);
  }
  say('passed: it was launched once, booted, and is gone');
}

async function launch(capacity: Capacity, token: string): Promise<string> {
  const { launched, problems } = await capacity.launch(1, token);
  const [id] = launched;
  if (id === undefined) throw new Failed(problems.map(({ code, message }) => `${code}: ${message}`).join('; '));
  return id;
}

async function untilRuns(
  capacity: Capacity,
  id: string,
  { limitMs, signal }: { limitMs: number; signal: AbortSignal },
): Promise<Worker> {
  let told = '';
  for (const fromMs = Date.now(); Date.now() - fromMs < limitMs; await sleep(LOOK_EVERY_MS, undefined, { signal })) {
    const worker = await find(capacity, id);
    const line = worker ? [worker.state, worker.reason].filter(Boolean).join(': ') : 'not listed yet';
    if (line !== told) say(`  ${seconds(fromMs)}  ${line}`);
    told = line;
    if (worker?.state === 'running' && worker.healthUrl) return worker;
    if (worker?.state === 'gone') throw new Failed(`it ended before it ran: ${worker.reason ?? 'no reason given'}`);
  }
  throw new Failed(`it does not run after ${Math.round(limitMs / 60_000)} minutes`);
}

async function find(capacity: Capacity, id: string): Promise<Worker | undefined> {
  const { workers } = await capacity.list();
  return workers.find((worker) => worker.id === id || worker.launchedAs === id);
}

async function end(capacity: Capacity, settings: CapacitySettings, id: string): Promise<void> {
  try {
    for (const fromMs = Date.now(); ; await sleep(LOOK_EVERY_MS)) {
      const worker = await find(capacity, id);
      if (!worker || worker.state === 'gone') return say(`gone ${seconds(fromMs)} after it was ended`);
      if (Date.now() - fromMs > GONE_LIMIT_MS) throw new Failed('it is still there');
      // Again each time: one that began meanwhile hears it, too.
      await capacity.remove(worker.id);
    }
  } catch (error) {
    throw new Failed(`${id} is LEFT BEHIND (${messageOf(error)}). Remove it: ${remedy(settings, id)}`);
  }
}

function remedy(settings: CapacitySettings, id: string): string {
  if (settings.provider === 'ecs') return `aws ecs stop-task --cluster ${settings.cluster} --task ${id}`;
  return `aws autoscaling terminate-instance-in-auto-scaling-group --should-decrement-desired-capacity --instance-id ${id}`;
}

function seconds(sinceMs: number): string {
  return `${((Date.now() - sinceMs) / 1_000).toFixed(0)} s`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.on(name, () => {
    if (!interrupted.signal.aborted) say('interrupted: what was launched is ended first');
    interrupted.abort(new Failed('interrupted'));
  });
try {
  await run(await readOptions(), interrupted.signal);
} catch (error) {
  say(`failed: ${interrupted.signal.aborted ? 'interrupted' : messageOf(error)}`);
  process.exitCode = 1;
}
