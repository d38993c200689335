// The workers as the fleet sees them: the platform's list, each worker's own answer, and who listens on the bus, joined. Only reads.
import type { Capacity } from '../capacity/guard.ts';
import type { Worker } from '../capacity/provider.ts';
import { messageOf } from '../common/error-message.ts';
import { type Doubt, isSetAside, whyDoubted } from '../fleet/doubt.ts';
import type { FleetMemory, ObservedEgress, ObservedWorker, Sight } from '../fleet/observation.ts';
import { workerStateOf } from '../fleet/worker-state.ts';
import type { Presence } from '../livekit/presence.ts';
import type { Probe, ProbeAnswer } from '../livekit/probe.ts';
import { parseAttemptEgressId } from '../recording/attempt.ts';
import { cutToBytes } from '../recording/bytes.ts';

export interface WorkerSources {
  provider: Pick<Capacity, 'list'>;
  probe: Probe;
  presence: Pick<Presence, 'workers' | 'egresses' | 'cordoned' | 'drained' | 'doubts'>;
  bootTimeoutMs: number;
  now: () => number;
  /** The workers' Redis did not answer. */
  onBusProblem?: (problem: string) => void;
  /** A list of the platform from before this will not do. */
  notBeforeMs?: number | undefined;
}

/** Who listens on the bus. */
interface BusSight {
  workers: ReadonlySet<string>;
  egresses: ReadonlySet<string>;
  cordoned: ReadonlySet<string>;
  drained: ReadonlySet<string>;
  doubts: ReadonlyMap<string, Doubt>;
}

/** Ports first, the bus last: an egress that starts in between is then seen as one that lives. */
export async function observeWorkers(
  { provider, probe, presence, bootTimeoutMs, now, onBusProblem, notBeforeMs }: WorkerSources,
  notes: FleetMemory['workers'] = {},
): Promise<Sight> {
  const { workers, asOfMs } = await provider.list(notBeforeMs);
  const answers = await Promise.all(workers.map((worker) => probeWorker(worker, probe)));
  const bus = await askBus(presence, workers).catch((error: unknown) => {
    onBusProblem?.(messageOf(error));
    return undefined;
  });
  const observed = workers.map((worker, index) => {
    const answer = answers[index] ?? NOT_ASKED;
    const present = bus && worker.topic !== undefined && bus.workers.has(worker.topic);
    const doubt = bus?.doubts.get(worker.topic ?? '');
    const seen = {
      platform: worker.state,
      owned: worker.owned,
      launchedAtMs: worker.launchedAtMs,
      answered: answer.answered,
      outOfService: answer.answered && answer.outOfService,
      present,
      setAside: doubt !== undefined && isSetAside(doubt, now()),
    };
    const state = workerStateOf(seen, notes[worker.id] ?? notes[worker.launchedAs ?? ''], now(), bootTimeoutMs);
    const named = { ...worker, ...reasonOf(worker, doubt, now()) };
    return { ...join(named, answer, state, present), ...onBus(worker, bus), ...(doubt ? { doubt } : {}) };
  });
  return {
    workers: observed,
    listedAtMs: asOfMs,
    ...(bus ? { activeEgresses: liveEgresses(observed, bus.egresses) } : {}),
  };
}

/** The platform's own words, what is announced, or why nothing is sent to it. */
function reasonOf({ reason, endsAtMs }: Worker, doubt: Doubt | undefined, nowMs: number): { reason?: string } {
  const announced = endsAtMs === undefined ? undefined : `its platform ends it at ${new Date(endsAtMs).toISOString()}`;
  const known = [reason, announced].filter(Boolean).join('; ');
  if (known) return { reason: known };
  return doubt ? { reason: whyDoubted(doubt, nowMs) } : {};
}

const NOT_ASKED: ProbeAnswer = { answered: false, problem: '' };

async function probeWorker(worker: Worker, probe: Probe): Promise<ProbeAnswer> {
  return worker.state === 'running' || worker.state === 'draining' ? probe(worker) : NOT_ASKED;
}

async function askBus(presence: WorkerSources['presence'], known: readonly Worker[]): Promise<BusSight> {
  const topics = known.flatMap(({ topic }) => topic ?? []);
  const [workers, egresses, cordoned, drained, doubts] = await Promise.all([
    presence.workers(),
    presence.egresses(),
    presence.cordoned(topics),
    presence.drained(topics),
    presence.doubts(topics),
  ]);
  return { workers, egresses, cordoned, drained, doubts };
}

type BusWord = Pick<ObservedWorker, 'topic' | 'present' | 'cordoned' | 'leaving'>;

function onBus({ topic }: Worker, bus: BusSight | undefined): BusWord {
  if (topic === undefined) return {};
  if (!bus) return { topic };
  const leaving = bus.drained.has(topic) ? { leaving: 'an operator drains it' } : {};
  return { topic, present: bus.workers.has(topic), cordoned: bus.cordoned.has(topic), ...leaving };
}

function liveEgresses(workers: readonly ObservedWorker[], onBus: ReadonlySet<string>): ObservedEgress[] {
  const shown = workers.flatMap(({ egresses }) => egresses.map(({ egressId }) => egressId));
  return [...new Set([...onBus, ...shown])].map((egressId) => ({
    egressId,
    ...parseAttemptEgressId(egressId),
    onBus: onBus.has(egressId),
  }));
}

/** A platform may give the end of a worker's log. */
const REASON_BYTES = 500;
const DEAF = "its port answers, but it does not listen for starts on the workers' Redis";

function join(
  worker: Worker,
  answer: ProbeAnswer,
  state: ObservedWorker['state'],
  present: boolean | undefined,
): ObservedWorker {
  const problem = answer.answered ? (present === false && state !== 'draining' ? DEAF : '') : answer.problem;
  const reason = cutToBytes(worker.reason ?? (state === 'ready' ? '' : problem), REASON_BYTES, '…');
  return {
    id: worker.id,
    state,
    owned: worker.owned,
    launchedAtMs: worker.launchedAtMs,
    cpuCores: worker.cpuCores,
    answered: answer.answered,
    egresses: answer.answered ? answer.egresses : [],
    ...(answer.answered && answer.freeCores !== undefined ? { freeCores: answer.freeCores } : {}),
    ...(!answer.answered && answer.closed ? { portClosed: true } : {}),
    ...(reason ? { reason } : {}),
    ...(worker.state === 'running' ? { runs: true } : {}),
    ...(worker.cutOff ? { cutOff: true } : {}),
    ...(worker.protected === undefined ? {} : { protected: worker.protected }),
    ...(worker.leaving === undefined ? {} : { leaving: worker.leaving }),
    ...(worker.endsAtMs === undefined ? {} : { endsAtMs: worker.endsAtMs }),
    ...(worker.launchedAs === undefined ? {} : { launchedAs: worker.launchedAs }),
    ...(worker.outdated === undefined ? {} : { outdated: worker.outdated }),
  };
}
