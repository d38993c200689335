// reelkit fleet | fleet explain: the workers, and why there are as many.
import type { FleetView } from '../api/schemas.ts';
import { type ClientOptions, createApiClient } from './client.ts';
import { ago, at, facts, printJson, stdout, table } from './print.ts';

interface FleetOptions extends ClientOptions {
  json?: boolean;
}

export async function showFleet(options: FleetOptions): Promise<void> {
  const view = await read(options);
  if (options.json) return printJson(view);
  stdout.write(describeFleetView(view, Date.now()));
}

export async function explain(options: FleetOptions): Promise<void> {
  const { decisions } = await read(options);
  if (options.json) return printJson(decisions);
  stdout.write(describeDecisions(decisions));
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

export function describeDecisions(decisions: FleetView['decisions']): string {
  if (decisions.length === 0) return 'no pass has decided anything yet\n';
  return table(
    ['PASS', 'TIME', 'DECISION'],
    decisions.map(({ pass, atMs, line }) => [String(pass), at(atMs) ?? '', line]),
  );
}

async function read(options: FleetOptions): Promise<FleetView> {
  return (await createApiClient(options)).get<FleetView>('/v1/fleet');
}
