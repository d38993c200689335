// reelkit fleet [name] | fleet explain [name] | fleet boots [name] | fleet forgive <worker>: the workers, why there are as many, how long
// they took to be ready, and one that is used again.
import type { FleetsView, FleetView } from '../api/schemas.ts';
import { formatDuration } from '../recording/duration.ts';
import { type ClientOptions, createApiClient } from './client.ts';
import { CliError } from './errors.ts';
import { ago, at, facts, printJson, stdout, table } from './print.ts';

interface FleetOptions extends ClientOptions {
  json?: boolean;
}

/** All fleets when none is named. */
export async function showFleet(name: string | undefined, options: FleetOptions): Promise<void> {
  const fleets = await read(name, options);
  if (options.json) return printJson(name === undefined ? fleets : fleets[0]);
  const nowMs = Date.now();
  stdout.write(fleets.map((fleet) => describeFleetView(fleet, nowMs)).join('\n'));
}

export async function explain(name: string | undefined, options: FleetOptions): Promise<void> {
  const fleets = await read(name, options);
  if (options.json) {
    const byName = Object.fromEntries(fleets.map((fleet) => [fleet.name, fleet.decisions]));
    return printJson(name === undefined ? byName : byName[name]);
  }
  const [only, ...others] = fleets;
  if (only && others.length === 0) return void stdout.write(describeDecisions(only.decisions));
  stdout.write(fleets.map((fleet) => `fleet ${fleet.name}\n${describeDecisions(fleet.decisions)}`).join('\n'));
}

export async function boots(name: string | undefined, options: FleetOptions): Promise<void> {
  const fleets = await read(name, options);
  if (options.json) {
    const byName = Object.fromEntries(fleets.map((fleet) => [fleet.name, fleet.bootsMs]));
    return printJson(name === undefined ? byName : byName[name]);
  }
  stdout.write(describeBoots(fleets));
}

export async function forgive(worker: string, options: FleetOptions): Promise<void> {
  const fleet = await tellFleetOf(worker, 'forgive', options);
  stdout.write(`${worker} of fleet ${fleet} is used again\n`);
}

export async function drain(worker: string, options: FleetOptions): Promise<void> {
  const fleet = await tellFleetOf(worker, 'drain', options);
  stdout.write(`${worker} of fleet ${fleet} is emptied: its recordings go on elsewhere, then it ends\n`);
}

/** Whichever fleet has it. */
async function tellFleetOf(worker: string, what: 'forgive' | 'drain', options: FleetOptions): Promise<string> {
  const fleet = (await read(undefined, options)).find(({ workers }) => workers.some(({ id }) => id === worker));
  if (!fleet)
    throw new CliError(`no fleet has a worker "${worker}"`, ['`reelkit fleet` shows the workers of all fleets']);
  const api = await createApiClient(options);
  await api.post(`/v1/fleets/${encodeURIComponent(fleet.name)}/workers/${encodeURIComponent(worker)}/${what}`);
  return fleet.name;
}

export function describeFleetView(view: FleetView, nowMs: number): string {
  const stages = Object.entries(view.recordings).filter(([, count]) => count > 0);
  const head = facts([
    ['fleet', `${view.name}, ${view.minWorkers} to ${view.maxWorkers} workers by ${view.provider}`],
    ['demand', `${view.demandCores} cores`],
    ['capacity', `${view.capacityCores} cores`],
    ['recordings', stages.map(([stage, count]) => `${count} ${stage}`).join(', ') || 'none open'],
    ['last decision', view.decisions[0]?.line],
  ]);
  const problems = view.problems.map((problem) => `! ${problem}\n`).join('');
  return `${head}\n${workerTable(view, nowMs)}${problems}`;
}

function workerTable({ workers }: FleetView, nowMs: number): string {
  if (workers.length === 0) return 'no workers\n';
  const rows = workers.map((worker) => [
    worker.id,
    worker.state,
    worker.busy ? `${worker.egressIds.length} egresses` : 'idle',
    String(worker.cpuCores),
    ago(worker.launchedAtMs, nowMs),
    worker.reason ?? '',
  ]);
  return table(['WORKER', 'STATE', 'LOAD', 'CORES', 'LAUNCHED', 'REASON'], rows);
}

function describeBoots(fleets: FleetView[]): string {
  const rows = fleets.map(({ name, provider, bootsMs }) => [
    name,
    provider,
    ...(bootsMs.length > 0
      ? [formatDuration(Math.max(...bootsMs)), bootsMs.map(formatDuration).join(' ')]
      : ['', 'none seen']),
  ]);
  return table(['FLEET', 'PROVIDER', 'SLOWEST', 'LAST BOOTS, NEWEST FIRST'], rows);
}

export function describeDecisions(decisions: FleetView['decisions']): string {
  if (decisions.length === 0) return 'no pass has decided anything yet\n';
  return table(
    ['PASS', 'TIME', 'DECISION'],
    decisions.map(({ pass, atMs, line }) => [String(pass), at(atMs) ?? '', line]),
  );
}

async function read(name: string | undefined, options: FleetOptions): Promise<FleetView[]> {
  const api = await createApiClient(options);
  if (name !== undefined) return [await api.get<FleetView>(`/v1/fleets/${encodeURIComponent(name)}`)];
  return (await api.get<FleetsView>('/v1/fleets')).fleets;
}
