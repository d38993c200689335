// The fleets: can each launch, do its workers answer, and does somebody listen who belongs to none?
import type { BusTransport } from '../../bus/transport.ts';
import type { FleetConfig } from '../../config/fleet.ts';
import { roomTooLarge } from '../../config/fleets.ts';
import type { ObservedWorker } from '../../fleet/observation.ts';
import { createPresence, type Presence } from '../../livekit/presence.ts';
import { capacityProblems, createFleetSources, type FleetSources, NO_PRESENCE } from '../fleet-sources.ts';
import { type CheckResult, check, explain, failed, passed, warned } from './result.ts';
import { checkStarts } from './starts.ts';

/** @param bus absent without the workers' Redis, which is told of elsewhere */
export async function checkFleets(
  fleets: readonly FleetConfig[],
  bus: BusTransport | undefined,
): Promise<CheckResult[]> {
  const presence = bus && createPresence(bus);
  const suffixOf = ({ name }: FleetConfig) => (fleets.length > 1 ? ` of fleet ${name}` : '');
  const sources: FleetSources[] = [];
  const broken: CheckResult[] = [];
  for (const fleet of fleets) {
    try {
      sources.push(await createFleetSources(fleet, presence ?? NO_PRESENCE));
    } catch (error) {
      broken.push(failed(`capacity (${fleet.capacity.provider})${suffixOf(fleet)}`, explain(error)));
    }
  }
  const looked = await Promise.all(sources.map((one) => checkFleet(one, suffixOf(one.settings), bus)));
  const strangers = presence && broken.length === 0 ? [await checkStrangers(presence, sources)] : [];
  await Promise.all(sources.map(({ provider }) => provider.close?.()));
  return [...broken, ...looked.flat(), ...strangers];
}

async function checkFleet(
  { settings, provider, observe }: FleetSources,
  suffix: string,
  bus: BusTransport | undefined,
): Promise<CheckResult[]> {
  const capacity = `capacity (${provider.kind})${suffix}`;
  const setup = await check(capacity, async () => {
    const problems = [...(await capacityProblems({ settings, provider })), ...[roomTooLarge(settings) ?? []].flat()];
    if (problems.length > 0) return failed(capacity, problems.join('; '));
    const warnings = provider.warnings?.() ?? [];
    if (warnings.length > 0) return warned(capacity, warnings.join('; '));
    return passed(capacity, 'configuration and permissions are fine');
  });
  const name = `egress workers${suffix}`;
  let workers: ObservedWorker[] = [];
  const probes = await check(name, async () => {
    workers = await observe();
    const silent = workers.filter(({ state }) => state === 'unreachable');
    if (silent.length > 0) {
      const list = silent.map(({ id, reason }) => `${id}: ${reason ?? 'no answer'}`).join('; ');
      const remedy = 'Check health_port, prometheus_port, redis and cluster_id of the worker, and the network';
      return failed(name, `${list}. ${remedy}`);
    }
    return passed(name, workers.length === 0 ? 'none at the moment' : `${workers.length} answer`);
  });
  const starts = `starts${suffix}`;
  return [setup, probes, ...(bus ? [await check(starts, () => checkStarts(starts, bus, workers))] : [])];
}

/** Nobody is sent anything whom no fleet lists. The bus first: who comes in between is in a list by then. */
function checkStrangers(presence: Presence, fleets: readonly FleetSources[]): Promise<CheckResult> {
  const name = 'workers of no fleet';
  return check(name, async () => {
    const listening = await presence.workers();
    const lists = await Promise.all(fleets.map(({ provider }) => provider.list()));
    for (const { topic } of lists.flatMap(({ workers }) => workers)) listening.delete(topic ?? '');
    if (listening.size === 0) return passed(name, 'none');
    const topics = [...listening].sort().join(', ');
    return failed(
      name,
      `nothing is ever sent to ${topics}: no fleet has a worker with that cluster_id. Give it to one, or end the worker`,
    );
  });
}
