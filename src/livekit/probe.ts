// Asks one egress worker over its own ports what it is doing. The health JSON also holds storage keys of running requests:
// only egress ids and request kinds leave this file.
import { type CostTable, DEFAULT_COSTS } from '../fleet/cost.ts';
import type { WorkerEgress } from '../fleet/observation.ts';

interface ProbeTarget {
  healthUrl?: string;
  metricsUrl?: string;
}

export type ProbeAnswer =
  | {
      answered: false;
      problem: string;
      /** Nothing listens there: another witness than a port that only does not answer. */
      closed?: boolean;
    }
  | {
      answered: true;
      egresses: WorkerEgress[];
      /** What its admission has left: all CPUs when idle, else 80 % of them minus what is used. */
      freeCores?: number;
      /** Disabled or terminating: it finishes what it has and takes nothing new. */
      outOfService: boolean;
    };

export type Probe = (target: ProbeTarget) => Promise<ProbeAnswer>;

export function createProbe({ timeoutMs = 500, costs = DEFAULT_COSTS as CostTable } = {}): Probe {
  return async ({ healthUrl, metricsUrl }) => {
    if (healthUrl === undefined) return { answered: false, problem: 'its address is not known yet' };
    try {
      const [health, outOfService] = await Promise.all([
        readText(healthUrl, timeoutMs),
        // Metrics only refine the picture; a worker without them takes requests as far as anyone can tell.
        metricsUrl === undefined ? false : readText(metricsUrl, timeoutMs).then(isOutOfService, () => false),
      ]);
      return { answered: true, ...readHealth(health, costs), outOfService };
    } catch (error) {
      const closed = isRefused(error) ? { closed: true } : {};
      return { answered: false, problem: `${healthUrl} does not answer: ${describe(error)}`, ...closed };
    }
  };
}

async function readText(url: string, timeoutMs: number): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.text();
}

/** livekit/egress `Server.Status`: `{"CpuLoad": <cores left>, "EG_...": {"Participant": {...}}}`; CpuLoad is misnamed there. */
export function readHealth(text: string, costs: CostTable): { egresses: WorkerEgress[]; freeCores?: number } {
  const health = JSON.parse(text) as Record<string, unknown>;
  const free = health.CpuLoad;
  return {
    egresses: Object.entries(health)
      .filter(([key]) => key.startsWith('EG_'))
      .map(([egressId, request]) => ({ egressId, costCores: costOfRequest(request, costs) })),
    ...(typeof free === 'number' && Number.isFinite(free) ? { freeCores: free } : {}),
  };
}

/** The request is the Go struct of the `oneof`: its only key names the kind. An unknown kind costs as much as the dearest. */
function costOfRequest(request: unknown, costs: CostTable): number {
  const [kind, fields] = Object.entries((request ?? {}) as Record<string, { audio_only?: boolean }>)[0] ?? [];
  switch (kind) {
    case 'RoomComposite':
      return fields?.audio_only ? costs.audioRoomComposite : costs.roomComposite;
    case 'Web':
      return fields?.audio_only ? costs.audioWeb : costs.web;
    case 'Participant':
      return costs.participant;
    case 'TrackComposite':
      return costs.trackComposite;
    case 'Track':
      return costs.track;
    default:
      return costs.roomComposite;
  }
}

export function isOutOfService(metrics: string): boolean {
  return /^livekit_egress_is_(disabled|terminating)(\{[^}]*\})? 1(\.0+)?$/m.test(metrics);
}

function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === 'ECONNREFUSED';
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
