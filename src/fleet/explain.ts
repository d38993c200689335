// Puts a plan into words: structured reasons, one line for the log, Markdown for the Web UI. Pure.
import { cutToBytes } from '../recording/bytes.ts';
import { formatDuration } from '../recording/duration.ts';
import type { Demand } from './demand.ts';
import { isSetAside, whySetAside } from './doubt.ts';
import type { FleetMemory, Observation, ObservedWorker } from './observation.ts';
import type { Sizing } from './sizing.ts';
import type { Strays } from './strays.ts';
import type { Cordons, WorkerFact } from './upkeep.ts';

type ReasonCode =
  | 'launch'
  | 'at_max'
  | 'launch_held'
  | 'set_aside'
  | 'admit'
  | 'cordon'
  | 'uncordon'
  | 'drain'
  | 'remove'
  | 'boot_failed'
  | 'worker_vanished'
  | 'lost'
  | 'orphan'
  | 'look'
  | 'stranger'
  | 'worker_set_aside'
  | 'bus_unknown';

export interface Reason {
  code: ReasonCode;
  text: string;
  /** The first of them. */
  ids: string[];
  count: number;
  /** A condition rather than an act: told when it begins, not in every pass. */
  lasting?: boolean;
}

export interface Decided extends Sizing, Pick<Cordons, 'cordon' | 'uncordon'> {
  demand: Demand;
  retire: WorkerFact[];
  remove: WorkerFact[];
  overdue: WorkerFact[];
  ends: { failedBoots: WorkerFact[]; vanished: WorkerFact[] };
  strays: Strays;
}

const SHOWN_IDS = 5;
const SHOWN_ROWS = 25;
/** Of one fact: platforms and workers say as much as they like. */
const TEXT_BYTES = 300;
/** Of what is kept of a pass. */
const LINE_BYTES = 2_000;
const STATE_BYTES = 8_000;

export function renderReasons(observation: Observation, memory: FleetMemory, decided: Decided): Reason[] {
  const { demand, strays, ends, overdue } = decided;
  const given = new Set(overdue.map(({ id }) => id));
  const lost = strays.lost.filter(({ again }) => !again).map((one) => ({ id: one.recordingId, ...one }));
  const looks = strays.look.filter(({ again }) => !again).map((one) => ({ id: one.recordingId, ...one }));
  const orphans = strays.orphans.map((one) => ({ id: one.egressId, ...one }));
  const retired = decided.retire.filter(({ id }) => !given.has(id));
  const closed = decided.cordon.filter(({ isNew }) => isNew);
  return [
    ...launchReasons(observation, memory, decided),
    ...setAside(demand),
    ...named('admit', demand.admit, (ids, count) => `admitting ${count}: ${ids}${passed(demand)}`),
    ...told('boot_failed', ends.failedBoots, ({ id, why }) => `${id} ended before it was ready: ${why}`),
    ...told('boot_failed', overdue, ({ id, why }) => `${id} ${why}: given up and draining`),
    ...told('worker_vanished', ends.vanished, ({ id, why }) => `${id} ended without being asked to: ${why}`),
    ...told('cordon', closed, ({ id, why }) => `${id} ${why}: sending it nothing more`),
    ...told('uncordon', decided.uncordon, ({ id }) => `${id} is needed after all`),
    ...told('drain', retired, ({ id, why }) => `${id} ${why}: draining`),
    ...told('remove', decided.remove, ({ id, why }) => `${id} ${why}: removing`),
    ...told(
      'lost',
      lost,
      ({ egressId, recordingId, evidence }) => `${egressId} of ${recordingId} is lost: ${evidence}`,
    ),
    ...told('orphan', orphans, ({ egressId, why }) => `${egressId} is an orphan, ${why}: stopping it`),
    ...told('look', looks, ({ recordingId, why }) => `${recordingId} is asked to look: ${why}`),
    ...strangers(strays.strangers),
    ...workersSetAside(observation),
    ...(observation.activeEgresses ? [] : [busUnknown]),
  ];
}

/** Acts always; conditions only when they differ from what was told last. */
export function renderLine(reasons: Reason[], memory: FleetMemory): string | undefined {
  const key = holdKey(reasons);
  const holdIsNews = key !== '' && key !== memory.lastHold;
  const told = reasons.filter(({ lasting }) => !lasting || holdIsNews);
  return told.length === 0 ? undefined : cutToBytes(told.map(({ text }) => text).join('; '), LINE_BYTES, ' … (cut)');
}

