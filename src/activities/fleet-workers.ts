// The workers as the fleet sees them: the platform's list and each worker's own answer, joined. Only reads.
import type { CapacityProvider, Worker } from '../capacity/provider.ts';
import type { FleetMemory, ObservedWorker } from '../fleet/observation.ts';
import { stateOf } from '../fleet/worker-state.ts';
import type { Probe, ProbeAnswer } from '../livekit/probe.ts';

export interface WorkerSources {
  provider: Pick<CapacityProvider, 'list'>;
  probe: Probe;
  bootTimeoutMs: number;
  now: () => number;
}

/** Also what startPart asks before it tries its luck, without notes. */
export async function observeWorkers(
  { provider, probe, bootTimeoutMs, now }: WorkerSources,
  notes: FleetMemory['workers'] = {},
): Promise<ObservedWorker[]> {
  const workers = await provider.list();
  const answers = await Promise.all(workers.map((worker) => probeWorker(worker, probe)));
  return workers.map((worker, index) => {
    const answer = answers[index] ?? NOT_ASKED;
    const seen = {
      platform: worker.state,
      owned: worker.owned,
      launchedAtMs: worker.launchedAtMs,
      answered: answer.answered,
      outOfService: answer.answered && answer.outOfService,
    };
    return join(worker, answer, stateOf(seen, notes[worker.id], now(), bootTimeoutMs));
  });
}

const NOT_ASKED: ProbeAnswer = { answered: false, problem: '' };

async function probeWorker(worker: Worker, probe: Probe): Promise<ProbeAnswer> {
  return worker.state === 'running' || worker.state === 'draining' ? probe(worker) : NOT_ASKED;
}

function join(worker: Worker, answer: ProbeAnswer, state: ObservedWorker['state']): ObservedWorker {
  const problem = answer.answered ? '' : answer.problem;
  const reason = worker.reason ?? (state === 'ready' ? '' : problem);
  return {
    id: worker.id,
    state,
    owned: worker.owned,
    launchedAtMs: worker.launchedAtMs,
    cpuCores: worker.cpuCores,
    answered: answer.answered,
    egresses: answer.answered ? answer.egresses : [],
    ...(answer.answered && answer.freeCores !== undefined ? { freeCores: answer.freeCores } : {}),
    ...(reason ? { reason } : {}),
    ...(worker.state === 'running' ? { runs: true } : {}),
    ...(worker.cutOff ? { cutOff: true } : {}),
    ...(worker.protected === undefined ? {} : { protected: worker.protected }),
    ...(worker.leaving === undefined ? {} : { leaving: worker.leaving }),
    ...(worker.outdated === undefined ? {} : { outdated: worker.outdated }),
  };
}
