// What a pass of the fleet asks of the API server, by its own audit log: the real provider under the real Role, with pods that
// only seem to run.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runPass } from '../../src/activities/fleet.ts';
import type { FleetDeps } from '../../src/activities/fleet-deps.ts';
import { type Capacity, guardProvider } from '../../src/capacity/guard.ts';
import { createKubernetesProvider } from '../../src/capacity/kubernetes/provider.ts';
import { EMPTY_MEMORY } from '../../src/fleet/observation.ts';
import { type ControlPlane, startControlPlane } from '../../test/support/cluster/control-plane.ts';
import { installEgressFleet } from '../../test/support/cluster/egress-fleet.ts';
import { startKwok } from '../../test/support/cluster/kwok.ts';
import { until } from '../bed.ts';
import { createEndings } from '../endings.ts';
import { median } from '../figures.ts';
import type { Row } from '../rows.ts';

const FEW = 10;
const MANY = 300;
/** The pods ask for 4 GiB each, a node has 256. */
const NODES = 8;
const PASSES = 60;
const PAUSE_MS = 50;
const DAY_MS = 86_400_000;

interface Cost {
  requests: number;
  /** `list pods 1, …` */
  what: string;
  /** Before: what the pods cost once in their lives. */
  once: string;
  passMs: number;
}

export async function measurePasses(report: (line: string) => void): Promise<Row[]> {
  const { atEnd, stop } = createEndings();
  try {
    const stateDir = await mkdtemp(join(tmpdir(), 'reelkit-bench-passes-'));
    atEnd(() => rm(stateDir, { recursive: true, force: true }));
    const controlPlane = await startControlPlane({ stateDir, audit: true });
    atEnd(controlPlane.stop);
    const kwok = await startKwok({ kubeconfig: controlPlane.kubeconfig, stateDir: join(stateDir, 'kwok') });
    atEnd(kwok.stop);
    await kwok.createNodes(NODES, { cores: 16 });
    const few = await costOf(controlPlane, FEW);
    const many = await costOf(controlPlane, MANY);
    report(`${PASSES} passes with ${FEW} pods: ${describe(few)}; with ${MANY}: ${describe(many)}`);
    return [rowOf(few, many)];
  } finally {
    await stop();
  }
}

async function costOf(controlPlane: ControlPlane, pods: number): Promise<Cost> {
  const namespace = `pods-${pods}`;
  const { capacity } = await installEgressFleet(controlPlane, { namespace, egressConfig: '', cpu: '100m' });
  const connect = () =>
    guardProvider(
      createKubernetesProvider(
        { container: 'egress', ...capacity, longestRecording: DAY_MS, manageUnowned: false, watchNodes: false },
        { fleet: 'default' },
      ),
      async () => 'idle',
    );
  await launchAndSettle(connect(), pods);
  const launchedMs = Date.now();
  const provider = connect();
  const durations = await runPasses(provider, PASSES);
  await provider.close?.();
  const asked = await controlPlane.requests(`system:serviceaccount:${namespace}:reelkit-worker`);
  const inPasses = asked.filter(({ atMs }) => atMs >= launchedMs);
  return {
    requests: inPasses.length,
    what: count(inPasses),
    once: count(asked.filter(({ atMs, verb }) => atMs < launchedMs && (verb === 'create' || verb === 'patch'))),
    passMs: median(durations),
  };
}

/** A new pod is released from its protection once it is seen idle: a request a pod, once in its life. */
async function launchAndSettle(provider: Capacity, pods: number): Promise<void> {
  await provider.launch(pods, 'bench');
  await until(
    `${pods} pods to run`,
    () => provider.list(),
    ({ workers }) => workers.filter(({ state }) => state === 'running').length === pods,
  );
  await runPasses(provider, 3);
  await until(
    'all pods to be released',
    () => provider.list(),
    ({ workers }) => workers.every((worker) => worker.protected === false),
  );
  await provider.close?.();
}

/** @returns how long each took */
async function runPasses(provider: Capacity, passes: number): Promise<number[]> {
  const deps = depsOf(provider);
  const durations: number[] = [];
  let memory = EMPTY_MEMORY;
  for (let pass = 1; pass <= passes; pass += 1) {
    const sinceMs = performance.now();
    const report = await runPass(deps, { fleet: 'default', pass, memory, kicked: false, token: `pass-${pass}` });
    durations.push(performance.now() - sinceMs);
    memory = report.memory;
    await sleep(PAUSE_MS);
  }
  return durations;
}

/** Nothing to record, and workers that are idle for good. */
function depsOf(provider: Capacity): FleetDeps {
  return {
    fleets: ['default'],
    size: { minWorkers: 0, maxWorkers: MANY },
    provider,
    recordings: {
      list: async () => [],
      countQueue: async () => 0,
      admit: async () => false,
      askToLook: async () => false,
      statusOf: async () => 'unknown',
      fleetOf: async () => undefined,
      currentEgress: async () => undefined,
    },
    presence: {
      workers: async () => new Set((await provider.list()).workers.flatMap(({ topic }) => topic ?? [])),
      egresses: async () => new Set(),
      cordoned: async () => new Set(),
      drained: async () => new Set(),
      doubts: async () => new Map(),
      cordon: async () => {},
      uncordon: async () => {},
    },
    stopEgress: async () => {},
    probe: async () => ({ answered: true, egresses: [], outOfService: false }),
    policy: {
      headroomCores: 0,
      largestRequestCores: 4,
      cooldownMs: DAY_MS,
      bootTimeoutMs: DAY_MS,
      busyIntervalMs: 2_000,
      watchIntervalMs: 30_000,
      confirmAfterMs: 10_000,
    },
    bootTimeoutMs: DAY_MS,
    log: { info() {}, warn() {} },
    now: Date.now,
    sleep,
  };
}

function count(requests: { verb: string; resource: string }[]): string {
  const counts = new Map<string, number>();
  for (const { verb, resource } of requests) {
    const what = `${verb} ${resource}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, times]) => `${what} ${times}`).join(', ');
}

function describe({ requests, what, once, passMs }: Cost): string {
  return `${requests} requests (${what}), ${passMs.toFixed(1)} ms p50 a pass, and once ${once}`;
}

function rowOf(few: Cost, many: Cost): Row {
  const ratio = many.requests / few.requests;
  return {
    id: 'k8s_requests_per_pass_ratio',
    value: ratio,
    unit: 'ratio',
    against: `${FEW} pods: ${few.requests} requests in ${PASSES} passes`,
    target: '<= 1.1',
    holds: ratio <= 1.1,
    how:
      `${MANY} idle pods: ${many.requests} requests in ${PASSES} passes of a new provider (${many.what}), ${many.passMs.toFixed(1)} ms p50 a pass; ` +
      `left out is what each pod costs once in its life: ${many.once}`,
  };
}