export function holdKey(reasons: readonly Reason[]): string {
  return reasons
    .filter(({ lasting }) => lasting)
    .map(({ code, ids, count }) => [code, count, ...ids].join(' '))
    .join('; ');
}

const busUnknown: Reason = {
  code: 'bus_unknown',
  text: "the workers' Redis did not answer: nothing is called lost, nothing shrinks",
  ids: [],
  count: 0,
  lasting: true,
};

/** Told once for each, however often it is tried again. */
function workersSetAside({ workers, nowMs }: Observation): Reason[] {
  const aside = workers.flatMap(({ id, doubt }) => (doubt && isSetAside(doubt, nowMs) ? [{ id, doubt }] : []));
  const reasons = told(
    'worker_set_aside',
    aside,
    ({ id, doubt }) => `${id} is set aside: ${whySetAside(doubt)}; \`reelkit fleet forgive ${id}\` takes it back`,
    byId,
  );
  return reasons.map((reason) => ({ ...reason, lasting: true }));
}

/** Somebody else uses the workers' Redis. */
function strangers(ids: readonly string[]): Reason[] {
  const found = ids.map((id) => ({ id }));
  return lasting('stranger', found, (shown, count) => `${count} on the bus are not of Reelkit: ${shown}`);
}

function launchReasons(observation: Observation, memory: FleetMemory, decided: Decided): Reason[] {
  const { launch, needed, existing, heldUntilMs } = decided;
  if (needed === 0) return noneCanBeLaunched(observation, decided);
  const { maxWorkers, coresPerWorker } = observation.limits;
  const why = `${whatIsNeeded(observation, decided.demand)}, ${count(existing, 'worker')}`;
  if (launch > 0) {
    const text = `${why}: launching ${launch} of ${cores(coresPerWorker)} each (max ${maxWorkers})`;
    return [{ code: 'launch', text, ids: [], count: launch }];
  }
  if (heldUntilMs !== undefined) {
    const waitMs = heldUntilMs - observation.nowMs;
    const because = memory.lastProblem ?? `${count(memory.bootFailures, 'boot')} failed in a row`;
    return [
      {
        code: 'launch_held',
        text: `${why}: next launch in ${formatDuration(waitMs)}: ${because}`,
        ids: [],
        count: 0,
        lasting: true,
      },
    ];
  }
  return [{ code: 'at_max', text: `${why}: at the maximum of ${maxWorkers}`, ids: [], count: 0, lasting: true }];
}

/** A provider that launches nothing, or one whose workers all boot already. */
function noneCanBeLaunched(observation: Observation, { demand, existing }: Decided): Reason[] {
  const booting = demand.bins.some(({ kind }) => kind === 'booting');
  if (demand.behind.length === 0 || booting) return [];
  const text = `${whatIsNeeded(observation, demand)}, ${count(existing, 'worker')}: all are busy and no more can be launched`;
  return [{ code: 'at_max', text, ids: [], count: 0, lasting: true }];
}

function whatIsNeeded({ scheduled }: Observation, { admit, behind, inFlight }: Demand): string {
  const waiting = [...admit, ...behind, ...inFlight];
  if (waiting.length > 0)
    return `${waiting.length} waiting (${cores(waiting.reduce((sum, { costCores }) => sum + costCores, 0))})`;
  return scheduled.length > 0 ? `${scheduled.length} scheduled` : 'minimum and headroom';
}

function passed({ admit, behind }: Demand): string {
  const passing = admit.filter(({ on }) => on !== undefined).length;
  return passing === 0 ? '' : `, ${passing} of them on room that none of the ${behind.length} who wait can use`;
}

/** What fits no worker there is or can be. */
function setAside({ setAside: waiting, largestCores }: Pick<Demand, 'setAside' | 'largestCores'>): Reason[] {
  const items = waiting.map(({ id, costCores }) => ({ id, what: `${id} needs ${cores(costCores)}` }));
  const reasons = told('set_aside', items, ({ what }) => what, byId);
  const rest = `, workers have ${largestCores}: set aside until larger workers exist`;
  return reasons.map((reason) => ({ ...reason, text: reason.text + rest, lasting: true }));
}

