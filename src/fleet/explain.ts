// Puts a plan into words: structured reasons, one line for the log, Markdown for the Web UI. Pure.
import { formatDuration } from '../recording/duration.ts';
import type { Demand } from './demand.ts';
import { isSetAside } from './doubt.ts';
import type { FleetMemory, Observation, ObservedWorker, WaitingRecording } from './observation.ts';
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
  | 'doubted'
  | 'bus_unknown';

export interface Reason {
  code: ReasonCode;
  text: string;
  ids: string[];
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

export function renderReasons(observation: Observation, memory: FleetMemory, decided: Decided): Reason[] {
  const { demand, strays, ends, overdue } = decided;
  const given = new Set(overdue.map(({ id }) => id));
  return [
    ...launchReasons(observation, memory, decided),
    ...demand.setAside.map((recording) => setAside(recording, demand.largestCores)),
    ...list('admit', demand.admit, (ids, count) => `admitting ${count}: ${ids}`),
    ...ends.failedBoots.map(({ id, why }) => one('boot_failed', id, `${id} ended before it was ready: ${why}`)),
    ...overdue.map(({ id, why }) => one('boot_failed', id, `${id} ${why}: given up and draining`)),
    ...ends.vanished.map(({ id, why }) => one('worker_vanished', id, `${id} ended without being asked to: ${why}`)),
    ...decided.cordon
      .filter(({ isNew }) => isNew)
      .map(({ id, why }) => one('cordon', id, `${id} ${why}: sending it nothing more`)),
    ...decided.uncordon.map(({ id }) => one('uncordon', id, `${id} is needed after all`)),
    ...decided.retire
      .filter(({ id }) => !given.has(id))
      .map(({ id, why }) => one('drain', id, `${id} ${why}: draining`)),
    ...decided.remove.map(({ id, why }) => one('remove', id, `${id} ${why}: removing`)),
    ...strays.lost
      .filter(({ again }) => !again)
      .map(({ egressId, recordingId, evidence }) =>
        one('lost', recordingId, `${egressId} of ${recordingId} is lost: ${evidence}`),
      ),
    ...strays.orphans.map(({ egressId, why }) =>
      one('orphan', egressId, `${egressId} is an orphan, ${why}: stopping it`),
    ),
    ...strays.look
      .filter(({ again }) => !again)
      .map(({ recordingId, why }) => one('look', recordingId, `${recordingId} is asked to look: ${why}`)),
    ...strangers(strays.strangers),
    ...doubted(observation.workers),
    ...(observation.activeEgresses ? [] : [busUnknown]),
  ];
}

/** Acts always; conditions only when they differ from what was told last. */
export function renderLine(reasons: Reason[], memory: FleetMemory): string | undefined {
  const key = holdKey(reasons);
  const holdIsNews = key !== '' && key !== memory.lastHold;
  const told = reasons.filter(({ lasting }) => !lasting || holdIsNews);
  return told.length === 0 ? undefined : told.map(({ text }) => text).join('; ');
}

export function holdKey(reasons: readonly Reason[]): string {
  return reasons
    .filter(({ lasting }) => lasting)
    .map(({ code, ids }) => [code, ...ids].join(' '))
    .join('; ');
}

const busUnknown: Reason = {
  code: 'bus_unknown',
  text: "the workers' Redis did not answer: nothing is called lost, nothing shrinks",
  ids: [],
  lasting: true,
};

/** Told once for each, however often it is tried again. */
function doubted(workers: readonly ObservedWorker[]): Reason[] {
  return list(
    'doubted',
    workers.filter(({ doubt }) => doubt && isSetAside(doubt)),
    (ids) => `${ids}: set aside, because starts are not taken there`,
  ).map((reason) => ({ ...reason, lasting: true, ids: [...reason.ids].sort().slice(0, SHOWN_IDS) }));
}

/** Somebody else uses the workers' Redis. */
function strangers(ids: readonly string[]): Reason[] {
  const sorted = [...ids].sort();
  return list(
    'stranger',
    sorted.map((id) => ({ id })),
    (shown, count) => `${count} on the bus are not of Reelkit: ${shown}`,
  ).map((reason) => ({ ...reason, lasting: true, ids: reason.ids.slice(0, SHOWN_IDS) }));
}

function launchReasons(observation: Observation, memory: FleetMemory, decided: Decided): Reason[] {
  const { launch, needed, existing, heldUntilMs } = decided;
  if (needed === 0) return noneCanBeLaunched(observation, decided);
  const { maxWorkers, coresPerWorker } = observation.limits;
  const why = `${whatIsNeeded(observation, decided.demand)}, ${count(existing, 'worker')}`;
  if (launch > 0) {
    const text = `${why}: launching ${launch} of ${cores(coresPerWorker)} each (max ${maxWorkers})`;
    return [{ code: 'launch', text, ids: [] }];
  }
  if (heldUntilMs !== undefined) {
    const waitMs = heldUntilMs - observation.nowMs;
    const because = memory.lastProblem ?? `${count(memory.bootFailures, 'boot')} failed in a row`;
    return [
      {
        code: 'launch_held',
        text: `${why}: next launch in ${formatDuration(waitMs)}: ${because}`,
        ids: [],
        lasting: true,
      },
    ];
  }
  return [{ code: 'at_max', text: `${why}: at the maximum of ${maxWorkers}`, ids: [], lasting: true }];
}

/** A provider that launches nothing, or one whose workers all boot already. */
function noneCanBeLaunched(observation: Observation, { demand, existing }: Decided): Reason[] {
  const booting = demand.bins.some(({ kind }) => kind === 'booting');
  if (demand.behind.length === 0 || booting) return [];
  const text = `${whatIsNeeded(observation, demand)}, ${count(existing, 'worker')}: all are busy and no more can be launched`;
  return [{ code: 'at_max', text, ids: [], lasting: true }];
}

function whatIsNeeded({ scheduled }: Observation, { admit, behind, inFlight }: Demand): string {
  const waiting = [...admit, ...behind, ...inFlight];
  if (waiting.length > 0)
    return `${waiting.length} waiting (${cores(waiting.reduce((sum, { costCores }) => sum + costCores, 0))})`;
  return scheduled.length > 0 ? `${scheduled.length} scheduled` : 'minimum and headroom';
}

function setAside({ id, costCores }: WaitingRecording, largestCores: number): Reason {
  const text = `${id} needs ${cores(costCores)}, workers have ${largestCores}: set aside until larger workers exist`;
  return { code: 'set_aside', text, ids: [id], lasting: true };
}

function list(
  code: ReasonCode,
  items: readonly { id: string }[],
  text: (ids: string, count: number) => string,
): Reason[] {
  if (items.length === 0) return [];
  const ids = items.map(({ id }) => id);
  const more = ids.length > SHOWN_IDS ? ` and ${ids.length - SHOWN_IDS} more` : '';
  return [{ code, text: text(`${ids.slice(0, SHOWN_IDS).join(', ')}${more}`, ids.length), ids }];
}

function one(code: ReasonCode, id: string, text: string): Reason {
  return { code, text, ids: [id] };
}

/** The state of the fleet for `setCurrentDetails`: Markdown, bounded in size. */
export function describeFleet(observation: Observation, memory: FleetMemory, demand: Demand): string {
  const workers = observation.workers.filter(({ state }) => state !== 'gone');
  return [
    `**${count(workers.length, 'worker')}** (${observation.limits.minWorkers} to ${observation.limits.maxWorkers}), ` +
      `**${demand.behind.length + demand.admit.length} waiting**, ${demand.inFlight.length} starting, ` +
      `${observation.running.length} recording, ${observation.scheduled.length} scheduled`,
    memory.lastProblem && `Problem: ${memory.lastProblem}`,
    workers.length > 0 && workerTable(workers, observation.nowMs),
    demand.behind.length > 0 && queueList(demand.behind, observation.nowMs),
    ...demand.setAside.slice(0, SHOWN_IDS).map((recording) => `- ${setAside(recording, demand.largestCores).text}`),
  ]
    .filter(Boolean)
    .join('\n\n');
}

function workerTable(workers: ObservedWorker[], nowMs: number): string {
  const rows = workers.slice(0, SHOWN_ROWS).map(({ id, state, egresses, cpuCores, launchedAtMs, reason }) => {
    const used = egresses.reduce((sum, { costCores }) => sum + costCores, 0);
    const age = formatDuration(Math.max(0, nowMs - launchedAtMs));
    return `| ${id} | ${state}${reason ? `: ${reason.replaceAll('|', '/')}` : ''} | ${egresses.length} | ${used}/${cpuCores} | ${age} |`;
  });
  const more = workers.length > SHOWN_ROWS ? `\n\n${workers.length - SHOWN_ROWS} more` : '';
  return `| worker | state | egresses | cores | age |\n|---|---|---|---|---|\n${rows.join('\n')}${more}`;
}

function queueList(waiting: WaitingRecording[], nowMs: number): string {
  const rows = waiting.slice(0, SHOWN_ROWS).map(({ id, costCores, priority, sinceMs }, index) => {
    return `${index + 1}. ${id}: ${cores(costCores)}, priority ${priority}, for ${formatDuration(Math.max(0, nowMs - sinceMs))}`;
  });
  const more = waiting.length > SHOWN_ROWS ? `\n\n${waiting.length - SHOWN_ROWS} more` : '';
  return `Queue:\n\n${rows.join('\n')}${more}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function cores(number: number): string {
  return `${Number(number.toFixed(2))} core${number === 1 ? '' : 's'}`;
}
