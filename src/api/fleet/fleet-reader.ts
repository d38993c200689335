// The fleet as an operator wants to see it: workers, demand and the last decisions, gathered from three places. What one
// place cannot answer is said in `problems`; the rest is still shown.

import type { Client } from '@temporalio/client';
import type { QueryDefinition } from '@temporalio/common';
import { defined } from '../../common/defined.ts';
import { messageOf } from '../../common/error-message.ts';
import type { FleetConfig } from '../../config/fleet.ts';
import type { ObservedWorker } from '../../fleet/observation.ts';
import { demandFilter } from '../../temporal/recording-index.ts';
import { bootsQuery, explainQuery, fleetWorkflowId, type RecordingMemo } from '../../workflows/messages.ts';
import { cached } from '../cached.ts';
import type { CountByStage } from '../recordings/stage-counter.ts';
import type { FleetView } from '../schemas.ts';

const FRESH_MS = 1_000;
const CALL_MS = 3_000;
const PAGE = 1_000;

export interface FleetReaderParts {
  client: Client;
  fleet: FleetConfig;
  countByStage: CountByStage;
  /** Provider and probe together. */
  observeWorkers: () => Promise<ObservedWorker[]>;
}

export function createFleetReader({
  client,
  fleet,
  countByStage,
  observeWorkers,
}: FleetReaderParts): () => Promise<FleetView> {
  return cached(FRESH_MS, async () => {
    const problems: string[] = [];
    const orElse = <T>(what: string, fallback: T, read: () => Promise<T>) =>
      read().catch((error: unknown) => {
        problems.push(`${what}: ${messageOf(error)}`);
        return fallback;
      });
    const within = <T>(read: () => Promise<T>) => client.withDeadline(Date.now() + CALL_MS, read);
    const [workers, recordings, demandCores, decisions, bootsMs] = await Promise.all([
      orElse('workers', [], observeWorkers),
      orElse('recordings', {}, countByStage),
      orElse('demand', 0, () => within(() => sumCosts(client, fleet.name))),
      orElse('decisions', [], () => within(() => ask(client, fleet.name, explainQuery))),
      orElse('boots', [], () => within(() => ask(client, fleet.name, bootsQuery))),
    ]);
    return {
      name: fleet.name,
      provider: fleet.capacity.provider,
      minWorkers: fleet.minWorkers,
      maxWorkers: fleet.maxWorkers,
      workers: workers.map(workerView),
      demandCores,
      capacityCores: sum(workers.filter(isCapacity).map((worker) => worker.cpuCores)),
      recordings,
      decisions,
      bootsMs,
      problems,
    };
  });
}

function workerView(worker: ObservedWorker): FleetView['workers'][0] {
  const { id, state, cpuCores, owned, launchedAtMs, endsAtMs, reason } = worker;
  const egressIds = worker.egresses.map(({ egressId }) => egressId);
  const busy = egressIds.length > 0;
  return {
    ...{ id, state, busy, egressIds, cpuCores, owned, launchedAtMs },
    ...defined({ endsAtMs, reason }),
  };
}

function isCapacity({ state }: ObservedWorker): boolean {
  return state === 'ready' || state === 'booting';
}

async function sumCosts(client: Client, fleet: string): Promise<number> {
  let cores = 0;
  for await (const row of client.workflow.list({ query: demandFilter(fleet), pageSize: PAGE })) {
    cores += (row.memo as Partial<RecordingMemo> | undefined)?.costCores ?? 0;
  }
  return cores;
}

/** A fleet that was never needed has no workflow yet: nothing decided, nothing wrong. */
async function ask<T>(client: Client, fleet: string, query: QueryDefinition<readonly T[]>): Promise<T[]> {
  try {
    return [...(await client.workflow.getHandle(fleetWorkflowId(fleet)).query(query))];
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowNotFoundError') return [];
    throw error;
  }
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