/** Each in its own words, the first ones; of the others the number. */
function told<T extends { id: string }>(
  code: ReasonCode,
  items: readonly T[],
  text: (item: T) => string,
  order?: (a: T, b: T) => number,
): Reason[] {
  if (items.length === 0) return [];
  const shown = (order ? [...items].sort(order) : items).slice(0, SHOWN_IDS);
  const words = shown.map((item) => cutToBytes(text(item), TEXT_BYTES, '…'));
  const ids = shown.map(({ id }) => id);
  return [{ code, text: `${words.join('; ')}${andMore(items.length)}`, ids, count: items.length }];
}

/** All in one sentence, by the names of the first ones. */
function named(
  code: ReasonCode,
  items: readonly { id: string }[],
  text: (ids: string, count: number) => string,
): Reason[] {
  if (items.length === 0) return [];
  const ids = items.slice(0, SHOWN_IDS).map(({ id }) => id);
  const words = cutToBytes(text(`${ids.join(', ')}${andMore(items.length)}`, items.length), TEXT_BYTES, '…');
  return [{ code, text: words, ids, count: items.length }];
}

/** A condition has the same words in each pass, whatever the order in which it is seen. */
function lasting(
  code: ReasonCode,
  items: readonly { id: string }[],
  text: (ids: string, count: number) => string,
): Reason[] {
  return named(code, [...items].sort(byId), text).map((reason) => ({ ...reason, lasting: true }));
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function andMore(all: number): string {
  return all > SHOWN_IDS ? ` and ${all - SHOWN_IDS} more` : '';
}

/** The state of the fleet for `setCurrentDetails`: Markdown, bounded in size. */
export function describeFleet(observation: Observation, memory: FleetMemory, demand: Demand): string {
  const workers = observation.workers.filter(({ state }) => state !== 'gone');
  const state = [
    `**${count(workers.length, 'worker')}** (${observation.limits.minWorkers} to ${observation.limits.maxWorkers}), ` +
      `**${demand.behind.length + demand.admit.length} waiting**, ${demand.inFlight.length} starting, ` +
      `${observation.running.length} recording, ${observation.scheduled.length} scheduled`,
    memory.lastProblem && `Problem: ${memory.lastProblem}`,
    workers.length > 0 && workerTable(workers, observation.nowMs),
    demand.behind.length > 0 && queueList(demand, observation.nowMs),
    ...setAside(demand).map(({ text }) => `- ${text}`),
  ];
  return cutToBytes(state.filter(Boolean).join('\n\n'), STATE_BYTES, '\n\n(cut)');
}

function workerTable(workers: ObservedWorker[], nowMs: number): string {
  const rows = workers.slice(0, SHOWN_ROWS).map(({ id, state, egresses, cpuCores, launchedAtMs, reason }) => {
    const used = egresses.reduce((sum, { costCores }) => sum + costCores, 0);
    const age = formatDuration(Math.max(0, nowMs - launchedAtMs));
    return `| ${id} | ${state}${reason ? `: ${cutToBytes(reason.replaceAll('|', '/'), TEXT_BYTES, '…')}` : ''} | ${egresses.length} | ${used}/${cpuCores} | ${age} |`;
  });
  const more = workers.length > SHOWN_ROWS ? `\n\n${workers.length - SHOWN_ROWS} more` : '';
  return `| worker | state | egresses | cores | age |\n|---|---|---|---|---|\n${rows.join('\n')}${more}`;
}

function queueList({ behind, places }: Demand, nowMs: number): string {
  const rows = behind.slice(0, SHOWN_ROWS).map(({ id, costCores, priority, sinceMs }, index) => {
    const { expectedAtMs } = places[index] ?? {};
    const expected = expectedAtMs === undefined ? 'unknown' : `in ${formatDuration(expectedAtMs - nowMs)}`;
    return `${index + 1}. ${id}: ${cores(costCores)}, priority ${priority}, for ${formatDuration(Math.max(0, nowMs - sinceMs))}, a worker: ${expected}`;
  });
  const more = behind.length > SHOWN_ROWS ? `\n\n${behind.length - SHOWN_ROWS} more` : '';
  return `Queue:\n\n${rows.join('\n')}${more}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function cores(number: number): string {
  return `${Number(number.toFixed(2))} core${number === 1 ? '' : 's'}`;
}
