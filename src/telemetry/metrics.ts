// What Reelkit counts for Prometheus. Typed recorder functions: whoever records knows no metric names.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface PassMeasures {
  durationMs: number;
  /** The pass decided something. */
  decided: boolean;
}

export interface Metrics {
  /** What one StartEgress call meant: the `kind` of the StartOutcome. */
  startOutcome(fleet: string, kind: string): void;
  /** A part became ACTIVE for the first time: what the time since the request was spent on. */
  started(spent: { queueMs: number; startMs: number }): void;
  pass(fleet: string, measures: PassMeasures): void;
  workers(fleet: string, byState: Record<string, number>): void;
  cores(fleet: string, cores: { demand: number; capacity: number }): void;
  /** One try of a webhook: `delivered`, or why it was not. */
  webhookTried(outcome: string): void;
  /** One call to Temporal's visibility: gRPC's status, or `held` back by our own limit for too long. */
  visibilityCalled(method: string, outcome: string): void;
  httpRequest(request: { method: string; route: string; status: number; durationMs: number }): void;
  /** Asked at each scrape for the open recordings of each fleet by stage. */
  countRecordings(counts: ReadonlyMap<string, () => Promise<Record<string, number>>>): void;
  text(): Promise<string>;
  readonly contentType: string;
}

const SECONDS = {
  start: [0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800],
  http: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10],
};

export function createMetrics(registry: Registry = new Registry()): Metrics {
  const registers = [registry];
  const startOutcomes = new Counter({
    name: 'reelkit_start_outcomes_total',
    help: 'StartEgress calls by what came of them',
    labelNames: ['fleet', 'outcome'],
    registers,
  });
  const startTime = new Histogram({
    name: 'reelkit_recording_start_seconds',
    help: 'Time from the request until the egress recorded, and what it was spent on (total, queue, start)',
    labelNames: ['spent_on'],
    buckets: SECONDS.start,
    registers,
  });
  const passTime = new Histogram({
    name: 'reelkit_fleet_pass_seconds',
    help: 'Duration of the fleet passes',
    labelNames: ['fleet', 'decided'],
    buckets: SECONDS.http,
    registers,
  });
  const workers = new Gauge({
    name: 'reelkit_workers',
    help: 'Egress workers by state, as the last pass saw them',
    labelNames: ['fleet', 'state'],
    registers,
  });
  const cores = new Gauge({
    name: 'reelkit_cores',
    help: 'CPU cores in demand, and cores that ready and booting workers offer',
    labelNames: ['fleet', 'kind'],
    registers,
  });
  const webhooks = new Counter({
    name: 'reelkit_webhooks_total',
    help: 'Tries to deliver a webhook by what came of them',
    labelNames: ['outcome'],
    registers,
  });
  const visibilityCalls = new Counter({
    name: 'reelkit_visibility_calls_total',
    help: "Calls to Temporal's visibility by what came of them",
    labelNames: ['method', 'outcome'],
    registers,
  });
  const httpTime = new Histogram({
    name: 'reelkit_http_request_seconds',
    help: 'HTTP requests to the API',
    labelNames: ['method', 'route', 'status'],
    buckets: SECONDS.http,
    registers,
  });

  return {
    startOutcome: (fleet, outcome) => startOutcomes.inc({ fleet, outcome }),
    started({ queueMs, startMs }) {
      startTime.observe({ spent_on: 'queue' }, queueMs / 1_000);
      startTime.observe({ spent_on: 'start' }, startMs / 1_000);
      startTime.observe({ spent_on: 'total' }, (queueMs + startMs) / 1_000);
    },
    pass: (fleet, { durationMs, decided }) => passTime.observe({ fleet, decided: String(decided) }, durationMs / 1_000),
    workers(fleet, byState) {
      for (const [state, count] of Object.entries(byState)) workers.set({ fleet, state }, count);
    },
    cores(fleet, { demand, capacity }) {
      cores.set({ fleet, kind: 'demand' }, demand);
      cores.set({ fleet, kind: 'capacity' }, capacity);
    },
    webhookTried: (outcome) => webhooks.inc({ outcome }),
    visibilityCalled: (method, outcome) => visibilityCalls.inc({ method, outcome }),
    httpRequest: ({ method, route, status, durationMs }) =>
      httpTime.observe({ method, route, status: String(status) }, durationMs / 1_000),
    countRecordings: (counts) => countAtScrape(registry, counts),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function countAtScrape(registry: Registry, counts: Parameters<Metrics['countRecordings']>[0]): void {
  new Gauge({
    name: 'reelkit_recordings',
    help: 'Open recordings by stage',
    labelNames: ['fleet', 'stage'],
    registers: [registry],
    async collect() {
      // Temporal away: the other metrics are still worth scraping.
      const seen = await Promise.all(
        [...counts].map(async ([fleet, count]) => [fleet, await count().catch(() => ({}))] as const),
      );
      this.reset();
      for (const [fleet, byStage] of seen)
        for (const [stage, amount] of Object.entries(byStage)) this.set({ fleet, stage }, amount);
    },
  });
}
