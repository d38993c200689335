// The apply step of a pass: does what the plan says and writes down what could not be done. Every act may be repeated.
import { CapacityError } from '../capacity/provider.ts';
import { afterLaunch, type LaunchRefusal } from '../fleet/backoff.ts';
import type { FleetMemory } from '../fleet/observation.ts';
import type { FleetPlan } from '../fleet/plan.ts';
import type { FleetDeps } from './fleet-deps.ts';

/** Signals in flight at a time; each is a write to another workflow. */
const SIGNALS_AT_ONCE = 50;

/** @returns the plan's memory, corrected by what failed, so that the next pass tries again */
export async function apply(deps: FleetDeps, plan: FleetPlan, token: string): Promise<FleetMemory> {
  const [launched, notAdmitted, notDrained] = await Promise.all([
    launch(deps, plan, token),
    failedOf(deps, plan.admit, 'admit', ({ id }) => deps.recordings.admit(id)),
    failedOf(deps, plan.retire, 'drain', ({ id }) => deps.provider.drain(id)),
    failedOf(deps, plan.protect, 'protect', async ({ id, busy }) => deps.provider.protect?.(id, busy)),
    failedOf(deps, plan.remove, 'remove', ({ id }) => deps.provider.remove(id)),
    tellRecordings(deps, plan),
    stopOrphans(deps, plan),
  ]);
  const memory = forget(plan.memory, notAdmitted, notDrained);
  return launched ? afterLaunch(memory, launched, deps.now()) : memory;
}

async function launch({ provider, log }: FleetDeps, plan: FleetPlan, token: string) {
  if (plan.launch === 0) return undefined;
  try {
    const { launched, error } = await provider.launch(plan.launch, token);
    if (error) log.warn({ error: error.message, kind: error.kind }, 'fewer workers were launched than asked for');
    return { launched, ...(error ? { refusal: refusalOf(error) } : {}) };
  } catch (error) {
    log.warn({ error: String(error) }, 'no worker could be launched');
    return { launched: [], refusal: refusalOf(error) };
  }
}

/** What a provider throws by mistake is taken as passing, and shown. */
function refusalOf(error: unknown): LaunchRefusal {
  if (error instanceof CapacityError) {
    return { kind: error.kind, message: error.message, retryAfterMs: error.retryAfterMs };
  }
  return { kind: 'retryable', message: error instanceof Error ? error.message : String(error) };
}

function tellRecordings(deps: FleetDeps, { lost, look }: FleetPlan) {
  const messages = [
    ...lost.flatMap(({ recordingId, egressId, evidence }) =>
      recordingId === undefined
        ? []
        : [{ id: recordingId, look: { why: `the worker of ${egressId} is gone: ${evidence}` } }],
    ),
    ...look.map(({ recordingId, why }) => ({ id: recordingId, look: { why } })),
  ];
  return failedOf(deps, messages, 'signal', (message) => deps.recordings.look(message.id, message.look));
}

/** The index lags behind; before anything is stopped, the recording itself is asked for. */
function stopOrphans({ recordings, livekit, log, ...deps }: FleetDeps, { orphans }: FleetPlan) {
  const items = orphans.map(({ egressId, recordingId, why }) => ({ id: egressId, recordingId, why }));
  return failedOf({ recordings, livekit, log, ...deps }, items, 'stop', async ({ id, recordingId, why }) => {
    if (why.includes('not open') && (await recordings.isOpen(recordingId))) {
      log.info({ egress: id, recording: recordingId }, 'an egress looked orphaned, but its recording is open');
      return;
    }
    await livekit.stopEgress(id);
  });
}

/** @returns the ids that failed, or whose recording has ended */
async function failedOf<T extends { id: string }>(
  { log }: FleetDeps,
  items: readonly T[],
  what: string,
  act: (item: T) => Promise<unknown>,
): Promise<string[]> {
  const failed: string[] = [];
  for (let start = 0; start < items.length; start += SIGNALS_AT_ONCE) {
    await Promise.all(
      items.slice(start, start + SIGNALS_AT_ONCE).map(async (item) => {
        try {
          if ((await act(item)) === false) failed.push(item.id);
        } catch (error) {
          log.warn({ id: item.id, error: String(error) }, `could not ${what}; the next pass tries again`);
          failed.push(item.id);
        }
      }),
    );
  }
  return failed;
}

function forget(memory: FleetMemory, notAdmitted: string[], notDrained: string[]): FleetMemory {
  const leases = Object.fromEntries(Object.entries(memory.leases).filter(([id]) => !notAdmitted.includes(id)));
  const workers = { ...memory.workers };
  for (const id of notDrained) {
    const { drainAskedMs: _, ...notes } = workers[id] ?? {};
    workers[id] = notes;
  }
  return { ...memory, leases, workers };
}
