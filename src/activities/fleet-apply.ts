// The apply step of a pass: does what the plan says and writes down what could not be done. Every act may be repeated.
import {
  CapacityError,
  type CapacityErrorKind,
  type LaunchProblem,
  type LaunchResult,
  launchProblemOf,
} from '../capacity/provider.ts';
import { messageOf } from '../common/error-message.ts';
import { eachAtOnce } from '../common/some-at-once.ts';
import { afterLaunch, type LaunchRefusal } from '../fleet/launch-again.ts';
import type { FleetMemory, WorkerNotes } from '../fleet/observation.ts';
import type { FleetPlan } from '../fleet/plan.ts';
import { CORDON_TTL_MS } from '../fleet/policy.ts';
import type { FleetDeps } from './fleet-deps.ts';

/** Signals in flight at a time; each is a write to another workflow. */
const SIGNALS_AT_ONCE = 50;

/** @returns the plan's memory, corrected by what failed, so that the next pass tries again */
export async function apply(deps: FleetDeps, plan: FleetPlan, token: string): Promise<FleetMemory> {
  const { presence, policy } = deps;
  const cordonMs = Math.max(CORDON_TTL_MS, 2 * policy.watchIntervalMs);
  // Before anybody is told of room there.
  await failedOf(deps, plan.uncordon, 'uncordon', ({ topic }) => presence.uncordon(topic));
  const [launched, notCordoned, notAdmitted, notDrained] = await Promise.all([
    launch(deps, plan, token),
    failedOf(deps, plan.cordon, 'cordon', ({ topic }) => presence.cordon(topic, cordonMs)),
    failedOf(deps, plan.admit, 'admit', ({ id, onto }) => deps.recordings.admit(id, onto)),
    failedOf(deps, plan.retire, 'drain', ({ id }) => deps.provider.drain(id)),
    failedOf(deps, plan.protect, 'protect', async ({ id, busy }) => deps.provider.protect?.(id, busy)),
    failedOf(deps, plan.remove, 'remove', ({ id }) => deps.provider.remove(id)),
    tellRecordings(deps, plan),
    stopOrphans(deps, plan),
  ]);
  const memory = afterwards(plan, deps.now(), { notCordoned, notAdmitted, notDrained });
  return launched ? afterLaunch(memory, launched, deps.now()) : memory;
}

async function launch({ provider, log }: FleetDeps, plan: FleetPlan, token: string) {
  if (plan.launch === 0) return undefined;
  const { launched, problems } = await provider.launch(plan.launch, token).catch(asResult);
  for (const { message, ...problem } of problems)
    log.warn(
      { ...problem, error: message },
      launched.length > 0 ? 'fewer workers were launched than asked for' : 'no worker could be launched',
    );
  const refusal = refusalOf(problems);
  return { launched, ...(refusal ? { refusal } : {}) };

  /** What a provider throws by mistake is taken as passing, and shown. */
  function asResult(error: unknown): LaunchResult {
    const known = error instanceof CapacityError ? error : new CapacityError('retryable', messageOf(error));
    return { launched: [], problems: [launchProblemOf(known, plan.launch)] };
  }
}

/** The one that keeps the fleet waiting longest, with what else was said. */
function refusalOf(problems: readonly LaunchProblem[]): LaunchRefusal | undefined {
  const [worst, ...others] = [...problems].sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind));
  if (!worst) return undefined;
  const message = [worst, ...others].map((problem) => problem.message).join('; ');
  return { kind: worst.kind, message, retryAfterMs: worst.retryAfterMs };
}

const KINDS: readonly CapacityErrorKind[] = ['configuration', 'no_capacity', 'retryable'];

function tellRecordings(deps: FleetDeps, { lost, look }: FleetPlan) {
  const messages = [
    ...lost.map(({ recordingId, egressId, evidence }) => ({
      id: recordingId,
      look: { code: 'lost' as const, egressId, why: `${egressId} is lost: ${evidence}` },
    })),
    ...look.map(({ recordingId, again: _, ...about }) => ({ id: recordingId, look: about })),
  ];
  return failedOf(deps, messages, 'signal', (message) => deps.recordings.askToLook(message.id, message.look));
}

/** The index lags behind, and shows one fleet: before anything is stopped for not being open, the recording itself is asked for. */
function stopOrphans(deps: FleetDeps, { orphans }: FleetPlan) {
  const items = orphans.map(({ egressId, recordingId, code }) => ({ id: egressId, recordingId, code }));
  return failedOf(deps, items, 'stop', async ({ id, recordingId, code }) => {
    const state = code === 'not_open' ? await deps.recordings.statusOf(recordingId) : 'ended';
    if (state === 'ended') await deps.stopEgress(id);
    else if (state === 'unknown') deps.log.warn({ egress: id }, 'an egress of no recording of ours; it is left alone');
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
  await eachAtOnce(SIGNALS_AT_ONCE, items, async (item) => {
    try {
      if ((await act(item)) === false) failed.push(item.id);
    } catch (error) {
      log.warn({ id: item.id, error: String(error) }, `could not ${what}; the next pass tries again`);
      failed.push(item.id);
    }
  });
  return failed;
}

interface Failed {
  notCordoned: string[];
  notAdmitted: string[];
  notDrained: string[];
}

/** What failed is as if it had not been decided; a cordon counts from when it was set. */
function afterwards({ memory, cordon }: FleetPlan, nowMs: number, failed: Failed): FleetMemory {
  const leases = Object.fromEntries(Object.entries(memory.leases).filter(([id]) => !failed.notAdmitted.includes(id)));
  const workers = { ...memory.workers };
  for (const { id, isNew } of cordon) if (isNew) workers[id] = { ...workers[id], cordonedMs: nowMs };
  for (const id of failed.notCordoned) workers[id] = without('cordonedMs', workers[id]);
  for (const id of failed.notDrained) workers[id] = without('drainAskedMs', workers[id]);
  return { ...memory, leases, workers };
}

function without(key: keyof WorkerNotes, notes: WorkerNotes = {}): WorkerNotes {
  return Object.fromEntries(Object.entries(notes).filter(([name]) => name !== key));
}
